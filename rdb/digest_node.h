#pragma once

#ifndef XXH_INLINE_ALL
#define XXH_INLINE_ALL  // hashes of a known, small size become a few instructions
#endif
#include <xxhash.h>

#include <array>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>

#include "rdb/digest128.h"

namespace sluice::rdb {

/// What a node of the dataset digest is about: its first word. docs/digest.md has the others.
enum class Node : std::uint64_t {
  record = 1,
  expiring_field = 2,
  list_element = 3,
  set_member = 4,
  zset_member = 5,
  hash_field = 6,
  stream = 7,
  stream_entry = 8,
  stream_pair = 9,
  stream_group = 10,
  stream_pending = 11,
  stream_consumer = 12,
  stream_consumer_pending = 13,
  stream_nacked = 14,
  stream_idempotency = 15,
  stream_producer = 16,
  stream_producer_item = 17,
  array = 18,
  array_element = 19,
  module = 20,
  module_item = 21,
  vector_set = 22,
  vector_set_node = 23,
};

inline Digest128 from_xxh(const XXH128_hash_t& hash) noexcept { return {hash.low64, hash.high64}; }

/// T() of docs/digest.md.
inline Digest128 hash_text(std::span<const std::byte> text) noexcept {
  return from_xxh(XXH3_128bits(text.data(), text.size()));
}

/// N() of docs/digest.md: the hash of the words, each as eight bytes, least significant first.
template <std::same_as<std::uint64_t>... Words>
Digest128 hash_node(Node node, Words... words) noexcept {
  std::array<std::uint64_t, 1 + sizeof...(words)> block{static_cast<std::uint64_t>(node), words...};
  if constexpr (std::endian::native == std::endian::big) {
    for (std::uint64_t& word : block) word = std::byteswap(word);
  }
  return from_xxh(XXH3_128bits(block.data(), sizeof(block)));
}

}  // namespace sluice::rdb
