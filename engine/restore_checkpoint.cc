#include "engine/restore_checkpoint.h"

#include <algorithm>
#include <utility>

namespace sluice::engine {

RestoreCheckpoint::RestoreCheckpoint(RestoreState state, Note note, Transfer& transfer,
                                     rdb::Handler& next, std::uint64_t interval)
    : state_(std::move(state)),
      note_(std::move(note)),
      transfer_(transfer),
      next_(next),
      interval_(interval),
      first_record_(state_.records),
      doubtful_end_(state_.sent_end) {}

void RestoreCheckpoint::begin() {
  if (!note_) return;
  state_.sent_end = std::max(interval_, doubtful_end_);
  state_.so_far = transfer_.state();
  note_(state_);
}

// Functions come before the keys.
bool RestoreCheckpoint::on_function(std::span<const std::byte> source) {
  if (first_record_ > 0) return true;
  return transfer_.set_doubtful(doubtful_end_ > 0) && next_.on_function(source);
}

bool RestoreCheckpoint::on_record_begin(const rdb::RecordHeader& record) {
  leaves_out_ = record.index < first_record_;
  if (leaves_out_) return true;
  if (!transfer_.set_doubtful(record.offset < doubtful_end_)) return false;
  if (record.offset >= next_at_ && !take(record)) return false;
  return next_.on_record_begin(record);
}

/// All before this record is answered and noted, and that what follows may be sent.
bool RestoreCheckpoint::take(const rdb::RecordHeader& record) {
  next_at_ = record.offset + interval_;
  if (!note_) return true;
  if (!transfer_.rest()) return false;
  state_.records = record.index;
  state_.sent_end = std::max(next_at_, doubtful_end_);
  state_.so_far = transfer_.state();
  note_(state_);
  return true;
}

}  // namespace sluice::engine
