#include "rdb/value_type.h"

namespace sluice::rdb {
namespace {

using enum Op;
using L = LogicalType;

constexpr Program one_string{str};
constexpr Program strings{count, loop, str, next};
constexpr Program pairs{count, loop, str, str, next};

/// Streams grew by appending fields; see rdbSaveObject() of each version.
constexpr Program stream_1{
    count, loop, str,     str,    next,  len,  len,     len,         // nodes; length, last id
    count, loop,                                                     // groups:
    str,   len,  len,                                                //   name, last delivered id
    count, loop, fixed16, fixed8, len,   next,                       //   PEL: id, time, deliveries
    count, loop, str,     fixed8, count, loop, fixed16, next, next,  //   consumers: name, seen, ids
    next};
constexpr Program stream_2{
    count, loop, str,     str,    next,  len,  len,     len,  //
    len,   len,  len,     len,    len,          // first id, max deleted id, entries added
    count, loop,                                //
    str,   len,  len,     len,                  // entries read
    count, loop, fixed16, fixed8, len,   next,  //
    count, loop, str,     fixed8, count, loop, fixed16, next, next,  //
    next};
constexpr Program stream_3{count, loop, str,     str,    next,   len,   len,  len,  //
                           len,   len,  len,     len,    len,                       //
                           count, loop,                                             //
                           str,   len,  len,     len,                               //
                           count, loop, fixed16, fixed8, len,    next,              //
                           count, loop, str,     fixed8, fixed8, count, loop, fixed16,
                           next,  next,  // active time
                           next};
constexpr Program stream_4{count, loop, str,     str,    next,   len,   len,  len,  //
                           len,   len,  len,     len,    len,                       //
                           count, loop,                                             //
                           str,   len,  len,     len,                               //
                           count, loop, fixed16, fixed8, len,    next,              //
                           count, loop, str,     fixed8, fixed8, count, loop, fixed16,
                           next,  next,  //
                           next,         //
                           len,   len,   // idempotency: duration, max entries
                           count, loop, str,     count,  loop,   str,   len,  len,
                           next,  next,  // producers: id, {iid, id}
                           len,   len};  // ids added, duplicates
constexpr Program stream_5{
    count, loop, str,     str,    next,   len,   len,  len,                  //
    len,   len,  len,     len,    len,                                       //
    count, loop,                                                             //
    str,   len,  len,     len,                                               //
    count, loop, fixed16, fixed8, len,    next,                              //
    count, loop, str,     fixed8, fixed8, count, loop, fixed16, next, next,  //
    count, loop, fixed16, next,                                              // NACK zone
    next,                                                                    //
    len,   len,                                                              //
    count, loop, str,     count,  loop,   str,   len,  len,     next, next,  //
    len,   len};

constexpr std::array common_types{
    ValueType{0, "string", L::string, 1, true, one_string},
    ValueType{1, "list", L::list, 1, true, strings},
    ValueType{2, "set", L::set, 1, true, strings},
    ValueType{3, "zset", L::zset, 1, true, Program{count, loop, str, ascii_double, next}},
    ValueType{4, "hash", L::hash, 1, true, pairs},
    ValueType{5, "zset_2", L::zset, 8, true, Program{count, loop, str, fixed8, next}},
    ValueType{7, "module_2", L::module, 8, true, Program{len, module_items}},
    ValueType{9, "hash_zipmap", L::hash, 1, true, one_string},
    ValueType{10, "list_ziplist", L::list, 2, true, one_string},
    ValueType{11, "set_intset", L::set, 2, true, one_string},
    ValueType{12, "zset_ziplist", L::zset, 2, true, one_string},
    ValueType{13, "hash_ziplist", L::hash, 4, true, one_string},
    ValueType{14, "list_quicklist", L::list, 7, true, strings},
    ValueType{15, "stream_listpacks", L::stream, 9, true, stream_1},
    ValueType{16, "hash_listpack", L::hash, 10, true, one_string},
    ValueType{17, "zset_listpack", L::zset, 10, true, one_string},
    ValueType{18, "list_quicklist_2", L::list, 10, true,
              Program{count, loop, container, str, next}},
    ValueType{19, "stream_listpacks_2", L::stream, 10, true, stream_2},
    ValueType{20, "set_listpack", L::set, 11, true, one_string},
    ValueType{21, "stream_listpacks_3", L::stream, 11, true, stream_3},
};

constexpr std::array redis_types{
    // The two of the 7.4 release candidates; released servers read them too, also in RESTORE.
    ValueType{22, "hash_metadata_pre_ga", L::hash, 12, true,
              Program{count, loop, len, str, str, next}},
    ValueType{23, "hash_listpack_ex_pre_ga", L::hash, 12, true, one_string},
    ValueType{24, "hash_metadata", L::hash, 12, true,
              Program{fixed8, count, loop, len, str, str, next}},
    ValueType{25, "hash_listpack_ex", L::hash, 12, true, Program{fixed8, str}},
    ValueType{26, "stream_listpacks_4", L::stream, 13, true, stream_4},
    ValueType{27, "stream_listpacks_5", L::stream, 14, true, stream_5},
    ValueType{28, "array", L::array, 14, true,
              Program{count, flagged_len, loop, len, array_value, next}},
};

constexpr std::array valkey_types{
    ValueType{22, "hash_2", L::hash, 80, true, Program{count, loop, str, str, fixed8, next}},
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
