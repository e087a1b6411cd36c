#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "engine/label_order.h"

namespace sluice::engine {

/// Which of some ranges of labels a label is in.
///
/// A tree of nodes: the borders of a node agree in some leading bytes, the next eight are searched
/// as numbers; where several borders agree in those too, a node goes on behind them.
class PartitionMap {
 public:
  /// One range: everything.
  PartitionMap() = default;
  /// `borders`: where ranges begin, all but the first; ascending, each once.
  explicit PartitionMap(std::vector<std::vector<std::byte>> borders);

  [[nodiscard]] std::size_t size() const noexcept { return borders_.size() + 1; }
  /// Where range `index` begins, which must not be 0.
  [[nodiscard]] const std::vector<std::byte>& border(std::size_t index) const noexcept {
    return borders_[index - 1];
  }
  /// The range of `label`: how many borders are not above it.
  [[nodiscard]] std::size_t find(Label label) const noexcept;

  [[nodiscard]] std::size_t memory_bytes() const noexcept { return memory_bytes_; }

 private:
  static constexpr std::size_t no_child = ~std::size_t{0};

  /// Borders that agree up to the end of `prefixes_`' eight bytes.
  struct Group {
    std::size_t begin = 0;
    std::size_t end = 0;
    std::size_t child = no_child;
  };
  struct Node {
    std::size_t begin = 0;  // borders
    std::size_t end = 0;
    std::size_t depth = 0;         // bytes that are known to agree
    std::size_t common_bytes = 0;  // more that do
    std::size_t first = 0;         // of its prefixes and groups
    std::size_t count = 0;
  };

  void build(std::size_t node);
  [[nodiscard]] std::size_t search(const Group& group, Label label) const noexcept;

  std::vector<std::vector<std::byte>> borders_;
  std::vector<Node> nodes_;
  std::vector<std::uint64_t> prefixes_;  // of a node's groups, ascending
  std::vector<Group> groups_;
  std::size_t memory_bytes_ = 0;
};

}  // namespace sluice::engine
