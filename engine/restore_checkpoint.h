#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "engine/restore_state.h"
#include "engine/transfer.h"
#include "rdb/handler.h"
#include "sluice/result.h"

namespace sluice::engine {

/// Stands before the way to the target. Every now and then it lets the target answer
/// all that was sent, and has it noted how far that is; and it leaves out what an interrupted
/// restore has done already.
///
/// What a note does not tell yet may have been sent: the records up to RestoreState::sent_end,
/// which the transfer is told are doubtful when it goes on.
///
/// Lifetime: `next` and `transfer` outlive this. Threads: one at a time.
class RestoreCheckpoint final : public rdb::Handler {
 public:
  static constexpr std::uint64_t interval_bytes = 64 << 20;  ///< Of the stream.

  using Note = std::function<void(const RestoreState&)>;

  /// Goes on from `state`, and notes where it is by `note`, which may be empty.
  RestoreCheckpoint(RestoreState state, Note note, Transfer& transfer, rdb::Handler& next,
                    std::uint64_t interval = interval_bytes);

  /// Before anything is sent, functions included.
  void begin();

  bool on_header(const rdb::Header& header) override { return next_.on_header(header); }
  bool on_aux(std::span<const std::byte> key, std::span<const std::byte> value) override {
    return next_.on_aux(key, value);
  }
  bool on_database(std::uint64_t db) override { return next_.on_database(db); }
  bool on_database_size(std::uint64_t keys, std::uint64_t expires) override {
    return next_.on_database_size(keys, expires);
  }
  bool on_function(std::span<const std::byte> source) override;
  bool on_module_aux(std::uint64_t module_id, std::uint64_t when) override {
    return next_.on_module_aux(module_id, when);
  }
  bool on_metadata_part(std::span<const std::byte> part) override {
    return next_.on_metadata_part(part);
  }
  bool on_record_begin(const rdb::RecordHeader& record) override;
  bool on_value_part(std::span<const std::byte> part) override {
    return leaves_out_ || next_.on_value_part(part);
  }
  bool on_record_end(std::uint64_t offset) override {
    return leaves_out_ || next_.on_record_end(offset);
  }
  bool on_end(const rdb::Trailer& trailer) override { return next_.on_end(trailer); }

 private:
  bool take(const rdb::RecordHeader& record);

  RestoreState state_;
  Note note_;
  Transfer& transfer_;
  rdb::Handler& next_;
  const std::uint64_t interval_;
  const std::uint64_t first_record_;  // that is still to be sent
  const std::uint64_t doubtful_end_;  // offset
  std::uint64_t next_at_ = 0;         // offset
  bool leaves_out_ = false;
};

}  // namespace sluice::engine
