#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/analyze.h"

namespace sluice::engine {

struct PrefixTreeOptions {
  std::string separators = ":";
  std::size_t depth = 6;
  bool fold_ids = true;
  std::size_t nodes_max = 20'000;
};

/// What keys come to by the segments they begin with: "user", "user:*", "user:*:profile". A segment
/// ends with its separator. One that looks like an id is a `*`: decimal digits, eight or more hex
/// digits (dashes among them) of which one is decimal, or the three or more digits that a segment
/// ends with.
///
/// When `nodes_max` nodes are there and another is needed, the smaller half of the leaves is folded
/// into `other` of their parents. No key is ever lost to the sums. A segment that comes again after
/// it was folded begins anew, and knows how much of it may be in `other`: in each round one segment
/// loses at most what the largest leaf folded in that round under that parent had.
///
/// Memory: 200 to 500 bytes a node.
class PrefixTree {
 public:
  explicit PrefixTree(PrefixTreeOptions options);

  /// Finds the node where a key ends, and makes it when it is not there. Valid until the next call.
  [[nodiscard]] std::uint32_t locate(std::span<const std::byte> key);
  /// Adds to a node and all above it.
  void add(std::uint32_t node, const Amount& amount) noexcept;

  /// The `nodes_shown` largest nodes by memory; what is not shown is in `other`.
  [[nodiscard]] PrefixNode shown(std::size_t nodes_shown) const;
  [[nodiscard]] std::uint64_t folds() const noexcept { return folds_; }
  [[nodiscard]] std::size_t size() const noexcept { return nodes_.size(); }

 private:
  static constexpr std::uint32_t root = 0;
  static constexpr std::uint32_t none = UINT32_MAX;
  static constexpr std::size_t segment_bytes_max = 64;

  struct Node {
    std::string segment;     ///< Escaped, with its separator; ids as `*`.
    std::uint64_t hash = 0;  ///< Of the segment under its parent.
    std::uint32_t parent = none;
    std::uint32_t children = 0;
    Amount amount;
    Amount own;
    Amount other;
    /// What one segment below can have lost to `other`.
    std::uint64_t folded_keys_max = 0;
    std::uint64_t folded_memory_max = 0;
    std::uint64_t missing_keys_max = 0;
    std::uint64_t missing_memory_max = 0;
  };
  /// A segment as it is looked up: two pieces that are put together.
  struct Segment {
    std::string_view head;
    bool folded = false;  ///< A `*` follows the head.
    char separator = 0;   ///< 0: the last segment.
    bool cut = false;     ///< Was longer.
  };

  [[nodiscard]] Segment segment_of(std::string_view text) const noexcept;
  [[nodiscard]] std::uint32_t child(std::uint32_t parent, const Segment& segment);
  [[nodiscard]] std::uint32_t find(std::uint64_t hash) const noexcept;
  void insert(std::uint32_t node) noexcept;
  /// Makes room. `keep` is not folded; its new place is returned.
  [[nodiscard]] std::uint32_t fold(std::uint32_t keep);
  void fold_leaf(const Node& leaf, std::vector<Amount>& largest);
  [[nodiscard]] std::uint32_t compact(const std::vector<bool>& gone, std::uint32_t keep);
  [[nodiscard]] std::vector<std::vector<std::uint32_t>> largest(std::size_t count) const;
  [[nodiscard]] PrefixNode show(std::uint32_t index, const std::string& above,
                                const std::vector<std::vector<std::uint32_t>>& children) const;

  PrefixTreeOptions options_;
  std::vector<Node> nodes_;           // a parent stands before its children
  std::vector<std::uint32_t> table_;  // open addressing by hash
  std::uint64_t folds_ = 0;
};

}  // namespace sluice::engine
