#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "engine/canonical_map.h"
#include "engine/key_chooser.h"
#include "engine/place.h"
#include "engine/progress_meter.h"
#include "engine/record_diff.h"
#include "engine/run_cursor.h"
#include "engine/side_reader.h"
#include "sluice/diff.h"
#include "sluice/job.h"
#include "sluice/result.h"

namespace sluice::engine {

/// Merges two backups in canonical layout that have one order, and tells where they differ.
///
/// Memory:   of each, what RunCursor, SideReader and RecordView take.
/// Threads:  one at a time. Lifetime: what it is made of must outlive it.
class DiffRun {
 public:
  /// `map_a` and `map_b` are of the backups; counts are of the keys that `chooser` takes.
  DiffRun(const PlaceBackup& a, const CanonicalMap& map_a, const PlaceBackup& b,
          const CanonicalMap& map_b, const KeyChooser& chooser, const OnDifference& on_difference);

  /// Counts into `result`. Errors: a run that cannot be read, "stopped", "cancelled".
  [[nodiscard]] Result<void> run(DiffResult& result, ProgressMeter& meter, const JobContext& job);

 private:
  struct Side {
    /// `chosen`: runs that may hold a chosen key; `shared`: runs that both have.
    Side(const PlaceBackup& place, const CanonicalMap& its_map, std::vector<bool> its_chosen,
         const std::vector<bool>& shared);

    const CanonicalMap& map;
    std::vector<bool> chosen;
    SideReader chunks;
    RecordView view;
    RunCursor cursor;

    /// Where it stands: the first key of a run that is not read yet is in its label.
    [[nodiscard]] std::span<const std::byte> label() const;
    [[nodiscard]] bool needs_reading() const;
    [[nodiscard]] bool needs_passing() const;
    /// Whether the record where it stands is chosen.
    [[nodiscard]] bool is_chosen(const KeyChooser& chooser) const;
  };

  [[nodiscard]] bool skips() const;
  [[nodiscard]] std::vector<bool> shared_with(const PlaceBackup& place, const CanonicalMap& map,
                                              const PlaceBackup& other,
                                              const CanonicalMap& other_map) const;
  [[nodiscard]] std::strong_ordering order() const;
  [[nodiscard]] bool at_shared_runs() const;
  [[nodiscard]] Result<void> step(DiffResult& result);
  [[nodiscard]] Result<void> tell_one(Side& side, KeyDifference::Change change,
                                      std::uint64_t& count);
  [[nodiscard]] Result<void> tell_both(DiffResult& result);
  [[nodiscard]] KeyDifference about(const Side& side) const;
  [[nodiscard]] Result<void> tell(const KeyDifference& difference) const;

  const KeyChooser& chooser_;
  const OnDifference& on_difference_;
  bool same_repository_;
  const PlaceBackup& place_a_;
  const PlaceBackup& place_b_;
  Side a_;  // these two use all of the above
  Side b_;
};

}  // namespace sluice::engine
