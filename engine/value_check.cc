#include "engine/value_check.h"

namespace sluice::engine {

bool ValueCheck::on_record_begin(const rdb::RecordHeader& record) {
  is_refused_ = false;
  return StreamFacts::on_record_begin(record);
}

std::size_t ValueCheck::take_value(const rdb::RecordHeader& record,
                                   std::span<const std::byte> bytes) {
  const std::size_t taken = reader_.begin_with(record, *header(), bytes);
  is_done_ = taken > 0;
  is_ahead_ = !is_done_ && !bytes.empty();
  if (is_done_) StreamFacts::on_value_part(bytes.first(taken));
  return taken;
}

bool ValueCheck::on_value_part(std::span<const std::byte> part) {
  const auto unread = is_ahead_ ? std::span<const std::byte>() : part;
  is_ahead_ = false;
  if (!is_refused_ && !judge(reader_.feed(unread))) return false;
  return StreamFacts::on_value_part(part);
}

bool ValueCheck::on_record_end(std::uint64_t offset) {
  if (!is_done_ && !is_refused_ && !judge(reader_.end())) return false;
  return StreamFacts::on_record_end(offset);
}

/// False when the reader's handler wants no more.
bool ValueCheck::judge(const rdb::Result<void>& read) {
  if (read) return true;
  if (read.error().code == rdb::Errc::stopped) return false;
  is_refused_ = true;
  refused_(read.error());
  return true;
}

}  // namespace sluice::engine
