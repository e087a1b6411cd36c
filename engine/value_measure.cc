#include "engine/value_measure.h"

#include <algorithm>
#include <utility>

#include "rdb/module_id.h"

namespace sluice::engine {
namespace {

constexpr std::uint64_t stream_struct_bytes = 96;
constexpr std::uint64_t group_struct_bytes = 48;
constexpr std::uint64_t consumer_struct_bytes = 48;
constexpr std::uint64_t nack_struct_bytes = 32;
constexpr std::uint64_t array_slot_bytes = 16;

constexpr std::uint64_t list_node_max_bytes = 8192;
/// Head and back length of a listpack element, and what a listpack begins with.
constexpr std::uint64_t listpack_element_bytes = 3;
constexpr std::uint64_t listpack_head_bytes = 7;

}  // namespace

void ValueMeasure::begin(const rdb::RecordHeader& record, unsigned rdb_version) {
  value_ = {.type = record.type->logical,
            .rdb_version = rdb_version,
            .key_bytes = record.key.size(),
            .expires = record.expire_at_ms.has_value(),
            .module = {}};
}

std::uint64_t ValueMeasure::elements() const noexcept {
  using enum rdb::LogicalType;
  return value_.type == string || value_.type == module ? 1 : value_.elements;
}

bool ValueMeasure::on_string(const rdb::StoredString& string) {
  switch (string.part) {
    case rdb::Part::string:
      value_.string_bytes = string.bytes;
      value_.is_integer = string.is_integer;
      break;
    case rdb::Part::element:  // lists are quicklists on every server of today
      value_.loose_bytes += string.bytes + listpack_element_bytes;
      break;
    case rdb::Part::member:
      value_.has_table = true;
      value_.loose_bytes += value_.type == rdb::LogicalType::zset ? model_.zset_member(string.bytes)
                                                                  : model_.set_member(string.bytes);
      break;
    case rdb::Part::field: value_.field_bytes = string.bytes; break;
    case rdb::Part::value:
      value_.has_table = true;
      value_.loose_bytes += model_.hash_field(value_.field_bytes, string.bytes);
      break;
    case rdb::Part::consumer: ++value_.consumers; [[fallthrough]];
    case rdb::Part::group:
    case rdb::Part::producer:
    case rdb::Part::item:
    case rdb::Part::array_text: value_.loose_bytes += MemoryModel::sds(string.bytes); break;
    case rdb::Part::node_id:
    case rdb::Part::module_text: break;
    default: add_blob(string.bytes); break;  // an inner encoding, or a large list element
  }
  return true;
}

void ValueMeasure::add_blob(std::uint64_t bytes) {
  ++value_.blobs;
  value_.last_blob_bytes = MemoryModel::allocation(bytes);
  value_.blob_bytes += value_.last_blob_bytes;
}

bool ValueMeasure::on_text(rdb::Role, const rdb::Text& text) {
  value_.elements += text.last ? 1 : 0;
  return true;
}

bool ValueMeasure::on_number(rdb::Role role, std::uint64_t number) {
  if (role == rdb::Role::field_expiry) {
    ++value_.expiring_fields;
    if (value_.has_table) value_.loose_bytes += model_.field_expiry();
  }
  if (role == rdb::Role::array_index) ++value_.elements;
  if (role == rdb::Role::module_id) value_.module = rdb::module_name(number);
  return true;
}

bool ValueMeasure::on_stream_id(rdb::Role role, rdb::StreamId) {
  if (role == rdb::Role::entry) ++value_.elements;
  if (role == rdb::Role::group_last_id) ++value_.groups;
  if (role == rdb::Role::pending || role == rdb::Role::consumer_pending) ++value_.pending;
  return true;
}

std::uint64_t ValueMeasure::memory_bytes(std::uint64_t value_bytes) const noexcept {
  using enum rdb::LogicalType;
  if (value_.type == string)
    return model_.string_key(value_.key_bytes, value_.string_bytes, value_.is_integer,
                             value_.expires);
  const std::uint64_t key = model_.key(value_.key_bytes, value_.expires);
  switch (value_.type) {
    case set:
    case hash:
      return key + (value_.has_table ? model_.table(value_.elements) + value_.loose_bytes
                                     : value_.blob_bytes);
    case zset:
      return key + (value_.has_table
                        ? model_.zset() + model_.table(value_.elements) + value_.loose_bytes
                        : value_.blob_bytes);
    case list: return key + list_bytes();
    case stream: return key + stream_bytes();
    case array: return key + array_slot_bytes * value_.elements + value_.loose_bytes;
    case module: return key + value_bytes;
    case string: break;
  }
  std::unreachable();
}

std::uint64_t ValueMeasure::list_bytes() const noexcept {
  constexpr unsigned listpack_version = 11;  // Redis 7.2: short lists have no quicklist
  if (value_.blobs == 1 && value_.rdb_version >= listpack_version) return value_.blob_bytes;
  if (value_.blobs > 0) return MemoryModel::quicklist(value_.blobs) + value_.blob_bytes;
  const std::uint64_t nodes = std::max<std::uint64_t>(
      1, (value_.loose_bytes + list_node_max_bytes - 1) / list_node_max_bytes);
  return MemoryModel::quicklist(nodes) + value_.loose_bytes + nodes * listpack_head_bytes;
}

std::uint64_t ValueMeasure::stream_bytes() const noexcept {
  std::uint64_t bytes = stream_struct_bytes + model_.stream_tree(value_.blobs) + value_.blob_bytes;
  if (value_.blobs > 0) {
    const std::uint64_t open = model_.open_stream_node();
    bytes += open > value_.last_blob_bytes ? open - value_.last_blob_bytes : 0;
  }
  if (value_.groups == 0) return bytes;
  // Each pending id stands in the tree of its group and, once more, in that of its consumer.
  return bytes + value_.groups * group_struct_bytes + value_.consumers * consumer_struct_bytes +
         model_.stream_tree(value_.pending) + value_.pending / 2 * nack_struct_bytes +
         value_.loose_bytes;
}

}  // namespace sluice::engine
