#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>
#include <vector>

/// The raw bytes of a chunk of records. docs/record-format.md is the same thing in prose; change
/// both or neither.
namespace sluice::engine {

static_assert(std::endian::native == std::endian::little, "headers are copied as they are");

/// In the order in which they follow the header.
enum class RunColumn : std::uint8_t { keys, kinds, sizes, expiries, access, metas, values };
inline constexpr std::size_t run_column_count = 7;

inline constexpr std::uint32_t run_version = 1;

/// First 44 bytes of a run.
struct RunHeader {
  std::uint32_t version = run_version;
  std::uint32_t records = 0;  ///< At least one.
  std::array<std::uint32_t, run_column_count> column_bytes{};
  std::array<std::uint32_t, 2> reserved{};
};
static_assert(sizeof(RunHeader) == 44 && std::is_trivially_copyable_v<RunHeader>);

/// The second byte of a record in the column of kinds.
namespace run_attribute {
inline constexpr std::uint8_t expiry_mask = 3;  ///< 0 none, else one of the two below.
inline constexpr std::uint8_t expiry_u48 = 1;   ///< Six bytes: 0 to expiry_u48_max.
inline constexpr std::uint8_t expiry_i64 = 2;   ///< Eight bytes: whatever six do not hold.
inline constexpr std::uint8_t meta = 1U << 2;
inline constexpr std::uint8_t fragmented = 1U << 3;
inline constexpr std::uint8_t idle = 1U << 4;
inline constexpr std::uint8_t freq = 1U << 5;
inline constexpr std::uint8_t known = 0x3F;
/// How much of the column of expiries is the record's. Precondition: the form is a known one.
[[nodiscard]] constexpr std::size_t expiry_bytes(unsigned attributes) noexcept {
  constexpr std::array<std::uint8_t, 4> bytes{0, 6, 8, 0};
  return bytes[attributes & expiry_mask];
}
}  // namespace run_attribute
inline constexpr std::int64_t expiry_u48_max = (std::int64_t{1} << 48) - 1;

/// Where the piece of each record lies in each column of a run. Offsets count from the first byte
/// of the run; a piece may be empty.
///
/// Memory: 28 bytes a record. clear() keeps what was allocated.
class RunPieces {
 public:
  [[nodiscard]] std::size_t records() const noexcept {
    return starts_[0].empty() ? 0 : starts_[0].size() - 1;
  }
  /// Where the piece of each record starts, and where the last one ends: records() + 1 offsets.
  [[nodiscard]] std::span<const std::uint32_t> starts(RunColumn column) const noexcept {
    return starts_[static_cast<std::size_t>(column)];
  }
  /// The piece of one record; `raw` is the run.
  [[nodiscard]] std::span<const std::byte> piece(std::span<const std::byte> raw, RunColumn column,
                                                 std::size_t record) const noexcept {
    const auto at = starts(column);
    return raw.subspan(at[record], at[record + 1] - at[record]);
  }
  void clear() noexcept {
    for (auto& starts : starts_) starts.clear();
  }
  /// For those who fill it in.
  [[nodiscard]] std::vector<std::uint32_t>& column(RunColumn column) noexcept {
    return starts_[static_cast<std::size_t>(column)];
  }

 private:
  std::array<std::vector<std::uint32_t>, run_column_count> starts_;
};

}  // namespace sluice::engine
