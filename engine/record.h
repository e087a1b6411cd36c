#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace sluice::engine {

/// One key of a database as the canonical layout keeps it. Every span is borrowed.
struct Record {
  std::span<const std::byte> key = {};            ///< Decoded: no length, no LZF, no integer form.
  std::uint8_t type = 0;                          ///< The type byte of the RDB.
  std::optional<std::int64_t> expire_at_ms = {};  ///< Absolute Unix time.
  std::optional<std::uint64_t> idle_s = {};       ///< LRU.
  std::optional<std::uint8_t> freq = {};          ///< LFU.
  std::span<const std::byte> meta = {};           ///< KEY_META as in the stream; empty for none.
  bool fragmented = false;                        ///< `value` is a fragment list (fragment_list.h).
  bool foreign = false;                           ///< Sent by a node that does not serve its slot.
  std::span<const std::byte> value = {};          ///< As in the stream, without the type byte.
};

}  // namespace sluice::engine
