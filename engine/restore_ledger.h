#pragma once

#include <array>
#include <cstdint>
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
  enum class Kind : std::uint8_t { key, function, script, select };
  Kind kind{};
  rdb::LogicalType type{};
  std::uint64_t db = 0;  ///< Below 2^48.

  [[nodiscard]] std::uint64_t pack() const noexcept;
  [[nodiscard]] static CommandTag unpack(std::uint64_t tag) noexcept;
};

/// Accounts for every key of a restore: read = written + skipped + expired + failed, by type.
///
/// Threads: one at a time: the target writer calls it only while the job's thread waits for it.
class RestoreLedger final : public net::ReplyHandler {
 public:
  static constexpr std::size_t failures_max = 1000;

  /// `written` may be null; else it is told the answer to every key that was sent, and outlives
  /// this.
  explicit RestoreLedger(OnConflict policy, WrittenDigest* written = nullptr)
      : policy_(policy), written_(written) {}

  void count_read(rdb::LogicalType type) { ++of(type).read; }
  void count_expired(rdb::LogicalType type) { ++of(type).expired; }
  /// A key that is not sent because it cannot be.
  void count_failed(rdb::LogicalType type, std::uint64_t db, std::span<const std::byte> key,
                    std::string_view why);

  void on_reply(std::uint64_t tag, std::span<const std::byte> key,
                const net::Reply& reply) override;
  void on_unanswered(std::uint64_t tag, std::span<const std::byte> key) override;

  /// What the target said to the last SELECT; empty when it was accepted.
  [[nodiscard]] const std::string& select_error() const noexcept { return select_error_; }
  [[nodiscard]] std::uint64_t written() const;

  /// Writes totals and failures into a result.
  void report(RestoreResult& result) const;

 private:
  Ledger& of(rdb::LogicalType type) { return types_[static_cast<std::size_t>(type)]; }
  void add_failure(std::uint64_t db, std::string key, std::string_view message);
  void on_key_reply(const CommandTag& tag, std::span<const std::byte> key, const net::Reply& reply);
  void on_function_reply(std::span<const std::byte> library, const net::Reply& reply);

  OnConflict policy_;
  WrittenDigest* written_;
  std::array<Ledger, rdb::logical_type_count> types_{};
  std::uint64_t functions_ = 0;
  std::uint64_t functions_failed_ = 0;
  std::string select_error_;
  std::vector<RestoreFailure> failures_;
  std::uint64_t failure_count_ = 0;
};

}  // namespace sluice::engine
