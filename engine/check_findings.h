#pragma once

#include <algorithm>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "storage/backup_id.h"

namespace sluice::engine {

/// Something wrong with a backup.
struct CheckFinding {
  std::string message;                       ///< One line; names object and place.
  std::string object = {};                   ///< Path below the repository; may be empty.
  std::optional<storage::PackId> pack = {};  ///< That it lies in.
  std::optional<std::uint64_t> offset = {};  ///< In the pack, of the blob.
  std::vector<std::uint32_t> chunks = {};    ///< Ordinals of those that are lost by it.
  /// Whether the bytes of the chunks are those that were stored, and what they mean is wrong.
  bool is_readable = false;
  bool is_stored = false;  ///< Found in the stored bytes: not to be told again of what they make.
};

/// Collects what is found, from any number of threads.
/// Memory: findings_max of them; the others are counted.
class CheckFindings {
 public:
  static constexpr std::size_t findings_max = 20'000;

  void add(CheckFinding finding) {
    const std::lock_guard guard(mutex_);
    if (findings_.size() < findings_max)
      findings_.push_back(std::move(finding));
    else
      ++dropped_;
  }

  /// What there is: first what is about no chunk, then by chunk, each chunk once.
  [[nodiscard]] std::vector<CheckFinding> take() {
    const std::lock_guard guard(mutex_);
    std::vector<std::uint32_t> told;
    for (const CheckFinding& finding : findings_) {
      if (finding.is_stored) told.insert(told.end(), finding.chunks.begin(), finding.chunks.end());
    }
    std::ranges::sort(told);
    std::vector<CheckFinding> kept;
    for (CheckFinding& finding : findings_) {
      const bool again = !finding.is_stored && finding.chunks.size() == 1 &&
                         std::ranges::binary_search(told, finding.chunks.front());
      if (!again) kept.push_back(std::move(finding));
    }
    findings_.clear();
    std::ranges::stable_sort(kept, {}, [](const CheckFinding& finding) {
      return finding.chunks.empty() ? 0 : finding.chunks.front() + 1;
    });
    return kept;
  }
  /// Those that were counted only.
  [[nodiscard]] std::uint64_t dropped() const {
    const std::lock_guard guard(mutex_);
    return dropped_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<CheckFinding> findings_;
  std::uint64_t dropped_ = 0;
};

}  // namespace sluice::engine
