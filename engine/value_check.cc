#include "engine/value_check.h"

namespace sluice::engine {

bool ValueCheck::on_record_begin(const rdb::RecordHeader& record) {
  is_refused_ = false;
  reader_.begin(record, *header());
  return StreamFacts::on_record_begin(record);
}

bool ValueCheck::on_value_part(std::span<const std::byte> part) {
  if (!is_refused_ && !judge(reader_.feed(part))) return false;
  return StreamFacts::on_value_part(part);
}

bool ValueCheck::on_record_end(std::uint64_t offset) {
  if (!is_refused_ && !judge(reader_.end())) return false;
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
