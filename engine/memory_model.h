#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace sluice::engine {

/// How much memory a server's structures take on a 64-bit machine with jemalloc: what MEMORY USAGE
/// would say, were the key asked for. Pure arithmetic; ValueMeasure adds it up.
///
/// Source: Redis src/object.c (objectComputeSize), sds.h, dict.h, quicklist.h, server.h, t_zset.c,
///         t_stream.c (7.0 and 8.x); Valkey src/object.c, hashtable.c, entry.c (8.1 and 9.x);
///         jemalloc's size classes with a quantum of 16 bytes, as distributions build it. Redis'
///         own build has 8: there small strings take up to 8 bytes less.
/// Error:  tests/integration/analyze_test.py measures it; docs/cli.md has the figures. Not known
///         from an RDB: spare room of strings that were appended to, tables in the midst of growing
///         or not shrunk, levels of skiplist nodes (their mean is used), fragmentation.
class MemoryModel {
 public:
  enum class Layout : std::uint8_t {
    dict,       ///< Redis up to 8.0, Valkey 8.0: key, value and dict entry apart.
    kvobj,      ///< Redis from 8.2: the key is inside the object of its value.
    hashtable,  ///< Valkey from 8.1: the same, and tables of buckets without entries.
  };

  constexpr explicit MemoryModel(Layout layout = Layout::dict, bool compact = false) noexcept
      : layout_(layout), compact_(compact) {}

  /// By the value of an aux field redis-ver or valkey-ver.
  [[nodiscard]] static MemoryModel of_version(std::string_view field, std::string_view version);

  /// "redis", "redis-8.2", "valkey-8.1", "valkey-9".
  [[nodiscard]] std::string_view name() const noexcept;

  /// What the allocator hands out when asked for so much.
  [[nodiscard]] static std::uint64_t allocation(std::uint64_t bytes) noexcept;
  /// A string on its own: header, bytes, terminator.
  [[nodiscard]] static std::uint64_t sds(std::uint64_t bytes) noexcept;

  /// A key whose value is a string, or an integer of so many digits.
  [[nodiscard]] std::uint64_t string_key(std::uint64_t key_bytes, std::uint64_t bytes,
                                         bool is_integer, bool expires) const noexcept;
  /// A key and the object of its value, without the value.
  [[nodiscard]] std::uint64_t key(std::uint64_t key_bytes, bool expires) const noexcept;

  /// A table of `entries`, without what it points to.
  [[nodiscard]] std::uint64_t table(std::uint64_t entries) const noexcept;
  [[nodiscard]] std::uint64_t set_member(std::uint64_t bytes) const noexcept;
  [[nodiscard]] std::uint64_t hash_field(std::uint64_t field_bytes,
                                         std::uint64_t value_bytes) const noexcept;
  /// More for a field that expires, in a table: its time, and its place in the order of times.
  [[nodiscard]] std::uint64_t field_expiry() const noexcept;
  [[nodiscard]] std::uint64_t zset_member(std::uint64_t bytes) const noexcept;
  /// Header of a skiplist and what goes with it.
  [[nodiscard]] std::uint64_t zset() const noexcept;
  [[nodiscard]] static std::uint64_t quicklist(std::uint64_t nodes) noexcept;
  /// Of a radix tree that holds so many stream ids. MEMORY USAGE up to Redis 8.0 takes 244
  /// bytes for a node, which is more than a node has; later servers know.
  [[nodiscard]] std::uint64_t stream_tree(std::uint64_t ids) const noexcept;
  /// Least that the node of a stream takes to which entries are added.
  [[nodiscard]] std::uint64_t open_stream_node() const noexcept;

  /// The keyspace of a database: its table, and the one of expiries.
  [[nodiscard]] std::uint64_t keyspace(std::uint64_t keys, std::uint64_t expiring) const noexcept;

 private:
  [[nodiscard]] std::uint64_t object(std::uint64_t key_bytes, std::uint64_t embedded,
                                     bool expires) const noexcept;

  Layout layout_;
  bool compact_;  // Valkey from 9: no pointer beside an embedded value, larger ones embedded
};

}  // namespace sluice::engine
