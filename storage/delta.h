#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "storage/error.h"
#include "storage/format.h"

namespace sluice::storage {

/// How the bytes of one chunk come out of those of another, its base: runs of the base, and bytes
/// that it does not have.
///
/// Memory: 12 bytes an op, and the literal bytes. clear() keeps what was allocated.
class DeltaOps {
 public:
  /// First `copy_bytes` of the base from `copy_from` on, then `literal_bytes` of the literals.
  struct Op {
    std::uint32_t copy_from = 0;
    std::uint32_t copy_bytes = 0;
    std::uint32_t literal_bytes = 0;

    friend bool operator==(const Op&, const Op&) = default;
  };

  /// The result goes on with bytes [from, from + size) of the base.
  void copy(std::uint32_t from, std::uint32_t size);
  /// The result goes on with these bytes, which are copied.
  void literal(std::span<const std::byte> bytes);
  void clear() noexcept;

  [[nodiscard]] std::span<const Op> ops() const noexcept { return ops_; }
  [[nodiscard]] std::span<const std::byte> literals() const noexcept { return literals_; }
  /// Bytes of the result so far.
  [[nodiscard]] std::uint32_t result_bytes() const noexcept { return result_bytes_; }

 private:
  std::vector<Op> ops_;
  std::vector<std::byte> literals_;
  std::uint32_t result_bytes_ = 0;
};

/// What a delta says of what it is made from and of what it makes.
struct DeltaFacts {
  std::array<std::byte, 16> base{};  ///< First half of the identity of the base.
  std::uint32_t base_bytes = 0;
  std::uint32_t result_bytes = 0;
  format::Digest result_digest{};  ///< XXH3-128 of the result.
};

/// The text of a delta, as it is compressed and stored (docs/repository-format.md). Replaces what
/// is in `text`. `result` is what `ops` make of the base; its digest goes into the text.
void write_delta(const std::array<std::byte, 16>& base, std::uint32_t base_bytes,
                 const DeltaOps& ops, std::span<const std::byte> result,
                 std::vector<std::byte>& text);

/// What the head of a delta text says. Errors: truncated, limit_exceeded.
[[nodiscard]] Result<DeltaFacts> read_delta_facts(std::span<const std::byte> text,
                                                  std::string_view where);

/// Makes the result of a delta from its base. `result` must hold at least the bytes that
/// read_delta_facts() tells; the part of it that was filled is returned.
/// Errors: corrupt when the text contradicts itself or needs another base; checksum_mismatch when
///         the result is not what it was when the delta was written. `where` opens the detail.
[[nodiscard]] Result<std::span<std::byte>> apply_delta(std::span<const std::byte> text,
                                                       std::span<const std::byte> base,
                                                       std::span<std::byte> result,
                                                       std::string_view where);

}  // namespace sluice::storage
