#include "engine/memory_model.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <utility>

namespace sluice::engine {
namespace {

constexpr std::uint64_t robj_bytes = 16;
constexpr std::uint64_t dict_bytes = 56;
constexpr std::uint64_t dict_entry_bytes = 24;
constexpr std::uint64_t pointer_bytes = 8;
constexpr std::uint64_t bucket_bytes = 64;  // of Valkey's hashtable
constexpr std::uint64_t bucket_entries = 7;
constexpr std::uint64_t hashtable_bytes = 64;
constexpr std::uint64_t quicklist_bytes = 40;
constexpr std::uint64_t quicklist_node_bytes = 32;
constexpr std::uint64_t skiplist_level_bytes = 16;

/// Header and terminator of a string.
std::uint64_t sds_overhead(std::uint64_t bytes, bool smallest_allowed) {
  if (smallest_allowed && bytes < 32) return 1 + 1;
  if (bytes < 256) return 3 + 1;
  if (bytes < 65'536) return 5 + 1;
  return (bytes >> 32 == 0 ? 9 : 17) + 1;
}

std::pair<unsigned, unsigned> parse_version(std::string_view text) {
  std::pair<unsigned, unsigned> version;
  const char* const end = text.data() + text.size();
  const auto [dot, ec] = std::from_chars(text.data(), end, version.first);
  if (ec == std::errc() && dot != end && *dot == '.') {
    std::from_chars(dot + 1, end, version.second);
  }
  return version;
}

}  // namespace

MemoryModel MemoryModel::of_version(std::string_view field, std::string_view text) {
  const std::pair<unsigned, unsigned> version = parse_version(text);
  if (field == "valkey-ver" && version >= std::pair(8U, 1U)) {
    return MemoryModel(Layout::hashtable, version.first >= 9);
  }
  if (field == "redis-ver" && version >= std::pair(8U, 2U)) return MemoryModel(Layout::kvobj);
  return MemoryModel();
}

std::string_view MemoryModel::name() const noexcept {
  switch (layout_) {
    case Layout::dict: return "redis";
    case Layout::kvobj: return "redis-8.2";
    case Layout::hashtable: return compact_ ? "valkey-9" : "valkey-8.1";
  }
  std::unreachable();
}

std::uint64_t MemoryModel::allocation(std::uint64_t bytes) noexcept {
  if (bytes <= 8) return 8;
  if (bytes > std::uint64_t{1} << 62) return bytes;
  // Four classes between two powers of two, none closer than 16 bytes.
  const std::uint64_t step = std::max<std::uint64_t>(16, std::bit_ceil(bytes) / 8);
  return (bytes + step - 1) / step * step;
}

std::uint64_t MemoryModel::sds(std::uint64_t bytes) noexcept {
  return allocation(bytes + sds_overhead(bytes, true));
}

/// One allocation with the key, and with a value when that is embedded.
std::uint64_t MemoryModel::object(std::uint64_t key_bytes, std::uint64_t embedded,
                                  bool expires) const noexcept {
  const bool no_pointer = compact_ && embedded > 0;
  return (no_pointer ? robj_bytes - pointer_bytes : robj_bytes) + (expires ? 8 : 0) + 1 +
         key_bytes + sds_overhead(key_bytes, true) + embedded;
}

std::uint64_t MemoryModel::string_key(std::uint64_t key_bytes, std::uint64_t bytes, bool is_integer,
                                      bool expires) const noexcept {
  if (is_integer) return key(key_bytes, expires);
  const std::uint64_t value = bytes + sds_overhead(bytes, false);
  if (layout_ == Layout::dict) {
    const std::uint64_t entry = sds(key_bytes) + dict_entry_bytes;
    return entry + (bytes <= 44 ? allocation(robj_bytes + value) : robj_bytes + allocation(value));
  }
  const std::uint64_t whole = object(key_bytes, value, expires);
  const std::uint64_t embedded_max = compact_ ? 128 : 64;
  if (whole <= embedded_max) return allocation(whole);
  return key(key_bytes, expires) + allocation(value);
}

std::uint64_t MemoryModel::key(std::uint64_t key_bytes, bool expires) const noexcept {
  if (layout_ == Layout::dict) return sds(key_bytes) + dict_entry_bytes + robj_bytes;
  return allocation(object(key_bytes, 0, expires));
}

std::uint64_t MemoryModel::table(std::uint64_t entries) const noexcept {
  if (layout_ != Layout::hashtable) {
    const std::uint64_t slots = std::bit_ceil(std::max<std::uint64_t>(entries, 4));
    return dict_bytes + slots * pointer_bytes + entries * dict_entry_bytes;
  }
  const std::uint64_t buckets =
      std::bit_ceil(std::max<std::uint64_t>((entries + bucket_entries - 1) / bucket_entries, 1));
  // About one in eight has more to hold than it can, and gets another one.
  return hashtable_bytes + (buckets + (buckets > 1 ? buckets / 8 : 0)) * bucket_bytes;
}

std::uint64_t MemoryModel::set_member(std::uint64_t bytes) const noexcept { return sds(bytes); }

std::uint64_t MemoryModel::hash_field(std::uint64_t field_bytes,
                                      std::uint64_t value_bytes) const noexcept {
  if (layout_ != Layout::hashtable) return sds(field_bytes) + sds(value_bytes);
  const std::uint64_t field = field_bytes + sds_overhead(field_bytes, true);
  const std::uint64_t value = value_bytes + sds_overhead(value_bytes, false);
  constexpr std::uint64_t embedded_max = 128;
  if (field + value <= embedded_max) return allocation(field + value);
  return allocation(field + pointer_bytes) + allocation(value);
}

std::uint64_t MemoryModel::field_expiry() const noexcept {
  return layout_ == Layout::hashtable ? 36 : 24;  // measured: 23 to 41 in Valkey 9.1
}

std::uint64_t MemoryModel::zset_member(std::uint64_t bytes) const noexcept {
  // Three nodes in four have one level, three in four of the others two, and so on.
  const bool embedded = layout_ == Layout::kvobj || compact_;
  const std::uint64_t node =
      embedded ? 16 + 1 + bytes + sds_overhead(bytes, true) : 3 * pointer_bytes;
  std::uint64_t in_64 = 0;
  in_64 += 48 * allocation(node + skiplist_level_bytes);
  in_64 += 12 * allocation(node + 2 * skiplist_level_bytes);
  in_64 += 4 * allocation(node + 3 * skiplist_level_bytes);
  return in_64 / 64 + (embedded ? 0 : sds(bytes));
}

std::uint64_t MemoryModel::zset() const noexcept {
  return 16 + 32 + allocation(24 + 32 * skiplist_level_bytes);
}

std::uint64_t MemoryModel::quicklist(std::uint64_t nodes) noexcept {
  return quicklist_bytes + nodes * quicklist_node_bytes;
}

std::uint64_t MemoryModel::stream_tree(std::uint64_t ids) const noexcept {
  if (ids == 0) return 24;
  if (layout_ == Layout::dict) return 24 + ids * 16 + 2 * ids * 244;
  return 24 + (ids + ids / 4 + 1) * 40;
}

std::uint64_t MemoryModel::open_stream_node() const noexcept {
  return layout_ == Layout::kvobj ? 0 : 4096;
}

std::uint64_t MemoryModel::keyspace(std::uint64_t keys, std::uint64_t expiring) const noexcept {
  std::uint64_t bytes = table(keys);
  if (layout_ == Layout::dict) bytes -= keys * dict_entry_bytes;  // key() has them
  if (expiring > 0) bytes += table(expiring);
  return bytes;
}

}  // namespace sluice::engine
