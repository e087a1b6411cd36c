#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/canonical_map.h"
#include "engine/key_chooser.h"

namespace sluice::engine {

/// Ranges of labels: sorted, apart from each other.
class LabelRanges {
 public:
  struct Range {
    std::string from;
    std::optional<std::string> to;  ///< The first behind it; none: to the end.
  };

  /// `by_slot`: labels have the slot before the key. None when a span can lie in any slot.
  [[nodiscard]] static std::optional<LabelRanges> of(const std::vector<NameSpan>& spans,
                                                     bool by_slot);
  /// Those of the spans whose slot is known, where labels have one.
  [[nodiscard]] static LabelRanges of_known(const std::vector<NameSpan>& spans, bool by_slot);

  [[nodiscard]] bool touches(const Range& range) const;
  [[nodiscard]] bool covers(const Range& range) const;

 private:
  explicit LabelRanges(std::vector<Range> ranges);
  /// The first range that does not end at `from` or before.
  [[nodiscard]] std::vector<Range>::const_iterator first_behind(const std::string& from) const;

  std::vector<Range> ranges_;
};

/// By position in map.runs(): the runs that may hold a chosen key, as far as database, slots and
/// names tell. `by_slot`: the order of the backup.
[[nodiscard]] std::vector<bool> choose_runs(const CanonicalMap& map, bool by_slot,
                                            const KeyChooser& chooser);

}  // namespace sluice::engine
