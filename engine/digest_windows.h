#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "rdb/digest.h"

namespace sluice::engine {

/// Sums of a dataset's digest terms by when they go. Two datasets that were read at different times
/// can so be compared but for what may have expired in between, in memory that does not depend on
/// how much expires.
///
/// A window is a second and two percent of the time since `start_ms` wide; the last one, which has
/// what never goes, begins after half a year.
class DigestWindows final : public rdb::DigestTermHandler {
 public:
  static constexpr std::size_t window_count = 640;

  /// `start_ms`: Unix time; the same for windows that are to be compared.
  explicit DigestWindows(std::int64_t start_ms);

  [[nodiscard]] std::size_t window_of(std::int64_t gone_at_ms) const;
  void add(std::size_t window, const rdb::Digest128& digest);

  void on_field_term(const rdb::DigestTerm& term) override { add(term); }
  void on_record_term(const rdb::DigestTerm& term) override { add(term); }

  struct Window {
    rdb::Digest128 sum;
    std::uint64_t terms = 0;

    friend bool operator==(const Window&, const Window&) = default;
  };
  /// All of them, window_count, to be kept and taken back.
  using Sums = std::vector<Window>;
  [[nodiscard]] const Sums& sums() const noexcept { return windows_; }
  void set_sums(const Sums& sums) { windows_ = sums; }

  struct Comparison {
    bool equal = false;
    bool possible = false;       ///< False when so late that nothing can be compared.
    std::uint64_t left_out = 0;  ///< Terms here that go by `now_ms` or soon after.
  };
  /// Compares what goes in windows that begin after `now_ms`, or never.
  [[nodiscard]] Comparison compare(const DigestWindows& other, std::int64_t now_ms) const;

 private:
  void add(const rdb::DigestTerm& term) { add(window_of(term.gone_at_ms), term.digest); }

  std::vector<std::int64_t> begins_;  // of the windows, ascending
  Sums windows_;
};

}  // namespace sluice::engine
