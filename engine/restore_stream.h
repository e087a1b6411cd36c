#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/key_commands.h"
#include "engine/restore_ledger.h"
#include "engine/spool.h"
#include "engine/stream_facts.h"
#include "engine/target_limits.h"
#include "engine/written_digest.h"
#include "net/command_batch.h"
#include "rdb/dump.h"
#include "sluice/restore.h"

namespace sluice::engine {

/// The way to the target, as the stream sees it. Both block; false means that it is broken.
struct CommandOutlet {
  /// Returns once it is on its way. `goes_on`: what comes next is about the same key as the last
  /// command, and must not overtake it.
  std::function<bool(net::CommandBatch, bool goes_on)> send;
  std::function<bool()> settle;  ///< Waits for all replies.
  /// Sends questions, and waits for their answers whatever else is on its way. May be empty: then
  /// they go the way of all commands, and one is about one key.
  std::function<bool(net::CommandBatch)> ask = {};
  /// How large batches are to be from now on; may be empty: as large as RestoreStream makes them.
  std::function<std::size_t()> batch_bytes_max = {};
};

/// Turns the records of a dataset into commands: RESTORE, or those that make the key.
///
/// A RESTORE needs to know how long a value is. Of values above StreamFacts::long_value_bytes it is
/// either told, or they wait in a Spool.
///
/// Memory:  one batch of about batch_bytes, one value of at most long_value_bytes or what the spool
///          takes, and that of KeyCommands once a key goes by commands.
/// Threads: one at a time.
class RestoreStream final : public StreamFacts {
 public:
  static constexpr std::size_t batch_bytes = 1 << 20;  ///< Unless the outlet says otherwise.

  struct Options {
    OnConflict policy = OnConflict::refuse;
    RestoreMode mode = RestoreMode::automatic;  ///< Not feed.
    bool knows_absolute_ttl = true;
    bool sends_expired = false;  ///< Also keys whose time has come.
    /// Keys that expire stay at least so long from when they are sent: whoever follows their source
    /// deletes them when it does.
    std::chrono::milliseconds grace{};
    TargetLimits limits = {};
    std::optional<bool> is_older;  ///< Than 7.0; none when it is not known.
    /// Of every long value, in the order of records. Null: they are not known.
    const std::vector<LongValue>* long_values = nullptr;
  };

  /// `written` may be null; else it is told of every key that is sent, and outlives this.
  RestoreStream(Options options, RestoreLedger& ledger, CommandOutlet outlet,
                WrittenDigest* written = nullptr);

  bool on_aux(std::span<const std::byte> key, std::span<const std::byte> value) override;
  bool on_function(std::span<const std::byte> source) override;
  bool on_database(std::uint64_t db) override;
  bool on_record_begin(const rdb::RecordHeader& record) override;
  bool on_value_part(std::span<const std::byte> part) override;
  bool on_record_end(std::uint64_t offset) override;

  /// Sends what is left and waits for the answers. False when the way to the target is broken.
  /// More records may follow.
  [[nodiscard]] bool finish();

  /// Whether the records that come may have been sent before, by a restore that was interrupted.
  void set_doubtful(bool doubtful) noexcept { sent_before_ = doubtful; }

  /// The stream ends early: sends what is complete, waits for the answers as far as that can be
  /// done, and counts a key that was begun as failed.
  void abandon(std::string_view why);

  /// Why a handler call returned false, unless the way to the target is broken.
  [[nodiscard]] const std::optional<Error>& error() const noexcept { return error_; }

 private:
  /// What becomes of the current record.
  enum class Fate : std::uint8_t {
    gather,    ///< Its value is kept until it is whole.
    in_parts,  ///< Its RESTORE is under way.
    commands,
    drop,
  };
  /// A key in the batch that may be in the target already.
  struct Doubtful {
    std::uint64_t tag = 0;
    std::vector<std::byte> key;
    net::CommandBatch::Mark from;
    net::CommandBatch::Mark to;
  };

  bool select(std::uint64_t db);
  [[nodiscard]] std::uint64_t take_long_value_bytes();
  [[nodiscard]] bool may_use_commands() const noexcept;
  [[nodiscard]] bool prefers_commands() const noexcept;
  [[nodiscard]] bool may_be_split(std::uint64_t value_bytes) const noexcept;
  [[nodiscard]] bool takes(std::uint64_t value_bytes) const noexcept;
  bool choose_way();
  bool keep(std::span<const std::byte> part);
  bool send_part(std::span<const std::byte> part);
  bool send_kept();
  bool replay(const std::function<bool(std::span<const std::byte>)>& take);

  void begin_restore(std::uint64_t value_bytes);
  void end_restore();
  [[nodiscard]] std::string ttl_ms() const;
  [[nodiscard]] bool replaces() const noexcept;

  void begin_commands();
  bool add_to_commands(std::span<const std::byte> part);
  bool end_commands();
  bool broke_off();
  void doubt();
  bool on_full();
  bool drop_existing();
  bool ask_for_any();
  bool ask_for_each();
  bool remove_partial();

  void refuse(std::string_view why);
  void refuse_size(std::uint64_t value_bytes);
  bool flush(bool goes_on = false);
  bool send(bool goes_on);
  bool fail_manifest(std::string_view why);

  const Options options_;
  RestoreLedger& ledger_;
  CommandOutlet outlet_;
  WrittenDigest* written_;
  net::CommandBatch batch_;
  std::size_t batch_bytes_max_ = batch_bytes;
  std::vector<Doubtful> doubtful_;
  std::unique_ptr<KeyCommands> commands_;  // once they are needed
  std::optional<std::uint64_t> db_;        // selected, or tried
  bool db_usable_ = false;
  std::size_t next_long_value_ = 0;
  bool sent_before_ = false;
  bool goes_on_ = false;  // a part of the current key was sent

  Fate fate_ = Fate::drop;
  rdb::RecordHeader record_;  // its key lies in key_
  std::vector<std::byte> key_;
  std::uint64_t tag_ = 0;
  std::optional<rdb::DumpPayload> payload_;
  std::vector<std::byte> value_;                     // gathered
  Spool spool_;                                      // likewise, once it is long
  std::uint64_t value_bytes_left_ = 0;               // in parts
  std::optional<net::CommandBatch::Mark> begun_at_;  // while the key is doubtful
  std::optional<Error> error_;
};

}  // namespace sluice::engine
