#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace sluice::engine {

/// One key of a dataset, as an RDB has it. All spans are borrowed: whoever hands a record out says
/// how long they live.
struct Record {
  std::span<const std::byte> key;
  std::uint8_t type = 0;  ///< RDB type byte.
  std::optional<std::int64_t> expire_at_ms;
  std::optional<std::uint64_t> idle_s;  ///< LRU idle time.
  std::optional<std::uint8_t> freq;     ///< LFU counter.
  std::span<const std::byte> meta;      ///< KEY_META as in the stream; empty for none.
  bool fragmented = false;              ///< `value` says where the pieces of the value are.
  std::span<const std::byte> value;
};

}  // namespace sluice::engine
