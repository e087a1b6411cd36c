#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>

#include "rdb/error.h"
#include "rdb/handler.h"
#include "rdb/value_handler.h"

namespace sluice::rdb {

/// A set of roles.
class Roles {
 public:
  constexpr Roles() = default;
  constexpr Roles(std::initializer_list<Role> roles) {
    for (const Role role : roles) bits_ |= bit(role);
  }
  [[nodiscard]] static constexpr Roles all() noexcept {
    Roles roles;
    roles.bits_ = ~std::uint64_t{0};
    return roles;
  }
  [[nodiscard]] constexpr bool has(Role role) const noexcept { return (bits_ & bit(role)) != 0; }

 private:
  static constexpr std::uint64_t bit(Role role) {
    return std::uint64_t{1} << static_cast<int>(role);
  }
  std::uint64_t bits_ = 0;
};

struct ReadOptions {
  /// Texts of other roles are checked but not handed on, which is cheaper.
  Roles texts = Roles::all();
  /// Also on_string() for every string there is.
  bool sizes = false;
  /// Depth verify: also what a server checks with sanitize-dump-payload yes, and more
  /// (docs/rdb.md): duplicates, order, empty values, counts that disagree, stream references. Off,
  /// only what keeps the value from being read is refused.
  bool strict = true;
};

/// Reads one serialised value after the other at depth decode (or verify, with a handler that
/// ignores what it is told), from the parts that a Parser hands on:
///
///     reader.begin(record, header);   // in on_record_begin
///     reader.feed(part);              // in on_value_part: any cut, the same events
///     reader.end();                   // in on_record_end
///
/// After an error the rest of the value may be skipped and the next one begun.
///
/// Memory:  64 KiB, whatever the size of the value; plus, when strict, eight to sixteen bytes for
///          each element of a set, sorted set or hash, up to `duplicates_tracked_max` of them (more
///          are not compared, see unchecked()), and the field names that stream entries share.
/// Errors:  offsets are those of the stream, given RecordHeader::value_offset.
/// Threads: none; one reader, one thread at a time.
class ValueReader {
 public:
  static constexpr std::uint64_t duplicates_tracked_max = 3 << 19;

  explicit ValueReader(ValueHandler& handler, ReadOptions options = {});
  ~ValueReader();
  ValueReader(const ValueReader&) = delete;
  ValueReader& operator=(const ValueReader&) = delete;

  /// `record` is used during the call only.
  void begin(const RecordHeader& record, const Header& header);
  /// begin() and feed() of the value that `bytes` begin with; they may go on behind it. Returns the
  /// bytes of the value if all of it is there and nothing is wrong with it: then end() has been
  /// done too. Else 0, and feed() is to be called with what follows `bytes`, even if that is
  /// nothing: it returns what was wrong.
  [[nodiscard]] std::size_t begin_with(const RecordHeader& record, const Header& header,
                                       std::span<const std::byte> bytes);
  [[nodiscard]] Result<void> feed(std::span<const std::byte> part);
  /// No more parts will come. Errc::truncated when the value is not complete.
  [[nodiscard]] Result<void> end();

  /// Values so far whose elements were too many to look for duplicates among all of them.
  [[nodiscard]] std::uint64_t unchecked() const noexcept;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sluice::rdb
