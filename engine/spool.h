#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <vector>

#include "engine/scratch_file.h"

namespace sluice::engine {

/// Bytes that are kept for a while: the first `memory_bytes` of them in memory, the rest in a
/// scratch file.
///
/// Memory:  memory_bytes, and 128 KiB once the file is in use.
/// Errors:  sticky, as ScratchFile's.
/// Threads: none; one at a time.
class Spool {
 public:
  explicit Spool(std::size_t memory_bytes) : memory_bytes_(memory_bytes) {}

  void append(std::span<const std::byte> bytes) {
    if (file_.size() == 0 && tail_.empty() && bytes.size() <= memory_bytes_ - head_.size()) {
      head_.insert(head_.end(), bytes.begin(), bytes.end());
      return;
    }
    append_to_file(bytes);
  }
  template <class Number>
  void append_raw(const Number& number) {
    append(std::as_bytes(std::span(&number, 1)));
  }

  [[nodiscard]] std::uint64_t size() const noexcept {
    return head_.size() + file_.size() + tail_.size();
  }

  /// Some of the bytes from `offset` on, one at least and `bytes_max` at most: all of them when
  /// they lie in memory. Valid until the next call.
  [[nodiscard]] std::span<const std::byte> piece(std::uint64_t offset, std::uint64_t bytes_max);

  /// Calls `take` with pieces in order until it returns false.
  template <class Take>
  void for_each_piece(std::uint64_t offset, std::uint64_t size, Take&& take) {
    while (size > 0) {
      const auto bytes = piece(offset, size);
      if (!take(bytes)) return;
      offset += bytes.size();
      size -= bytes.size();
    }
  }

  /// Fills `into` from `offset` on.
  void read(std::uint64_t offset, std::span<std::byte> into);
  template <class Number>
  [[nodiscard]] Number read_raw(std::uint64_t offset) {
    Number number;
    read(offset, std::as_writable_bytes(std::span(&number, 1)));
    return number;
  }

  /// Forgets the bytes; keeps the memory for the next ones.
  void clear();

  [[nodiscard]] const std::optional<Error>& error() const noexcept { return file_.error(); }

 private:
  void append_to_file(std::span<const std::byte> bytes);

  std::size_t memory_bytes_;
  std::vector<std::byte> head_;
  ScratchFile file_;
  std::vector<std::byte> tail_;   // on its way to the file
  std::vector<std::byte> piece_;  // read from the file
};

}  // namespace sluice::engine
