#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "engine/canonical_map.h"
#include "engine/record.h"
#include "engine/run_reader.h"
#include "engine/side_reader.h"
#include "sluice/result.h"

namespace sluice::engine {

/// Looks keys up in a backup in canonical layout: reads the run that would hold the key, nothing
/// else.
///
/// Memory:   one run. Threads: none; one at a time.
/// Lifetime: what it is made of must outlive it.
class RecordFinder {
 public:
  struct Found {
    std::uint64_t db = 0;
    std::uint32_t run = 0;  ///< Ordinal of its chunk.
    Record record;          ///< Its key begins with the slot where `by_slot`. Valid until the next
                            ///< call on the finder.
  };

  RecordFinder(const CanonicalMap& map, bool by_slot, SideReader& chunks)
      : map_(map), by_slot_(by_slot), chunks_(chunks) {}

  /// The record of `key`, as a client knows it, in `db`, else in the first database that has it.
  /// Errors: a run that cannot be read.
  [[nodiscard]] Result<std::optional<Found>> find(std::span<const std::byte> key,
                                                  std::optional<std::uint64_t> db);

  /// Where the key would be: the run that find() reads first for that db; none when no run can hold
  /// it. Reads nothing.
  [[nodiscard]] std::optional<std::uint32_t> run_for(std::span<const std::byte> key,
                                                     std::uint64_t db);

 private:
  void take_label(std::span<const std::byte> key);
  [[nodiscard]] Result<std::optional<Found>> find_in(std::uint64_t db);
  [[nodiscard]] Result<bool> find_in_run(std::uint32_t run, Record& record);

  const CanonicalMap& map_;
  bool by_slot_;
  SideReader& chunks_;
  std::vector<std::byte> label_;     // what is looked for
  std::vector<std::byte> raw_;       // of the run that was read
  std::optional<RunReader> reader_;  // of raw_
};

}  // namespace sluice::engine
