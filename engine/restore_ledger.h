#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/written_digest.h"
#include "net/target_writer.h"
#include "rdb/value_type.h"
#include "sluice/restore.h"

namespace sluice::engine {

/// What a command that was sent is about; travels through the target writer as its tag.
struct CommandTag {
  enum class Kind : std::uint8_t { key, exists, removal, function, script, select };
  Kind kind{};
  std::uint64_t number = 0;  ///< Of the key, or of the question whether one exists. Below 2^56.

  [[nodiscard]] std::uint64_t pack() const noexcept;
  [[nodiscard]] static CommandTag unpack(std::uint64_t tag) noexcept;
};

/// Accounts for every key of a restore: read = written + filtered + skipped + expired + failed, by
/// type.
///
/// A key goes out by one command or by several: begin_key(), its commands with the tag that this
/// gave, and end_key() once it is known how many they are. Answers may come in any order, and
/// before end_key(). A key is written when every one of its commands was taken.
///
/// Memory:  some 150 bytes a key on its way.
/// Threads: any.
class RestoreLedger final : public net::ReplyHandler {
 public:
  static constexpr std::size_t failures_max = 1000;

  /// `written` may be null; else it is told what became of every key, and outlives this.
  explicit RestoreLedger(OnConflict policy, WrittenDigest* written = nullptr)
      : policy_(policy), written_(written) {}

  void count_read(rdb::LogicalType type);
  void count_filtered(rdb::LogicalType type);
  void count_expired(rdb::LogicalType type);
  /// A key that is not sent because it cannot be.
  void count_failed(rdb::LogicalType type, std::uint64_t db, std::span<const std::byte> key,
                    std::string_view why);
  /// A function library that is not sent because it cannot be.
  void count_function_failed(std::span<const std::byte> name, std::string_view why);

  /// The tag for the commands of a key that is about to be sent.
  [[nodiscard]] std::uint64_t begin_key(rdb::LogicalType type, std::uint64_t db);
  /// All its commands, `commands` of them, are with the writer. `sent` is what was taken of its
  /// digest, if one is taken.
  void end_key(std::uint64_t tag, std::uint64_t commands, std::span<const std::byte> key,
               const WrittenDigest::Sent& sent = {});
  /// The same of a key that did not become whole; counts as failed.
  void break_key(std::uint64_t tag, std::uint64_t commands, std::span<const std::byte> key,
                 std::string_view why);
  /// Its commands will not be sent; `why` begins with BUSYKEY when the key is there already.
  void withdraw_key(std::uint64_t tag, std::span<const std::byte> key, std::string_view why);
  /// Whether it is known what became of it.
  [[nodiscard]] bool is_over(std::uint64_t tag) const;

  struct Partial {
    std::uint64_t db = 0;
    std::vector<std::byte> key;
  };
  /// Keys of several commands, not all of which were taken: they are there in part. The first
  /// thousand since the last call.
  [[nodiscard]] std::vector<Partial> take_partial();

  /// Room for the answers to `count` questions, whose tags have the numbers from 0 on.
  void ask_exists(std::size_t count);
  /// Precondition: it was answered. A server that does not want to say counts as a yes.
  [[nodiscard]] bool exists(std::size_t number) const;

  void on_reply(std::uint64_t tag, std::span<const std::byte> key,
                const net::Reply& reply) override;
  void on_unanswered(std::uint64_t tag, std::span<const std::byte> key) override;

  /// What the target said to the last SELECT; empty when it was accepted.
  [[nodiscard]] std::string select_error() const;
  [[nodiscard]] std::uint64_t written() const;

  /// Goes on from the totals and failures of a result. Precondition: nothing was counted yet.
  void resume(const RestoreResult& counts);
  /// Adds totals and failures to those of a result.
  void report(RestoreResult& result) const;

 private:
  struct OnItsWay {
    rdb::LogicalType type{};
    std::uint64_t db = 0;
    std::optional<std::uint64_t> commands;  // once that is known
    std::uint64_t answers = 0;
    bool unanswered = false;
    bool over = false;
    bool removed = false;  // by its own last command
    std::string error;     // of the first command that was refused
    WrittenDigest::Sent sent;
  };

  Ledger& of(rdb::LogicalType type) { return types_[static_cast<std::size_t>(type)]; }
  void add_failure(std::uint64_t db, std::string key, std::string_view message);
  OnItsWay& at(std::uint64_t number) { return keys_[number - first_key_]; }
  void on_answer(OnItsWay& key, std::span<const std::byte> name);
  void settle(OnItsWay& key, std::span<const std::byte> name);
  void forget_settled();
  void on_function_reply(std::span<const std::byte> library, const net::Reply& reply);

  mutable std::mutex mutex_;
  OnConflict policy_;
  WrittenDigest* written_;
  std::array<Ledger, rdb::logical_type_count> types_{};
  std::deque<OnItsWay> keys_;    // oldest first
  std::uint64_t first_key_ = 0;  // number of the front
  std::vector<bool> exists_;
  std::vector<Partial> partial_;
  std::uint64_t functions_ = 0;
  std::uint64_t functions_failed_ = 0;
  std::string select_error_;
  std::vector<RestoreFailure> failures_;
  std::uint64_t failure_count_ = 0;
};

}  // namespace sluice::engine
