#pragma once

#include <array>
#include <bit>
#include <charconv>
#include <cstddef>
#include <cstdint>

#include "rdb/value_handler.h"

namespace sluice::engine {

inline constexpr std::size_t stream_id_text_max = 41;
inline constexpr std::size_t stream_id_key_bytes = 16;

/// Writes "ms-seq", at most stream_id_text_max characters; returns the end.
inline char* write_stream_id(char* to, rdb::StreamId id) {
  constexpr std::size_t number_max = 20;
  to = std::to_chars(to, to + number_max, id.ms).ptr;
  *to++ = '-';
  return std::to_chars(to, to + number_max, id.seq).ptr;
}

/// Bytes that compare as the id does; rdb::stream_id_of() reads them.
inline std::array<std::byte, stream_id_key_bytes> stream_id_key(rdb::StreamId id) {
  std::array<std::uint64_t, 2> numbers{id.ms, id.seq};
  if constexpr (std::endian::native == std::endian::little) {
    for (std::uint64_t& number : numbers) number = std::byteswap(number);
  }
  return std::bit_cast<std::array<std::byte, stream_id_key_bytes>>(numbers);
}

}  // namespace sluice::engine
