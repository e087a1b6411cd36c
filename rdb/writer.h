#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "rdb/handler.h"
#include "rdb/lzf_compressor.h"
#include "rdb/value_handler.h"

namespace sluice::rdb {

struct WriteOptions {
  /// Strings above 20 bytes as LZF where that saves at least 4, as servers do by default. Only
  /// strings of up to Writer::gather_bytes_max.
  bool compress = false;
  bool checksum = true;  ///< Off, zero stands in its place, which readers take for "not computed".
};

/// Writes an RDB stream token by token: the bytes and the CRC64 are right, the order of the tokens
/// is the caller's.
///
///     Writer writer({Dialect::redis, 11}, sink);
///     writer.begin();
///     writer.aux("redis-ver", "7.2.0");
///     writer.select_db(0);
///     writer.expire_at_ms(when);           // what belongs to the key that follows
///     writer.record(type, key);
///     writer.raw(part);                    // the value as it stands in a stream of this version
///     writer.end();
///
/// Source:  Redis src/rdb.c rdbSaveRio(), rdbSaveLen(), rdbSaveRawString().
/// Memory:  192 KiB, and 128 KiB when it compresses.
/// Errors:  none of its own; a sink that cannot write keeps that in mind.
/// Threads: none; one writer, one thread at a time.
class Writer {
 public:
  /// Takes all of the bytes, which are valid only during the call.
  using Sink = std::function<void(std::span<const std::byte>)>;

  /// Strings up to here are looked at whole, whatever the parts they come in, for a shorter form.
  static constexpr std::size_t gather_bytes_max = 64 << 10;

  Writer(const Header& header, Sink sink, WriteOptions options = {});
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  [[nodiscard]] const Header& header() const noexcept { return header_; }

  // The stream.
  /// The nine bytes of the magic.
  void begin();
  /// Precondition: version 7 or above. So with resize_db().
  void aux(std::span<const std::byte> key, std::span<const std::byte> value);
  void aux(std::string_view key, std::string_view value);
  void select_db(std::uint64_t db);
  void resize_db(std::uint64_t keys, std::uint64_t expires);
  /// Precondition: version 10 or above.
  void function(std::span<const std::byte> source);
  void expire_at_ms(std::int64_t when);
  /// Precondition: version 9 or above. So with freq().
  void idle(std::uint64_t seconds);
  void freq(std::uint8_t frequency);
  /// The type and the key; the value follows.
  void record(std::uint8_t type, std::span<const std::byte> key);
  /// The end, and the checksum. Nothing may follow.
  void end();
  /// Hands on what is still held here.
  void flush();

  // The tokens that values are made of.
  void byte(std::uint8_t value);
  /// Precondition: below version 8, at most 2^32 - 1.
  void len(std::uint64_t value);
  void fixed8(std::uint64_t value);
  void ascii_double(double value);
  /// STR in the shortest form.
  void string(std::span<const std::byte> text);
  /// The same of a text that comes in parts: each in turn.
  void string_part(const Text& part);
  /// Bytes as they are.
  void raw(std::span<const std::byte> bytes);

  /// Bytes so far.
  [[nodiscard]] std::uint64_t bytes() const noexcept { return handed_on_ + held_; }

 private:
  void whole_string(std::span<const std::byte> text);
  bool integer_string(std::span<const std::byte> text);
  bool compressed_string(std::span<const std::byte> text);
  void token(const void* from, std::size_t size);
  void hand_on(std::span<const std::byte> bytes);

  Header header_;
  Sink sink_;
  WriteOptions options_;
  std::unique_ptr<std::byte[]> buffer_;
  std::size_t held_ = 0;  // bytes of it
  std::uint64_t handed_on_ = 0;
  std::uint64_t crc_ = 0;                  // of what was handed on
  std::vector<std::byte> gathered_;        // of a string that comes in parts
  std::optional<LzfCompressor> lzf_;       // when it compresses
  std::unique_ptr<std::byte[]> squeezed_;  // likewise
};

}  // namespace sluice::rdb
