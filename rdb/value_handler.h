#pragma once

#include <bit>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "rdb/value_type.h"

namespace sluice::rdb {

/// Id of a stream entry.
struct StreamId {
  std::uint64_t ms = 0;
  std::uint64_t seq = 0;

  friend auto operator<=>(const StreamId&, const StreamId&) = default;
};

/// The id in the first 16 of `bytes`: two big-endian numbers, as streams store it, and as bytes
/// compare as ids do.
[[nodiscard]] inline StreamId stream_id_of(std::span<const std::byte> bytes) noexcept {
  StreamId id;
  std::memcpy(&id.ms, bytes.data(), sizeof id.ms);
  std::memcpy(&id.seq, bytes.data() + sizeof id.ms, sizeof id.seq);
  return {.ms = std::byteswap(id.ms), .seq = std::byteswap(id.seq)};
}

/// What a piece of a value is, whatever its encoding.
enum class Role : std::uint8_t {
  // Texts.
  string,         ///< The whole of a string.
  element,        ///< Of a list, from head to tail.
  member,         ///< Of a set or sorted set.
  field,          ///< Of a hash.
  value,          ///< Of the hash field before it.
  entry_field,    ///< Of a stream entry.
  entry_value,    ///< Of the entry field before it.
  group,          ///< Name of a consumer group.
  consumer,       ///< Name of a consumer in the group before it.
  producer,       ///< Id of an idempotent producer of a stream.
  producer_item,  ///< Id that the producer before it gave to an entry.
  array_text,     ///< Element of an array.
  module_text,    ///< String written by a module.

  // Numbers.
  field_expiry,    ///< Of the field before it: absolute Unix time in ms. Only where there is one.
  stream_length,   ///< Live entries.
  entries_added,   ///< Ever.
  entries_read,    ///< By the group; -1 (two's complement) is unknown.
  delivery_time,   ///< Of the pending id before it: Unix ms.
  delivery_count,  ///< Of the pending id before it.
  seen_time,       ///< Of the consumer: Unix ms.
  active_time,     ///< Of the consumer: Unix ms; -1 (two's complement) is never.
  idempotency_seconds,  ///< How long producer items are remembered.
  idempotency_items,    ///< How many of them at most.
  items_added,          ///< Producer items, ever.
  items_duplicate,      ///< Producer items refused, ever.
  array_insert_index,   ///< Where ARINSERT went last. Only where there is one.
  array_index,          ///< Of the array element that follows.
  array_integer,        ///< Element of an array, two's complement.
  module_id,            ///< Name and encoding version of a module type.
  module_signed,        ///< Number written by a module, two's complement.
  module_unsigned,      ///< Number written by a module.

  // Reals.
  score,          ///< Of the member before it. Never NaN.
  array_real,     ///< Element of an array.
  module_float,   ///< f32 written by a module, widened.
  module_double,  ///< f64 written by a module.

  // Stream ids.
  entry,             ///< A live entry begins.
  last_id,           ///< Of the stream.
  first_id,          ///< Of the stream; 0-0 when it is empty.
  max_deleted_id,    ///< Of the stream.
  group_last_id,     ///< Last delivered id of the group before it.
  pending,           ///< Of the group: delivered, not acknowledged.
  consumer_pending,  ///< Belongs to the consumer before it; always one of the group's `pending`.
  nacked,            ///< One of the group's `pending` that belongs to no consumer.
  producer_entry,    ///< Entry of the producer item before it.
};

/// A part of a byte string. Most come in one part: then `first` and `last` are both set. An empty
/// string is one empty part.
struct Text {
  std::span<const std::byte> bytes;  ///< Valid only during the call. Numbers come as decimal text.
  std::uint64_t size = 0;            ///< Of all parts together; the same in each.
  bool first = true;
  bool last = true;
};

/// A string as it stands in the serialised value: a text, or an inner encoding with texts in it.
struct StoredString {
  Part part = Part::none;
  std::uint64_t bytes = 0;  ///< Once expanded; of the decimal text when it is an integer.
  bool is_integer = false;
};

/// Receives what a ValueReader finds in a value, in the order of the value:
///
///     string  text
///     list    element*
///     set     member*
///     zset    (member score)*                      in the order of the encoding
///     hash    (field value [field_expiry])*
///     stream  (entry (entry_field entry_value)*)*  ascending, live entries only
///             stream_length last_id first_id max_deleted_id entries_added
///             (group group_last_id entries_read
///               (pending delivery_time delivery_count)*
///               (consumer seen_time active_time consumer_pending*)*
///               nacked*)*
///             [idempotency_seconds idempotency_items
///               (producer (producer_item producer_entry)*)*
///               items_added items_duplicate]
///     array   [array_insert_index] (array_index (array_text | array_integer | array_real))*
///     module  module_id (module_text | module_signed | module_unsigned | module_float |
///             module_double)*
///
/// What older stream encodings lack is filled in as a current server does when it loads them.
/// Events before an error do not depend on the cut, but for how much of a text that it is in comes.
/// Returning false stops the reader with Errc::stopped. What is not overridden is ignored.
class ValueHandler {
 public:
  ValueHandler() = default;
  ValueHandler(const ValueHandler&) = delete;
  ValueHandler& operator=(const ValueHandler&) = delete;
  virtual ~ValueHandler() = default;

  /// A string begins, whatever ReadOptions::texts says; told before what is in it. Only with
  /// ReadOptions::sizes: for those who want to know how large things are and not what they are.
  virtual bool on_string(const StoredString&) { return true; }
  virtual bool on_text(Role, const Text&) { return true; }
  /// Signed numbers in two's complement.
  virtual bool on_number(Role, std::uint64_t) { return true; }
  virtual bool on_real(Role, double) { return true; }
  virtual bool on_stream_id(Role, StreamId) { return true; }
};

}  // namespace sluice::rdb
