#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/run_format.h"

namespace sluice::engine {

/// Looks through a run and finds what is wrong with it. What it lets pass can be read without a
/// check, and is what RunWriter would have written.
class RunCheck {
 public:
  explicit RunCheck(std::span<const std::byte> raw) noexcept : raw_(raw) {}

  /// What is wrong, or nothing.
  [[nodiscard]] std::optional<std::string> fault();

  /// Once there is no fault.
  [[nodiscard]] const RunHeader& header() const noexcept { return header_; }
  /// The longest key.
  [[nodiscard]] std::size_t key_bytes_max() const noexcept { return key_.size(); }

 private:
  [[nodiscard]] std::optional<std::string> header_fault();
  [[nodiscard]] std::optional<std::string> keys_fault();
  [[nodiscard]] std::optional<std::string> kinds_fault();
  [[nodiscard]] std::optional<std::string> sizes_fault() const;
  [[nodiscard]] std::span<const std::byte> column(RunColumn column) const noexcept;

  std::span<const std::byte> raw_;
  RunHeader header_;
  std::vector<std::byte> key_;
};

}  // namespace sluice::engine
