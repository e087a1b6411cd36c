#include "rdb/inner_encoding.h"

#include <utility>

namespace sluice::rdb {

void InnerEncoding::begin(std::uint64_t size) noexcept {
  cursor_.restart(0);
  size_ = size;
  items_ = 0;
  complete_ = false;
}

Step InnerEncoding::feed(std::span<const std::byte> bytes, ItemSink& sink) {
  cursor_.open(bytes);
  Step stepped = Step::ok;
  while (stepped == Step::ok && !complete_) {
    stepped = pass_whole(sink);
    if (stepped == Step::ok) stepped = step(sink);
  }
  if (stepped == Step::ok && cursor_.here() != size_) {
    stepped =
        fail("it ends at byte " + std::to_string(cursor_.here()) + " of " + std::to_string(size_));
  }
  cursor_.close();
  return stepped;
}

Step InnerEncoding::take_text(ItemSink& sink) {
  const bool first = left_ == text_size_;
  const std::span<const std::byte> part = cursor_.take_part(left_);
  if (part.empty() && left_ > 0) return Step::more;
  const Item item{
      .bytes = part, .size = text_size_, .integer = 0, .first = first, .last = left_ == 0};
  if (const Step passed = pass(item, sink); passed != Step::ok) return passed;
  return left_ == 0 ? Step::ok : Step::more;
}

Step InnerEncoding::pass(const Item& item, ItemSink& sink) {
  items_ += item.last ? 1 : 0;
  if (sink.on_item(item)) return Step::ok;
  problem_.clear();
  return Step::fail;
}

Step InnerEncoding::fail(std::string problem) {
  problem_ = std::move(problem);
  return Step::fail;
}

Step InnerEncoding::fail_at(std::string problem) {
  return fail("element " + std::to_string(items_) + " at byte " +
              std::to_string(cursor_.token_offset()) + ": " + std::move(problem));
}

}  // namespace sluice::rdb
