#include "rdb/value_type.h"

namespace sluice::rdb {
namespace {

using enum Op;
using L = LogicalType;

using P = Part;
using I = Instruction;

// Streams grew by appending fields; see rdbSaveObject() of each version.
constexpr std::array nodes{
    I{count}, I{loop}, I{str, P::node_id}, I{str, P::node}, I{next},
};
constexpr std::array length{I{len, P::length}, I{len, P::last_ms}, I{len, P::last_seq}};
constexpr std::array history{I{len, P::first_ms}, I{len, P::first_seq}, I{len, P::deleted_ms},
                             I{len, P::deleted_seq}, I{len, P::added}};
constexpr std::array group{I{count, P::groups}, I{loop}, I{str, P::group}, I{len, P::group_ms},
                           I{len, P::group_seq}};
constexpr std::array group_read{I{len, P::group_read}};
constexpr std::array pending{I{count},
                             I{loop},
                             I{fixed16, P::pending_id},
                             I{fixed8, P::pending_time},
                             I{len, P::pending_count},
                             I{next}};
constexpr std::array consumers{I{count, P::consumers},          I{loop},  I{str, P::consumer},
                               I{fixed8, P::consumer_seen},     I{count}, I{loop},
                               I{fixed16, P::consumer_pending}, I{next},  I{next}};
constexpr std::array active_consumers{I{count, P::consumers},
                                      I{loop},
                                      I{str, P::consumer},
                                      I{fixed8, P::consumer_seen},
                                      I{fixed8, P::consumer_active},
                                      I{count},
                                      I{loop},
                                      I{fixed16, P::consumer_pending},
                                      I{next},
                                      I{next}};
constexpr std::array nacked{I{count, P::nacks}, I{loop}, I{fixed16, P::nacked}, I{next}};
constexpr std::array group_end{I{next, P::group_done}};
constexpr std::array idempotency{I{len, P::seconds},
                                 I{len, P::items},
                                 I{count, P::producers},
                                 I{loop},
                                 I{str, P::producer},
                                 I{count, P::producer_items},
                                 I{loop},
                                 I{str, P::item},
                                 I{len, P::item_ms},
                                 I{len, P::item_seq},
                                 I{next},
                                 I{next},
                                 I{len, P::items_added},
                                 I{len, P::items_duplicate}};

constexpr Program stream_1 = Program::join(nodes, length, group, pending, consumers, group_end);
constexpr Program stream_2 =
    Program::join(nodes, length, history, group, group_read, pending, consumers, group_end);
constexpr Program stream_3 =
    Program::join(nodes, length, history, group, group_read, pending, active_consumers, group_end);
constexpr Program stream_4 = Program::join(nodes, length, history, group, group_read, pending,
                                           active_consumers, group_end, idempotency);
constexpr Program stream_5 = Program::join(nodes, length, history, group, group_read, pending,
                                           active_consumers, nacked, group_end, idempotency);

constexpr std::array common_types{
    ValueType{0, "string", L::string, 1, true, Program{{str, P::string}}},
    ValueType{1, "list", L::list, 1, true,
              Program{{count, P::elements}, loop, {str, P::element}, next}},
    ValueType{2, "set", L::set, 1, true,
              Program{{count, P::elements}, loop, {str, P::member}, next}},
    ValueType{
        3, "zset", L::zset, 1, true,
        Program{{count, P::elements}, loop, {str, P::member}, {ascii_double, P::score}, next}},
    ValueType{4, "hash", L::hash, 1, true,
              Program{{count, P::elements}, loop, {str, P::field}, {str, P::value}, next}},
    ValueType{5, "zset_2", L::zset, 8, true,
              Program{{count, P::elements}, loop, {str, P::member}, {fixed8, P::score}, next}},
    ValueType{7, "module_2", L::module, 8, true, Program{{len, P::module}, module_items}},
    ValueType{9, "hash_zipmap", L::hash, 1, true, Program{{str, P::hash_zipmap}}},
    ValueType{10, "list_ziplist", L::list, 2, true, Program{{str, P::ziplist}}},
    ValueType{11, "set_intset", L::set, 2, true, Program{{str, P::intset}}},
    ValueType{12, "zset_ziplist", L::zset, 2, true, Program{{str, P::zset_ziplist}}},
    ValueType{13, "hash_ziplist", L::hash, 4, true, Program{{str, P::hash_ziplist}}},
    ValueType{14, "list_quicklist", L::list, 7, true,
              Program{count, loop, {str, P::ziplist}, next}},
    ValueType{15, "stream_listpacks", L::stream, 9, true, stream_1},
    ValueType{16, "hash_listpack", L::hash, 10, true, Program{{str, P::hash_listpack}}},
    ValueType{17, "zset_listpack", L::zset, 10, true, Program{{str, P::zset_listpack}}},
    ValueType{18, "list_quicklist_2", L::list, 10, true,
              Program{count, loop, container, {str, P::quicklist_node}, next}},
    ValueType{19, "stream_listpacks_2", L::stream, 10, true, stream_2},
    ValueType{20, "set_listpack", L::set, 11, true, Program{{str, P::set_listpack}}},
    ValueType{21, "stream_listpacks_3", L::stream, 11, true, stream_3},
};

constexpr std::array redis_types{
    // The two of the 7.4 release candidates; released servers read them too, also in RESTORE.
    ValueType{22, "hash_metadata_pre_ga", L::hash, 12, true,
              Program{{count, P::elements},
                      loop,
                      {len, P::expiry_before},
                      {str, P::field},
                      {str, P::value},
                      next}},
    ValueType{23, "hash_listpack_ex_pre_ga", L::hash, 12, true,
              Program{{str, P::hash_expiry_listpack}}},
    ValueType{24, "hash_metadata", L::hash, 12, true,
              Program{{fixed8, P::min_expiry},
                      {count, P::elements},
                      loop,
                      {len, P::relative_expiry},
                      {str, P::field},
                      {str, P::value},
                      next}},
    ValueType{25, "hash_listpack_ex", L::hash, 12, true,
              Program{{fixed8, P::min_expiry}, {str, P::hash_expiry_listpack}}},
    ValueType{26, "stream_listpacks_4", L::stream, 13, true, stream_4},
    ValueType{27, "stream_listpacks_5", L::stream, 14, true, stream_5},
    ValueType{
        28, "array", L::array, 14, true,
        Program{{count, P::elements}, flagged_len, loop, {len, P::array_index}, array_value, next}},
};

constexpr std::array valkey_types{
    ValueType{22, "hash_2", L::hash, 80, true,
              Program{{count, P::elements},
                      loop,
                      {str, P::field},
                      {str, P::value},
                      {fixed8, P::expiry_after},
                      next}},
};

template <std::size_t size>
constexpr std::array<const ValueType*, 256> index_types(const std::array<ValueType, size>& own) {
  std::array<const ValueType*, 256> index{};
  for (const ValueType& type : common_types) index[type.number] = &type;
  for (const ValueType& type : own) index[type.number] = &type;
  return index;
}

constexpr auto redis_index = index_types(redis_types);
constexpr auto valkey_index = index_types(valkey_types);

}  // namespace

std::string_view to_string(LogicalType type) noexcept {
  switch (type) {
    case L::string: return "string";
    case L::list: return "list";
    case L::set: return "set";
    case L::zset: return "zset";
    case L::hash: return "hash";
    case L::stream: return "stream";
    case L::module: return "module";
    case L::array: return "array";
  }
  return "unknown";
}

const ValueType* find_value_type(Dialect dialect, std::uint8_t number) noexcept {
  return dialect == Dialect::redis ? redis_index[number] : valkey_index[number];
}

}  // namespace sluice::rdb
