#include "engine/top_keys.h"

#include <algorithm>
#include <utility>

namespace sluice::engine {

void TopKeys::add(std::uint64_t size, LargeKey key) {
  if (!wants(size)) return;
  if (heap_.size() == keys_max_) {
    std::ranges::pop_heap(heap_, larger);
    heap_.pop_back();
  }
  heap_.push_back({.size = size, .order = added_++, .key = std::move(key)});
  std::ranges::push_heap(heap_, larger);
}

std::vector<LargeKey> TopKeys::take() {
  std::ranges::sort_heap(heap_, larger);
  std::vector<LargeKey> keys;
  keys.reserve(heap_.size());
  for (Entry& entry : heap_) keys.push_back(std::move(entry.key));
  heap_.clear();
  return keys;
}

}  // namespace sluice::engine
