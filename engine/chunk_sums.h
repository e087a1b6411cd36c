#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "engine/stream_facts.h"
#include "rdb/digest128.h"

namespace sluice::engine {

/// What chunks that were read come to, together.
struct ChunkSums {
  std::uint64_t chunks = 0;
  std::uint64_t raw_bytes = 0;
  std::uint64_t keys = 0;
  std::uint64_t long_values = 0;
  std::uint64_t undecodable = 0;  ///< Values without a digest term.
  rdb::Digest128 digest;          ///< Sum of the terms.
  StreamFacts::TypeCounts types{};
  std::map<std::uint64_t, std::uint64_t> databases;  ///< Keys by DB index.

  void add(const ChunkSums& other) {
    chunks += other.chunks;
    raw_bytes += other.raw_bytes;
    keys += other.keys;
    long_values += other.long_values;
    undecodable += other.undecodable;
    digest += other.digest;
    for (std::size_t i = 0; i < types.size(); ++i) types[i] += other.types[i];
    for (const auto& [db, count] : other.databases) databases[db] += count;
  }

  friend bool operator==(const ChunkSums&, const ChunkSums&) = default;
};

/// What came of reading some chunks.
struct ChunksRead {
  ChunkSums sums;                      ///< Of those in which nothing was wrong.
  std::vector<std::uint32_t> damaged;  ///< The others, ascending.
};

}  // namespace sluice::engine
