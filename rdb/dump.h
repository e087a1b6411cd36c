#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "rdb/error.h"
#include "rdb/handler.h"

namespace sluice::rdb {

/// Builds the payload that RESTORE takes from the events of one record, without holding the value:
///
///     DumpPayload payload(record);          // in on_record_begin
///     send(payload.head());
///     payload.add(part); send(part);        // in on_value_part
///     send(payload.footer());               // in on_record_end
///
/// The footer is stamped with the first RDB version that has the type, which every server that can
/// read the value accepts (docs/rdb.md). The version is 6 at least: older servers had no RESTORE.
/// Source: Redis src/cluster.c createDumpPayload(), verifyDumpPayload().
class DumpPayload {
 public:
  static constexpr std::size_t footer_bytes = 10;  ///< u16 version, u64 CRC64.

  /// Errc::not_representable when no released server restores this type.
  [[nodiscard]] static Result<DumpPayload> begin(const RecordHeader& record);

  /// What precedes the value: KEY_META when the record has it, and the type byte.
  [[nodiscard]] std::span<const std::byte> head() const noexcept { return head_; }

  /// Takes in the next part of the value.
  void add(std::span<const std::byte> part) noexcept;

  /// What follows the value. Call once, after the last part.
  [[nodiscard]] std::array<std::byte, footer_bytes> footer() const noexcept;

  /// Bytes of the payload of a value of `value_bytes`.
  [[nodiscard]] std::uint64_t size(std::uint64_t value_bytes) const noexcept {
    return head_.size() + value_bytes + footer_bytes;
  }

 private:
  DumpPayload() = default;

  std::vector<std::byte> head_;
  std::uint16_t version_ = 0;
  std::uint64_t crc_ = 0;
};

}  // namespace sluice::rdb
