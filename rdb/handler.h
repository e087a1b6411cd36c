#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "rdb/value_type.h"

namespace sluice::rdb {

/// The nine bytes at the start.
struct Header {
  Dialect dialect{};
  unsigned version = 0;  ///< 1.. under the Redis magic, 80.. under Valkey's.
};

/// What stands before a key and at it. `key` and `key_meta` live only as long as the call.
struct RecordHeader {
  std::uint64_t index = 0;  ///< Records before this one.
  std::uint64_t offset =
      0;                 ///< Stream offset of its first byte, expiry and other prefixes included.
  std::uint64_t db = 0;  ///< DB index.
  const ValueType* type = nullptr;           ///< Never null in a call.
  std::uint64_t value_offset = 0;            ///< Stream offset of the first byte of the value.
  std::span<const std::byte> key;            ///< Decoded: no length, no LZF, no integer form.
  std::optional<std::int64_t> expire_at_ms;  ///< Absolute Unix time.
  std::optional<std::uint64_t> lru_idle_s;
  std::optional<std::uint8_t> lfu_freq;
  std::span<const std::byte> key_meta;  ///< KEY_META as it stands in the stream, opcode included.
};

/// How the stream ended.
struct Trailer {
  enum class Checksum : std::uint8_t {
    ok,      ///< Present and right. A wrong one is an error, never a Trailer.
    absent,  ///< Before version 5, or zero: switched off by the writer.
  };
  Checksum checksum{};
  std::uint64_t crc64 = 0;    ///< Over all bytes up to the EOF opcode, computed here.
  std::uint64_t bytes = 0;    ///< Length of the whole stream, footer included.
  std::uint64_t records = 0;  ///< Keys.
};

/// Receives what a Parser finds, in stream order. Spans are valid only during the call. Returning
/// false stops the parser with Errc::stopped. What is not overridden is accepted and ignored.
class Handler {
 public:
  Handler() = default;
  Handler(const Handler&) = delete;
  Handler& operator=(const Handler&) = delete;
  virtual ~Handler() = default;

  virtual bool on_header(const Header&) { return true; }
  /// An aux field, anywhere in the stream; both strings decoded.
  virtual bool on_aux(std::span<const std::byte> /*key*/, std::span<const std::byte> /*value*/) {
    return true;
  }
  /// SELECTDB.
  virtual bool on_database(std::uint64_t /*db*/) { return true; }
  /// RESIZEDB: hints, which may be wrong.
  virtual bool on_database_size(std::uint64_t /*keys*/, std::uint64_t /*expires*/) { return true; }
  /// The source of one function library, from its shebang line on.
  virtual bool on_function(std::span<const std::byte> /*source*/) { return true; }
  /// Data that a module keeps outside of keys. `when`: 1 before the keys, 2 after them.
  virtual bool on_module_aux(std::uint64_t /*module_id*/, std::uint64_t /*when*/) { return true; }
  /// Bytes of an aux field, a function or module aux data exactly as in the stream, opcode
  /// included, in order; cut as on_value_part() is. The event of each comes after its last byte.
  virtual bool on_metadata_part(std::span<const std::byte> /*part*/) { return true; }

  /// A key begins. Followed by take_value(), on_value_part() calls and one on_record_end().
  virtual bool on_record_begin(const RecordHeader&) { return true; }
  /// Asked once after on_record_begin(), for a handler that reads values anyway, so that they need
  /// not be delimited as well. `bytes` begin with the value and go on with what follows it, as far
  /// as either has come. Returns the bytes of the value if all of it is there and nothing is wrong
  /// with it: then it does not come in parts. Else 0: it comes in parts, as if nobody had asked.
  virtual std::size_t take_value(const RecordHeader&, std::span<const std::byte> /*bytes*/) {
    return 0;
  }
  /// Bytes of the serialised value exactly as in the stream, in order, without the type byte. How
  /// they are cut depends on how the stream was fed; put together they do not. So does how much of
  /// a value came before an error in it: parts without their on_record_end() are to be dropped.
  virtual bool on_value_part(std::span<const std::byte> /*part*/) { return true; }
  /// The key is complete; `offset` is that of the first byte after it.
  virtual bool on_record_end(std::uint64_t /*offset*/) { return true; }

  virtual bool on_end(const Trailer&) { return true; }
};

}  // namespace sluice::rdb
