#include "engine/border_sample.h"

#include <algorithm>

namespace sluice::engine {

void BorderSample::add(Label label, std::uint64_t weight) {
  cut_ = cut_ || label.size() > label_bytes_max_;
  const Label kept = label.first(std::min(label.size(), label_bytes_max_));
  entries_.push_back({.at = bytes_.size(), .size = kept.size(), .weight = weight});
  bytes_.insert(bytes_.end(), kept.begin(), kept.end());
}

std::vector<std::vector<std::byte>> BorderSample::choose(std::size_t parts) {
  std::vector<std::vector<std::byte>> borders;
  if (entries_.empty() || parts < 2) return borders;
  std::ranges::sort(entries_, [this](const Entry& a, const Entry& b) {
    return compare_labels(label(a), label(b)) < 0;
  });
  std::uint64_t total = 0;
  for (const Entry& entry : entries_) total += entry.weight;

  const std::uint64_t step = std::max<std::uint64_t>(total / parts, 1);
  std::uint64_t before = 0;
  std::uint64_t border_at = step;
  Label last = label(entries_.front());
  for (const Entry& entry : entries_) {
    const Label here = label(entry);
    if (before >= border_at && borders.size() + 1 < parts && compare_labels(last, here) < 0) {
      borders.emplace_back(here.begin(), here.end());
      last = here;
      border_at = before - before % step + step;
    }
    before += entry.weight;
  }
  const Label highest = label(entries_.back());
  if (borders.empty() && compare_labels(last, highest) < 0) {
    borders.emplace_back(highest.begin(), highest.end());
  }
  return borders;
}

}  // namespace sluice::engine
