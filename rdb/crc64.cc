#include "rdb/crc64.h"

#include <array>
#include <atomic>
#include <bit>
#include <cstring>
#include <utility>

#include "rdb/crc64_clmul.h"

namespace sluice::rdb {
namespace {

static_assert(std::endian::native == std::endian::little, "the tables assume little endian");

using Tables = std::array<std::array<std::uint64_t, 256>, 8>;

constexpr Tables make_tables() {
  Tables tables{};
  for (std::uint64_t byte = 0; byte < 256; ++byte) {
    std::uint64_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = crc64_times_x(crc);
    tables[0][byte] = crc;
  }
  for (std::size_t byte = 0; byte < 256; ++byte) {
    for (std::size_t slice = 1; slice < 8; ++slice) {
      const std::uint64_t before = tables[slice - 1][byte];
      tables[slice][byte] = (before >> 8) ^ tables[0][before & 0xff];
    }
  }
  return tables;
}

constexpr Tables tables = make_tables();

constexpr std::uint64_t product(std::uint64_t a, std::uint64_t b) {
  std::uint64_t sum = 0;
  for (int bit = 63; bit >= 0; --bit) {
    sum ^= b & (0 - (a >> bit & 1));  // no branch: the bits are as good as random
    b = crc64_times_x(b);
  }
  return sum;
}

/// What 2^k zero bytes multiply a value by, for each k.
constexpr std::array<std::uint64_t, 64> zeros = [] {
  std::array<std::uint64_t, 64> powers{};
  std::uint64_t power = crc64_one;
  for (int bit = 0; bit < 8; ++bit) power = crc64_times_x(power);
  for (std::uint64_t& each : powers) {
    each = power;
    power = product(power, power);
  }
  return powers;
}();

using Function = std::uint64_t (*)(std::uint64_t, std::span<const std::byte>) noexcept;

Function function_of(Crc64Variant variant) {
  switch (variant) {
    case Crc64Variant::table: return crc64_by_table;
    case Crc64Variant::clmul128: return crc64_by_clmul128;
    case Crc64Variant::clmul256: return crc64_by_clmul256;
    case Crc64Variant::clmul512: return crc64_by_clmul512;
  }
  std::unreachable();
}

std::uint64_t choose_and_run(std::uint64_t crc, std::span<const std::byte> bytes) noexcept;

/// Chosen on the first call: without a guard, and ready before any constructor runs. Whoever
/// chooses at the same time chooses the same.
constinit std::atomic<Function> chosen = choose_and_run;

std::uint64_t choose_and_run(std::uint64_t crc, std::span<const std::byte> bytes) noexcept {
  Function best = crc64_by_table;
  for (const Crc64Variant variant :
       {Crc64Variant::clmul128, Crc64Variant::clmul256, Crc64Variant::clmul512}) {
    if (crc64_available(variant)) best = function_of(variant);
  }
  chosen.store(best, std::memory_order_relaxed);
  return best(crc, bytes);
}

}  // namespace

std::uint64_t crc64(std::uint64_t crc, std::span<const std::byte> bytes) noexcept {
  return chosen.load(std::memory_order_relaxed)(crc, bytes);
}

std::uint64_t crc64_by_table(std::uint64_t crc, std::span<const std::byte> bytes) noexcept {
  while (bytes.size() >= 8) {
    std::uint64_t word;
    std::memcpy(&word, bytes.data(), 8);
    word ^= crc;
    crc = 0;
    for (std::size_t slice = 0; slice < 8; ++slice) {
      crc ^= tables[7 - slice][(word >> (8 * slice)) & 0xff];
    }
    bytes = bytes.subspan(8);
  }
  for (const std::byte byte : bytes) {
    crc = (crc >> 8) ^ tables[0][(crc ^ std::to_integer<std::uint64_t>(byte)) & 0xff];
  }
  return crc;
}

std::uint64_t crc64_combine(std::uint64_t crc_a, std::uint64_t crc_b,
                            std::uint64_t bytes_b) noexcept {
  for (std::size_t k = 0; bytes_b != 0; ++k, bytes_b >>= 1) {
    if ((bytes_b & 1) != 0) crc_a = product(zeros[k], crc_a);
  }
  return crc_a ^ crc_b;
}

bool crc64_available(Crc64Variant variant) noexcept {
  const bool clmul = __builtin_cpu_supports("pclmul") != 0 && __builtin_cpu_supports("sse4.1") != 0;
  const bool wide = clmul && __builtin_cpu_supports("vpclmulqdq") != 0;
  switch (variant) {
    case Crc64Variant::table: return true;
    case Crc64Variant::clmul128: return clmul;
    case Crc64Variant::clmul256: return wide && __builtin_cpu_supports("avx2") != 0;
    case Crc64Variant::clmul512: return wide && __builtin_cpu_supports("avx512f") != 0;
  }
  std::unreachable();
}

std::uint64_t crc64_with(Crc64Variant variant, std::uint64_t crc,
                         std::span<const std::byte> bytes) noexcept {
  return function_of(variant)(crc, bytes);
}

}  // namespace sluice::rdb
