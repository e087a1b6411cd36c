#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>
#include <span>

#include "engine/record.h"

namespace sluice::engine {

/// A record as one run of bytes, in memory and in scratch; written and read by one process, so in
/// its byte order:
///
///   u32 label bytes, u32 value bytes, u8 type, u8 flags, [i64 expiry], [u64 idle], [u8 freq],
///   [u32 meta bytes], label, meta, value
class PackedRecord {
 public:
  static constexpr std::size_t head_bytes = 10;
  static constexpr std::size_t head_bytes_max = head_bytes + 8 + 8 + 1 + 4;
  static constexpr std::uint64_t field_bytes_max = std::numeric_limits<std::uint32_t>::max();

  explicit PackedRecord(const std::byte* at) noexcept : at_(at) {}

  /// False when a part is too long for it.
  [[nodiscard]] static bool fits(const Record& record) noexcept {
    return record.key.size() < field_bytes_max - 2 && record.meta.size() < field_bytes_max &&
           record.value.size() < field_bytes_max;
  }
  /// With `record.value`; `label` is the key or longer.
  [[nodiscard]] static std::size_t size_of(const Record& record,
                                           std::span<const std::byte> label) noexcept {
    return head_bytes + (record.expire_at_ms ? 8 : 0) + (record.idle_s ? 8 : 0) +
           (record.freq ? 1 : 0) + (record.meta.empty() ? 0 : 4) + label.size() +
           record.meta.size() + record.value.size();
  }
  /// Writes size_of() bytes.
  static void pack(const Record& record, std::span<const std::byte> label,
                   std::byte* into) noexcept;
  /// The value of the record at `at`, its last part, now has `bytes` bytes.
  static void set_value_bytes(std::byte* at, std::size_t bytes) noexcept {
    const auto value_bytes = static_cast<std::uint32_t>(bytes);
    std::memcpy(at + value_bytes_at, &value_bytes, sizeof value_bytes);
  }

  [[nodiscard]] const std::byte* at() const noexcept { return at_; }
  [[nodiscard]] std::size_t size() const noexcept {
    return label_at() + label_bytes() + meta_bytes() + load<std::uint32_t>(value_bytes_at);
  }
  [[nodiscard]] std::span<const std::byte> label() const noexcept {
    return {at_ + label_at(), label_bytes()};
  }
  /// Bytes from the start to the label, and of the label: what reading it takes.
  [[nodiscard]] std::size_t label_at() const noexcept {
    return label_offsets[flags() & offsets_mask];
  }
  [[nodiscard]] std::size_t label_bytes() const noexcept { return load<std::uint32_t>(0); }
  [[nodiscard]] bool is_foreign() const noexcept { return (flags() & foreign) != 0; }
  [[nodiscard]] std::uint8_t type() const noexcept { return load<std::uint8_t>(type_at); }
  [[nodiscard]] Record unpack(bool by_slot) const noexcept;

 private:
  enum Flags : std::uint8_t {
    expiry = 1,
    idle = 2,
    freq = 4,
    meta = 8,
    fragmented = 16,
    foreign = 32
  };
  static constexpr std::size_t value_bytes_at = 4;
  static constexpr std::size_t type_at = 8;
  static constexpr std::size_t flags_at = 9;
  static constexpr std::uint8_t offsets_mask = expiry | idle | freq | meta;

  /// Where the label begins, by flags.
  static constexpr std::array<std::uint8_t, 16> label_offsets = {10, 18, 18, 26, 11, 19, 19, 27,
                                                                 14, 22, 22, 30, 15, 23, 23, 31};
  template <class Number>
  [[nodiscard]] Number load(std::size_t offset) const noexcept {
    Number number;
    std::memcpy(&number, at_ + offset, sizeof number);
    return number;
  }
  [[nodiscard]] std::uint8_t flags() const noexcept { return load<std::uint8_t>(flags_at); }
  [[nodiscard]] std::size_t meta_bytes() const noexcept {
    return (flags() & meta) != 0 ? load<std::uint32_t>(label_at() - 4) : 0;
  }

  const std::byte* at_;
};

}  // namespace sluice::engine
