#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "engine/label_order.h"

namespace sluice::engine {

/// Labels of some records, from which borders are chosen that part all of them into ranges of
/// about the same size.
///
/// Memory:  24 bytes a label and at most `label_bytes_max` for its bytes.
class BorderSample {
 public:
  explicit BorderSample(std::size_t label_bytes_max) : label_bytes_max_(label_bytes_max) {}

  /// A record and how many bytes it stands for. Longer labels are all cut at the same length, so
  /// that of two different ones the less is less in whole too.
  void add(Label label, std::uint64_t weight);

  [[nodiscard]] std::size_t size() const noexcept { return entries_.size(); }
  [[nodiscard]] std::size_t bytes() const noexcept { return bytes_.size(); }
  /// Whether a label was cut.
  [[nodiscard]] bool cut() const noexcept { return cut_; }

  /// At most `parts` - 1 borders, ascending, all above the least label; one at least where two
  /// labels differ.
  [[nodiscard]] std::vector<std::vector<std::byte>> choose(std::size_t parts);

 private:
  struct Entry {
    std::size_t at = 0;
    std::size_t size = 0;
    std::uint64_t weight = 0;
  };
  [[nodiscard]] Label label(const Entry& entry) const noexcept {
    return {bytes_.data() + entry.at, entry.size};
  }

  std::size_t label_bytes_max_;
  bool cut_ = false;
  std::vector<std::byte> bytes_;
  std::vector<Entry> entries_;
};

}  // namespace sluice::engine
