// Property: cutting an inner encoding anywhere changes neither the verdict nor the elements, and
// what is accepted fulfils its own header. Input: a byte that picks the encoding, then its bytes.

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <random>
#include <span>
#include <string>

#include "rdb/crc64.h"
#include "rdb/inner_encoding.h"
#include "rdb/stream_node.h"

namespace {

using namespace sluice::rdb;

/// Folds elements into a number, in which the cuts of texts leave no trace.
class ItemDigest final : public ItemSink, public StreamNodeSink {
 public:
  explicit ItemDigest(bool is_node) : is_node_(is_node) { node_.begin({1, 1}, true, true); }

  bool on_item(const Item& item) override {
    return is_node_ ? node_.on_item(item, *this) : add(item);
  }
  bool on_entry(StreamId id) override { return add(id.ms) && add(id.seq); }
  bool on_entry_item(Role, const Item& item) override { return add(item); }
  bool on_node_problem(std::string what) override {
    problem = std::move(what);
    return false;
  }
  void end() {
    if (is_node_ && problem.empty()) (void)node_.end(*this);
  }

  std::uint64_t digest = 0;
  std::string problem;

 private:
  bool add(std::uint64_t number) {
    digest = crc64_by_table(digest, std::as_bytes(std::span(&number, 1)));
    return true;
  }
  bool add(const Item& item) {
    if (item.is_integer) return add(static_cast<std::uint64_t>(item.integer));
    if (item.first != !in_text_) std::abort();
    if (item.first) left_ = item.size;
    if (item.first) add(item.size);
    if (item.bytes.size() > left_ || item.last != (item.bytes.size() == left_)) std::abort();
    left_ -= item.bytes.size();
    in_text_ = !item.last;
    digest = crc64_by_table(digest, item.bytes);
    return true;
  }

  bool is_node_;
  StreamNode node_;
  bool in_text_ = false;
  std::uint64_t left_ = 0;
};

struct Verdict {
  bool complete = false;
  std::uint64_t items = 0;
  std::uint64_t digest = 0;
  std::string problem;

  friend bool operator==(const Verdict&, const Verdict&) = default;
};

/// Feeds pieces of as many bytes as `next_piece` says.
template <class NextPiece>
Verdict take_apart(InnerEncoding& encoding, bool is_node, std::span<const std::byte> input,
                   NextPiece next_piece) {
  ItemDigest seen(is_node);
  Step fed = encoding.feed({}, seen);
  while (fed != Step::fail && !input.empty()) {
    const auto piece = input.first(std::min<std::size_t>(input.size(), next_piece()));
    fed = encoding.feed(piece, seen);
    input = input.subspan(piece.size());
  }
  Verdict verdict;
  verdict.problem = fed == Step::fail ? encoding.problem() + seen.problem : "";
  verdict.items = fed == Step::fail ? 0 : encoding.items();
  verdict.complete = fed != Step::fail && encoding.complete();
  if (verdict.complete) seen.end();
  verdict.problem += seen.problem;
  verdict.digest = seen.digest;
  return verdict;
}

struct Encodings {
  Listpack listpack;
  Ziplist ziplist;
  Intset intset;
  Zipmap zipmap;

  InnerEncoding& begin(unsigned kind, std::uint64_t size) {
    switch (kind) {
      case 1: ziplist.begin(size); return ziplist;
      case 2: intset.begin(size, true); return intset;
      case 3: intset.begin(size, false); return intset;
      case 4: zipmap.begin(size); return zipmap;
      default: listpack.begin(size); return listpack;  // 5: a stream node
    }
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const unsigned kind = data[0] % 6;
  const auto input = std::as_bytes(std::span(data, size)).subspan(1);
  std::mt19937_64 random(crc64_by_table(0, input));
  Encodings encodings;
  const auto verdict = [&](auto next_piece) {
    return take_apart(encodings.begin(kind, input.size()), kind == 5, input, next_piece);
  };
  const Verdict whole = verdict([&] { return input.size(); });
  if (verdict([&] { return random() % 16; }) != whole) std::abort();
  if (verdict([&] { return 1 + random() % (input.size() + 1); }) != whole) std::abort();
  if (verdict([] { return std::size_t{1}; }) != whole) std::abort();
  return 0;
}
