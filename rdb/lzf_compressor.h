#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

namespace sluice::rdb {

/// Compresses strings to LZF, as servers do when they write an RDB file: greedily, in one pass.
///
/// Memory:  64 KiB, taken once.
/// Source:  liblzf lzf_c.c (the format; the matches chosen are not the same).
/// Threads: none; one compressor, one thread at a time.
class LzfCompressor {
 public:
  static constexpr std::uint64_t in_bytes_max = 1ULL << 31;

  LzfCompressor();

  /// Writes `in`, compressed, to the front of `out` and returns the size; 0 when it does not fit,
  /// when `in` is empty or has more than in_bytes_max bytes. Depends on nothing but `in` and the
  /// size of `out`. They must not overlap. Servers give out.size() = in.size() - 4 and write what
  /// does not fit as it is.
  [[nodiscard]] std::size_t compress(std::span<const std::byte> in,
                                     std::span<std::byte> out) noexcept;

 private:
  static constexpr unsigned table_bits = 14;
  using Table = std::array<std::uint32_t, 1 << table_bits>;

  std::uint32_t note(const std::byte* at, std::uint32_t number) noexcept;

  /// Where a string of three bytes was last seen, by its hash. The bytes of each input are numbered
  /// from base_ on, so far from those of the input before that no match reaches them.
  std::unique_ptr<Table> seen_;
  std::uint32_t base_;
};

}  // namespace sluice::rdb
