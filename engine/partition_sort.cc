#include "engine/partition_sort.h"

#include <algorithm>
#include <vector>

#include "engine/label_order.h"

namespace sluice::engine {
namespace {

using Entry = SortedBatch::Entry;

constexpr std::size_t few = 16;  // below it, prefixes are not worth their making
constexpr int levels_max = 32;   // of recursion

Label label_of(const Entry& entry) { return PackedRecord(entry.record).label(); }

/// How many bytes from `depth` on all labels share, the shortest of which may end there.
std::size_t shared_from(std::span<const Entry> entries, std::size_t depth) {
  const Label first = label_of(entries.front()).subspan(depth);
  std::size_t shared = first.size();
  for (const Entry& entry : entries.subspan(1)) {
    if (shared == 0) break;
    shared = shared_bytes(first.first(shared), label_of(entry).subspan(depth));
  }
  return shared;
}

const std::byte* sort_by_labels(std::span<Entry> entries, std::size_t depth) {
  std::ranges::sort(entries, [depth](const Entry& a, const Entry& b) {
    return compare_labels(label_of(a).subspan(depth), label_of(b).subspan(depth)) < 0;
  });
  const auto twice = std::ranges::adjacent_find(entries, [](const Entry& a, const Entry& b) {
    return compare_labels(label_of(a), label_of(b)) == 0;
  });
  return twice == entries.end() ? nullptr : twice->record;
}

/// All labels share `depth` bytes.
const std::byte* sort_from(std::span<Entry> entries, std::size_t depth, int level) {
  const std::size_t at = depth + shared_from(entries, depth);
  for (Entry& entry : entries) entry.prefix = label_prefix(label_of(entry).subspan(at));
  std::ranges::sort(entries, {}, &Entry::prefix);

  const std::size_t next = at + sizeof(std::uint64_t);
  for (std::size_t i = 0; i < entries.size();) {
    std::size_t end = i + 1;
    while (end < entries.size() && entries[end].prefix == entries[i].prefix) ++end;
    const auto equal = entries.subspan(i, end - i);
    i = end;
    if (equal.size() == 1) continue;
    // A label that ends within the eight bytes shares fewer of them than it seems.
    const bool by_labels = equal.size() <= few || level == levels_max ||
                           std::ranges::any_of(equal, [next](const Entry& entry) {
                             return label_of(entry).size() < next;
                           });
    const std::byte* const twice =
        by_labels ? sort_by_labels(equal, at) : sort_from(equal, next, level + 1);
    if (twice != nullptr) return twice;
  }
  return nullptr;
}

}  // namespace

const std::byte* sort_entries(std::span<Entry> entries) {
  return entries.empty() ? nullptr : sort_from(entries, 0, 0);
}

const std::byte* sort_dropping_foreign(std::span<Entry>& entries) {
  std::ranges::sort(entries, [](const Entry& a, const Entry& b) {
    const auto order = compare_labels(label_of(a), label_of(b));
    if (order != 0) return order < 0;
    return !PackedRecord(a.record).is_foreign() && PackedRecord(b.record).is_foreign();
  });
  std::vector<Entry> left_out;
  std::size_t kept = 0;
  for (const Entry& entry : entries) {
    const bool twice =
        kept > 0 && compare_labels(label_of(entries[kept - 1]), label_of(entry)) == 0;
    if (!twice) {
      entries[kept++] = entry;
    } else if (PackedRecord(entry.record).is_foreign()) {
      left_out.push_back(entry);
    } else {
      return entry.record;
    }
  }
  std::ranges::copy(left_out, entries.begin() + static_cast<std::ptrdiff_t>(kept));
  entries = entries.first(kept);
  return nullptr;
}

}  // namespace sluice::engine
