#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace sluice::rdb {

/// CRC-64/Jones as the RDB footer and DUMP payloads use it: reflected polynomial
/// 0x95AC9329AC4BC9B5, initial value 0, no final xor.
///
/// `crc` is the value over what came before (0 at the start); returns the value over both.
/// Source: Redis src/crc64.c. Threads: any. Takes the widest variant that the CPU has.
[[nodiscard]] std::uint64_t crc64(std::uint64_t crc, std::span<const std::byte> bytes) noexcept;

/// The same by table lookup only; what crc64() is tested against.
[[nodiscard]] std::uint64_t crc64_by_table(std::uint64_t crc,
                                           std::span<const std::byte> bytes) noexcept;

/// The CRC of A followed by B, given that of A, that of B and how many bytes B has. Takes a
/// few microseconds, whatever the sizes.
[[nodiscard]] std::uint64_t crc64_combine(std::uint64_t crc_a, std::uint64_t crc_b,
                                          std::uint64_t bytes_b) noexcept;

/// The ways to the same value, narrow to wide, for tests and benchmarks.
enum class Crc64Variant : std::uint8_t {
  table,
  clmul128,  ///< PCLMULQDQ, SSE4.1
  clmul256,  ///< VPCLMULQDQ, AVX2
  clmul512,  ///< VPCLMULQDQ, AVX-512F
};

/// Does this CPU have it?
[[nodiscard]] bool crc64_available(Crc64Variant variant) noexcept;

/// crc64() by a variant that is available.
[[nodiscard]] std::uint64_t crc64_with(Crc64Variant variant, std::uint64_t crc,
                                       std::span<const std::byte> bytes) noexcept;

}  // namespace sluice::rdb
