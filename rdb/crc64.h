#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace sluice::rdb {

/// CRC-64/Jones as the RDB footer and DUMP payloads use it: reflected polynomial
/// 0x95AC9329AC4BC9B5, initial value 0, no final xor.
///
/// `crc` is the value over what came before (0 at the start); returns the value over both.
/// Source: Redis src/crc64.c. Threads: any. Picks carry-less multiplication when the CPU has it.
[[nodiscard]] std::uint64_t crc64(std::uint64_t crc, std::span<const std::byte> bytes) noexcept;

/// The same by table lookup only; what crc64() is tested against.
[[nodiscard]] std::uint64_t crc64_by_table(std::uint64_t crc,
                                           std::span<const std::byte> bytes) noexcept;

}  // namespace sluice::rdb
