#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "engine/filter_stream.h"
#include "net/target_writer.h"
#include "rdb/value_type.h"
#include "sluice/restore.h"

namespace sluice::engine {

/// The ledger of a restore that does not take place: counts keys as the target's answers to EXISTS
/// say they would go.
///
/// Memory:  40 bytes a question in flight; 16 bytes a key where names are kept.
/// Threads: one at a time.
class PlanLedger final : public net::ReplyHandler, public FilterTally {
 public:
  /// Tags of commands that are not about a key.
  static constexpr std::uint64_t select_tag = 1;
  static constexpr std::uint64_t key_tag = 0;
  /// Above that many names it is not known any more which come twice.
  static constexpr std::size_t names_max = 8 << 20;

  /// A key that would be sent.
  struct Planned {
    rdb::LogicalType type{};
    std::uint64_t db = 0;
    std::uint64_t memory_bytes = 0;
  };

  /// `keep_names`: several databases go to one, so that names may come twice.
  PlanLedger(OnConflict policy, bool keep_names) : policy_(policy), keep_names_(keep_names) {}

  void count_read(rdb::LogicalType type) { ++of(type).read; }
  void count_expired(rdb::LogicalType type) { ++of(type).expired; }
  void count_failed(rdb::LogicalType type, std::uint64_t db, std::span<const std::byte> key,
                    std::string_view why);
  void left_out(rdb::LogicalType type) override;
  void refused(rdb::LogicalType type, std::uint64_t db, std::span<const std::byte> key,
               std::string_view why) override;

  /// The target was asked whether it has the key; its answer will come with key_tag.
  void asked(const Planned& key) { asked_.push_back(key); }
  /// It is known.
  void decide(const Planned& key, std::span<const std::byte> name, bool exists);

  void on_reply(std::uint64_t tag, std::span<const std::byte> key,
                const net::Reply& reply) override;
  void on_unanswered(std::uint64_t tag, std::span<const std::byte> key) override;

  [[nodiscard]] const std::string& select_error() const noexcept { return select_error_; }
  [[nodiscard]] std::uint64_t planned() const;
  /// Whether names were too many to see which come twice.
  [[nodiscard]] bool lost_names() const noexcept { return names_.size() >= names_max; }

  void report(RestoreResult& result, RestorePlan& plan) const;

 private:
  Ledger& of(rdb::LogicalType type) { return types_[static_cast<std::size_t>(type)]; }
  [[nodiscard]] bool is_new_name(std::uint64_t db, std::span<const std::byte> name);

  OnConflict policy_;
  bool keep_names_;
  std::array<Ledger, rdb::logical_type_count> types_{};
  std::array<PlannedWrites, rdb::logical_type_count> writes_{};
  std::deque<Planned> asked_;  // without an answer, oldest first
  std::string select_error_;
  std::unordered_set<std::uint64_t> names_;  // their hashes
  std::vector<RestoreFailure> failures_;
  std::uint64_t failure_count_ = 0;
};

}  // namespace sluice::engine
