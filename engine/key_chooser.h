#pragma once

#include <bitset>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <unordered_set>
#include <vector>

#include "engine/name_pattern.h"
#include "engine/slot_loads.h"
#include "rdb/value_type.h"
#include "sluice/filter.h"
#include "sluice/result.h"

namespace sluice::engine {

/// Slots by number.
using SlotSet = std::bitset<cluster_slots>;

/// Conditions on keys, ready to be asked.
class KeyMatcher {
 public:
  /// Errors: "bad_option", "bad_key_file".
  [[nodiscard]] static Result<KeyMatcher> make(const KeyConditions& conditions);

  // Whether there are conditions of a kind, and whether one of them holds.
  [[nodiscard]] bool has_names() const noexcept { return conditions_.has_names(); }
  [[nodiscard]] bool has_types() const noexcept { return !conditions_.types.empty(); }
  [[nodiscard]] bool has_databases() const noexcept { return !databases_.empty(); }
  [[nodiscard]] bool has_slots() const noexcept { return slots_.any(); }
  [[nodiscard]] bool is_name(std::span<const std::byte> key) const;
  [[nodiscard]] bool is_type(rdb::LogicalType type) const noexcept {
    return types_[static_cast<std::size_t>(type)];
  }
  [[nodiscard]] bool is_database(std::uint64_t db) const { return databases_.contains(db); }
  [[nodiscard]] const SlotSet& slots() const noexcept { return slots_; }
  [[nodiscard]] bool is_slot(std::span<const std::byte> key) const noexcept;

  /// Where all names lie that is_name() takes; none when they may lie anywhere.
  [[nodiscard]] std::optional<std::vector<NameSpan>> spans() const;
  /// Spans in which is_name() takes every name.
  [[nodiscard]] std::vector<NameSpan> full_spans() const;

 private:
  KeyConditions conditions_;
  std::vector<NameRegex> regexes_;
  std::unordered_set<std::string> names_;
  std::bitset<rdb::logical_type_count> types_;
  std::set<std::uint64_t> databases_;
  SlotSet slots_;
};

/// Says which keys are chosen. Memory: the names of key files twice.
/// Threads: any number may ask.
class KeyChooser {
 public:
  /// Errors: "bad_option", "bad_key_file".
  [[nodiscard]] static Result<KeyChooser> make(const KeyChoice& choice);

  [[nodiscard]] bool takes(std::uint64_t db, std::span<const std::byte> key,
                           rdb::LogicalType type) const;
  [[nodiscard]] bool takes_database(std::uint64_t db) const;
  [[nodiscard]] bool takes_all() const noexcept { return all_; }
  /// Whether nothing but the database decides.
  [[nodiscard]] bool by_database_alone() const noexcept;

  [[nodiscard]] const KeyMatcher& only() const noexcept { return only_; }
  [[nodiscard]] const KeyMatcher& except() const noexcept { return except_; }

 private:
  bool all_ = true;
  KeyMatcher only_;
  KeyMatcher except_;
};

}  // namespace sluice::engine
