#include "engine/run_choice.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "engine/run_digest.h"
#include "engine/slot_loads.h"

namespace sluice::engine {
namespace {

using Range = LabelRanges::Range;

/// The least text behind all that begin with `prefix`; none when there is none.
std::optional<std::string> behind(std::string prefix) {
  while (prefix.ends_with('\xff')) prefix.pop_back();
  if (prefix.empty()) return std::nullopt;
  prefix.back() = static_cast<char>(static_cast<unsigned char>(prefix.back()) + 1);
  return prefix;
}

/// Unsigned bytes decide, as in labels; so with the order of std::string.
bool ends_before(const std::optional<std::string>& end, const std::string& at) {
  return end && *end <= at;
}

/// The slot of all names in a span, before them; none when they can be in several.
std::optional<std::string> slot_of(const NameSpan& span) {
  bool has_tag = false;
  const std::uint16_t slot = key_slot(std::as_bytes(std::span(span.name)), has_tag);
  if (span.is_prefix && !has_tag) return std::nullopt;
  return std::string{static_cast<char>(slot >> 8), static_cast<char>(slot & 0xff)};
}

Range range_of(const NameSpan& span, const std::string& slot) {
  std::string from = slot + span.name;
  // Nothing lies between a name and the same with a zero byte more.
  auto to = span.is_prefix ? behind(from) : from + '\0';
  return {.from = std::move(from), .to = std::move(to)};
}

std::string text_of(Label label) {
  return {reinterpret_cast<const char*>(label.data()), label.size()};
}

/// What the labels of a run's keys lie in.
Range range_of_run(const CanonicalMap& map, std::uint32_t run) {
  Range range{.from = text_of(map.label(run)), .to = std::nullopt};
  const std::uint32_t next = run + 1;
  if (next < map.runs().end && map.run(next).db == map.run(run).db) {
    const Label label = map.label(next);
    range.to = is_cut(label) ? behind(text_of(label)) : text_of(label);
  }
  return range;
}

std::size_t slot_in(const std::string& label, std::size_t otherwise) {
  if (label.size() < RunContext::slot_bytes) return otherwise;
  return static_cast<std::size_t>(static_cast<unsigned char>(label[0])) << 8 |
         static_cast<unsigned char>(label[1]);
}

/// How many wanted slots there are below each.
class SlotCounts {
 public:
  explicit SlotCounts(const KeyChooser& chooser) {
    for (std::size_t slot = 0; slot < cluster_slots; ++slot) {
      const bool wanted = (!chooser.only().has_slots() || chooser.only().slots()[slot]) &&
                          !chooser.except().slots()[slot];
      below_[slot + 1] = below_[slot] + (wanted ? 1U : 0U);
    }
  }
  [[nodiscard]] bool any_in(const Range& range) const {
    constexpr std::size_t last = cluster_slots - 1;
    const std::size_t first = std::min(slot_in(range.from, 0), last);
    const std::size_t end = std::min(range.to ? slot_in(*range.to, last) : last, last);
    return below_[std::max(first, end) + 1] > below_[first];
  }

 private:
  std::array<std::uint32_t, cluster_slots + 1> below_{};
};

}  // namespace

LabelRanges::LabelRanges(std::vector<Range> ranges) {
  std::ranges::sort(ranges, {}, &Range::from);
  for (Range& range : ranges) {
    const auto* const before = ranges_.empty() ? nullptr : &ranges_.back();
    if (before == nullptr || (before->to && *before->to < range.from)) {
      ranges_.push_back(std::move(range));
    } else if (auto& to = ranges_.back().to; to && (!range.to || *range.to > *to)) {
      to = std::move(range.to);
    }
  }
}

std::optional<LabelRanges> LabelRanges::of(const std::vector<NameSpan>& spans, bool by_slot) {
  const auto is_anywhere = [](const NameSpan& span) { return !slot_of(span); };
  if (by_slot && std::ranges::any_of(spans, is_anywhere)) return std::nullopt;
  return of_known(spans, by_slot);
}

LabelRanges LabelRanges::of_known(const std::vector<NameSpan>& spans, bool by_slot) {
  std::vector<Range> ranges;
  for (const NameSpan& span : spans) {
    const auto slot = by_slot ? slot_of(span) : std::string();
    if (slot) ranges.push_back(range_of(span, *slot));
  }
  return LabelRanges(std::move(ranges));
}

std::vector<Range>::const_iterator LabelRanges::first_behind(const std::string& from) const {
  return std::ranges::partition_point(
      ranges_, [&](const Range& range) { return ends_before(range.to, from); });
}

bool LabelRanges::touches(const Range& range) const {
  const auto found = first_behind(range.from);
  return found != ranges_.end() && !ends_before(range.to, found->from);
}

bool LabelRanges::covers(const Range& range) const {
  const auto found = first_behind(range.from);
  if (found == ranges_.end() || found->from > range.from) return false;
  return !found->to || (range.to && *range.to <= *found->to);
}

std::vector<bool> choose_runs(const CanonicalMap& map, bool by_slot, const KeyChooser& chooser) {
  std::optional<LabelRanges> names;
  if (chooser.only().has_names()) {
    if (const auto spans = chooser.only().spans()) names = LabelRanges::of(*spans, by_slot);
  }
  const auto others = LabelRanges::of_known(chooser.except().full_spans(), by_slot);
  const SlotCounts slots(chooser);
  std::vector<bool> chosen;
  chosen.reserve(map.runs().size());
  for (std::uint32_t run = map.runs().first; run < map.runs().end; ++run) {
    const Range range = range_of_run(map, run);
    chosen.push_back(chooser.takes_database(map.run(run).db) && (!by_slot || slots.any_in(range)) &&
                     (!names || names->touches(range)) && !others.covers(range));
  }
  return chosen;
}

}  // namespace sluice::engine
