#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/manifest.h"
#include "engine/restore_ledger.h"
#include "engine/stream_facts.h"
#include "engine/written_digest.h"
#include "net/command_batch.h"
#include "rdb/dump.h"
#include "sluice/restore.h"

namespace sluice::engine {

/// The way to the target, as the stream sees it. Both block; false means that it is broken.
struct CommandOutlet {
  std::function<bool(net::CommandBatch)> send;  ///< Returns once it is on its way.
  std::function<bool()> settle;                 ///< Waits for all replies.
};

/// Turns the records of a backup into RESTORE commands.
///
/// Memory:  one batch of about batch_bytes and one value of at most StreamFacts::long_value_bytes;
///          longer values, whose length the manifest has, pass through in parts.
/// Threads: one at a time.
class RestoreStream final : public StreamFacts {
 public:
  static constexpr std::size_t batch_bytes = 1 << 20;

  struct Target {
    bool knows_absolute_ttl = true;
    std::uint64_t bulk_bytes_max = 0;
  };

  /// `written` may be null; else it is told of every key that is sent, and outlives this.
  RestoreStream(const Manifest& manifest, OnConflict policy, Target target, RestoreLedger& ledger,
                CommandOutlet outlet, WrittenDigest* written = nullptr);

  bool on_aux(std::span<const std::byte> key, std::span<const std::byte> value) override;
  bool on_function(std::span<const std::byte> source) override;
  bool on_record_begin(const rdb::RecordHeader& record) override;
  bool on_value_part(std::span<const std::byte> part) override;
  bool on_record_end(std::uint64_t offset) override;

  /// Sends what is left and waits for the answers. False when the way to the target is broken.
  [[nodiscard]] bool finish();

  /// The stream ends early: sends what is complete, waits for the answers as far as that can be
  /// done, and counts a key that was begun as failed.
  void abandon(std::string_view why);

  /// Why a handler call returned false, unless the way to the target is broken.
  [[nodiscard]] const std::optional<Error>& error() const noexcept { return error_; }

 private:
  /// What becomes of the current record.
  enum class Fate : std::uint8_t { send_whole, send_in_parts, drop };

  bool select(std::uint64_t db);
  [[nodiscard]] std::uint64_t take_long_value_bytes();
  [[nodiscard]] std::string ttl_ms() const;
  void refuse(std::string_view why);
  void begin_command(std::uint64_t value_bytes);
  bool begin_long_value(std::uint64_t value_bytes);
  void end_command();
  bool flush();
  bool fail_manifest(std::string_view why);

  const Manifest& manifest_;
  OnConflict policy_;
  Target target_;
  RestoreLedger& ledger_;
  CommandOutlet outlet_;
  WrittenDigest* written_;
  net::CommandBatch batch_;
  std::optional<std::uint64_t> db_;  // selected, or tried
  bool db_usable_ = false;
  std::size_t next_long_value_ = 0;

  Fate fate_ = Fate::drop;
  rdb::RecordHeader record_;  // its key lies in key_
  std::vector<std::byte> key_;
  std::optional<rdb::DumpPayload> payload_;
  std::vector<std::byte> value_;        // when sent whole
  std::uint64_t value_bytes_left_ = 0;  // when sent in parts
  std::optional<Error> error_;
};

}  // namespace sluice::engine
