#include "engine/partition_map.h"

#include <utility>

namespace sluice::engine {
namespace {

/// How many of `prefixes`, one at least, are not above `prefix`. The choice is no jump: which way
/// it goes cannot be foreseen.
std::size_t count_up_to(std::span<const std::uint64_t> prefixes, std::uint64_t prefix) noexcept {
  const std::uint64_t* base = prefixes.data();
  for (std::size_t left = prefixes.size(); left > 1;) {
    const std::size_t half = left / 2;
    base += half * static_cast<std::size_t>(base[half] <= prefix);
    left -= half;
  }
  return static_cast<std::size_t>(base - prefixes.data()) +
         static_cast<std::size_t>(*base <= prefix);
}

}  // namespace

PartitionMap::PartitionMap(std::vector<std::vector<std::byte>> borders)
    : borders_(std::move(borders)) {
  if (borders_.empty()) return;
  nodes_.push_back({.begin = 0, .end = borders_.size()});
  for (std::size_t node = 0; node < nodes_.size(); ++node) build(node);
  for (const auto& border : borders_)
    memory_bytes_ += sizeof(std::vector<std::byte>) + border.capacity();
  memory_bytes_ += nodes_.size() * sizeof(Node) + groups_.size() * (sizeof(Group) + 8);
}

/// May add nodes, behind the others.
void PartitionMap::build(std::size_t index) {
  Node node = nodes_[index];
  const Label lowest = Label(borders_[node.begin]).subspan(node.depth);
  const Label highest = Label(borders_[node.end - 1]).subspan(node.depth);
  node.common_bytes = shared_bytes(lowest, highest);  // and so all between them
  node.first = groups_.size();
  const std::size_t at = node.depth + node.common_bytes;
  for (std::size_t i = node.begin; i < node.end;) {
    const std::uint64_t prefix = label_prefix(Label(borders_[i]).subspan(at));
    Group group{.begin = i, .end = i};
    bool is_whole = true;  // no zero stands for a byte that is not there
    for (; group.end < node.end; ++group.end) {
      const Label rest = Label(borders_[group.end]).subspan(at);
      if (label_prefix(rest) != prefix) break;
      is_whole = is_whole && rest.size() >= sizeof prefix;
    }
    i = group.end;
    if (is_whole && group.end - group.begin > 1) {
      group.child = nodes_.size();
      nodes_.push_back({.begin = group.begin, .end = group.end, .depth = at + sizeof prefix});
    }
    prefixes_.push_back(prefix);
    groups_.push_back(group);
  }
  node.count = groups_.size() - node.first;
  nodes_[index] = node;
}

std::size_t PartitionMap::find(Label label) const noexcept {
  if (nodes_.empty()) return 0;
  for (const Node* node = nodes_.data();;) {
    Label rest = label.subspan(node->depth);
    if (node->common_bytes > 0) {
      const Label common(borders_[node->begin].data() + node->depth, node->common_bytes);
      const Label here = rest.first(std::min(rest.size(), common.size()));
      const auto order = compare_labels(here, common);
      if (order != 0) return order < 0 ? node->begin : node->end;
      rest = rest.subspan(common.size());
    }
    const std::uint64_t prefix = label_prefix(rest);
    const std::span prefixes(prefixes_.data() + node->first, node->count);
    const std::size_t count = count_up_to(prefixes, prefix);
    if (count == 0) return node->begin;
    const Group& group = groups_[node->first + count - 1];
    if (prefixes[count - 1] != prefix) return group.end;
    if (group.child == no_child || rest.size() < sizeof prefix) return search(group, label);
    node = &nodes_[group.child];
  }
}

std::size_t PartitionMap::search(const Group& group, Label label) const noexcept {
  const auto begin = borders_.begin() + static_cast<std::ptrdiff_t>(group.begin);
  const auto end = borders_.begin() + static_cast<std::ptrdiff_t>(group.end);
  const auto above = std::upper_bound(
      begin, end, label, [](Label a, const auto& border) { return compare_labels(a, border) < 0; });
  return static_cast<std::size_t>(above - borders_.begin());
}

}  // namespace sluice::engine
