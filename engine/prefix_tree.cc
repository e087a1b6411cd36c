#include "engine/prefix_tree.h"

#include <algorithm>
#include <array>
#include <bit>
#include <queue>
#include <tuple>
#include <utility>

#include "rdb/duplicate_set.h"
#include "rdb/escape.h"

namespace sluice::engine {
namespace {

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

bool is_hex(char c) noexcept {
  return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/// How many bytes of a segment stay when it ends with an id; all of them when it does not.
std::size_t without_id(std::string_view text) noexcept {
  constexpr std::size_t hex_min = 8;
  constexpr std::size_t digits_min = 3;
  std::size_t head = text.size();
  while (head > 0 && is_digit(text[head - 1])) --head;
  if (head == 0) return 0;
  const bool hex = std::ranges::all_of(text, [](char c) { return is_hex(c) || c == '-'; });
  if (hex && text.size() >= hex_min && std::ranges::any_of(text, is_digit)) return 0;
  return text.size() - head >= digits_min ? head : text.size();
}

}  // namespace

PrefixTree::PrefixTree(PrefixTreeOptions options) : options_(std::move(options)) {
  // A new path is never longer than what one round of folding frees.
  options_.nodes_max = std::max(options_.nodes_max, 4 * AnalyzeOptions::depth_max);
  nodes_.reserve(options_.nodes_max);
  nodes_.emplace_back();
  table_.assign(std::bit_ceil(options_.nodes_max * 2), none);
}

std::uint32_t PrefixTree::locate(std::span<const std::byte> key) {
  std::string_view rest(reinterpret_cast<const char*>(key.data()), key.size());
  std::uint32_t node = root;
  for (std::size_t level = 0; level < options_.depth && !rest.empty(); ++level) {
    const std::size_t end = rest.find_first_of(options_.separators);
    Segment segment = segment_of(rest.substr(0, end));
    if (end == std::string_view::npos) {
      rest = {};
    } else {
      segment.separator = rest[end];
      rest.remove_prefix(end + 1);
    }
    node = child(node, segment);
  }
  return node;
}

PrefixTree::Segment PrefixTree::segment_of(std::string_view text) const noexcept {
  Segment segment{.head = text};
  if (options_.fold_ids && !text.empty()) {
    segment.head = text.substr(0, without_id(text));
    segment.folded = segment.head.size() < text.size();
  }
  if (segment.head.size() > segment_bytes_max) {
    segment.head = segment.head.substr(0, segment_bytes_max);
    segment.cut = true;
  }
  return segment;
}

std::uint32_t PrefixTree::child(std::uint32_t parent, const Segment& segment) {
  // Under a secret seed, so that no set of keys can make two segments one.
  std::array<char, segment_bytes_max + 12> text{};
  const std::uint64_t above = nodes_[parent].hash;
  char* at = std::ranges::copy(segment.head, text.begin()).out;
  *at++ = static_cast<char>((segment.folded ? 1 : 0) | (segment.cut ? 2 : 0));
  *at++ = segment.separator;
  for (unsigned shift = 0; shift < 64; shift += 8) *at++ = static_cast<char>(above >> shift);
  const std::string_view whole(text.data(), static_cast<std::size_t>(at - text.data()));
  const std::uint64_t hash = rdb::DuplicateSet::hash(std::as_bytes(std::span(whole)));
  if (const std::uint32_t found = find(hash); found != none) return found;

  if (nodes_.size() == options_.nodes_max) parent = fold(parent);
  Node node;
  node.segment = rdb::escape(std::as_bytes(std::span(segment.head)));
  if (segment.cut) node.segment += "...";
  if (segment.folded) node.segment += '*';
  if (segment.separator != 0) {
    node.segment += rdb::escape(std::as_bytes(std::span(&segment.separator, 1)));
  }
  node.hash = hash;
  node.parent = parent;
  // What it lost to `other` of its parent, and what it lost together with its parent before.
  Node& owner = nodes_[parent];
  node.missing_keys_max =
      owner.missing_keys_max + std::min(owner.folded_keys_max, owner.other.keys);
  node.missing_memory_max =
      owner.missing_memory_max + std::min(owner.folded_memory_max, owner.other.memory_bytes);
  ++owner.children;
  nodes_.push_back(std::move(node));
  insert(static_cast<std::uint32_t>(nodes_.size() - 1));
  return static_cast<std::uint32_t>(nodes_.size() - 1);
}

std::uint32_t PrefixTree::find(std::uint64_t hash) const noexcept {
  for (std::size_t at = hash & (table_.size() - 1);; at = (at + 1) & (table_.size() - 1)) {
    if (table_[at] == none || nodes_[table_[at]].hash == hash) return table_[at];
  }
}

void PrefixTree::insert(std::uint32_t node) noexcept {
  std::size_t at = nodes_[node].hash & (table_.size() - 1);
  while (table_[at] != none) at = (at + 1) & (table_.size() - 1);
  table_[at] = node;
}

void PrefixTree::add(std::uint32_t node, const Amount& amount) noexcept {
  nodes_[node].own += amount;
  for (std::uint32_t at = node; at != none; at = nodes_[at].parent) nodes_[at].amount += amount;
}

std::uint32_t PrefixTree::fold(std::uint32_t keep) {
  ++folds_;
  std::vector<std::uint32_t> leaves;
  for (std::uint32_t i = 1; i < nodes_.size(); ++i) {
    if (nodes_[i].children == 0 && i != keep) leaves.push_back(i);
  }
  const auto middle = leaves.begin() + static_cast<std::ptrdiff_t>((leaves.size() + 1) / 2);
  std::ranges::nth_element(leaves, middle, {}, [this](std::uint32_t leaf) {
    return std::pair(nodes_[leaf].amount.memory_bytes, leaf);
  });
  leaves.erase(middle, leaves.end());

  std::vector<bool> gone(nodes_.size());
  std::vector<Amount> largest_folded(nodes_.size());
  for (const std::uint32_t leaf : leaves) {
    gone[leaf] = true;
    fold_leaf(nodes_[leaf], largest_folded);
  }
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    nodes_[i].folded_keys_max += largest_folded[i].keys;
    nodes_[i].folded_memory_max += largest_folded[i].memory_bytes;
  }
  return compact(gone, keep);
}

void PrefixTree::fold_leaf(const Node& leaf, std::vector<Amount>& largest) {
  Node& parent = nodes_[leaf.parent];
  parent.other += leaf.amount;
  --parent.children;
  Amount& most = largest[leaf.parent];
  most.keys = std::max(most.keys, leaf.amount.keys);
  most.memory_bytes = std::max(most.memory_bytes, leaf.amount.memory_bytes);
}

std::uint32_t PrefixTree::compact(const std::vector<bool>& gone, std::uint32_t keep) {
  std::vector<std::uint32_t> moved(nodes_.size(), none);
  std::uint32_t to = 0;
  for (std::uint32_t from = 0; from < nodes_.size(); ++from) {
    if (gone[from]) continue;
    moved[from] = to;
    if (to != from) nodes_[to] = std::move(nodes_[from]);
    if (nodes_[to].parent != none) nodes_[to].parent = moved[nodes_[to].parent];
    ++to;
  }
  nodes_.resize(to);
  std::ranges::fill(table_, none);
  for (std::uint32_t i = 1; i < to; ++i) insert(i);
  return moved[keep];
}

PrefixNode PrefixTree::shown(std::size_t nodes_shown) const {
  return show(root, {}, largest(nodes_shown));
}

/// The children to be shown of each node, the largest first.
std::vector<std::vector<std::uint32_t>> PrefixTree::largest(std::size_t count) const {
  std::vector<std::vector<std::uint32_t>> all(nodes_.size());
  for (std::uint32_t i = 1; i < nodes_.size(); ++i) all[nodes_[i].parent].push_back(i);
  // From the root outward: no node is larger than the one above it, so that the largest are found
  // with those above them.
  const auto smaller = [this](std::uint32_t a, std::uint32_t b) {
    const Node& one = nodes_[a];
    const Node& two = nodes_[b];
    return std::tuple(one.amount.memory_bytes, one.amount.keys, std::string_view(two.segment)) <
           std::tuple(two.amount.memory_bytes, two.amount.keys, std::string_view(one.segment));
  };
  std::priority_queue<std::uint32_t, std::vector<std::uint32_t>, decltype(smaller)> next(smaller);
  for (const std::uint32_t first : all[root]) next.push(first);
  std::vector<std::vector<std::uint32_t>> chosen(nodes_.size());
  for (; count > 0 && !next.empty(); --count) {
    const std::uint32_t node = next.top();
    next.pop();
    chosen[nodes_[node].parent].push_back(node);
    for (const std::uint32_t below : all[node]) next.push(below);
  }
  return chosen;
}

PrefixNode PrefixTree::show(std::uint32_t index, const std::string& above,
                            const std::vector<std::vector<std::uint32_t>>& children) const {
  const Node& node = nodes_[index];
  PrefixNode result;
  result.prefix = above + node.segment;
  result.amount = node.amount;
  result.own = node.own;
  result.other = node.amount;
  result.other -= node.own;
  result.missing_keys_max = node.missing_keys_max;
  result.missing_memory_max = node.missing_memory_max;
  for (const std::uint32_t child : children[index]) {
    result.children.push_back(show(child, result.prefix, children));
    result.other -= nodes_[child].amount;
  }
  return result;
}

}  // namespace sluice::engine
