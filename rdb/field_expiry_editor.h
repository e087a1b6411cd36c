#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "rdb/byte_cursor.h"
#include "rdb/program_run.h"
#include "rdb/value_type.h"

namespace sluice::rdb {

/// What becomes of expiries. All times are absolute, Unix ms.
struct ExpiryChange {
  enum class Kind : std::uint8_t {
    drop,   ///< None is left, but for what had expired at the snapshot: that does not come back.
    shift,  ///< Moved by `by_ms`.
  };
  Kind kind = Kind::drop;
  std::int64_t by_ms = 0;
  /// When the data were as they are here; the least there is when that is not known.
  std::int64_t snapshot_ms = std::numeric_limits<std::int64_t>::min();

  /// The new time of a field; none when it does not expire any more.
  [[nodiscard]] std::optional<std::int64_t> of(std::int64_t at_ms) const noexcept;
};

/// A sum that stops at either end.
[[nodiscard]] std::int64_t add_times(std::int64_t at_ms, std::int64_t by_ms) noexcept;

/// Changes the expiries of the fields of a hash in its serialised value, without changing how it is
/// encoded: numbers are overwritten by others of the same width, which servers read too. So the
/// value of a hash table, whatever its size, keeps its length and passes through in parts:
///
///     editor.begin(type, change);
///     auto edited = editor.feed(part);   // any cut; what is cut within a number comes later
///     editor.complete();
///
/// A listpack is edited as a whole. Compressed, it is compressed again, and may change its length.
///
/// Memory:  a copy of the part. Threads: none; one at a time.
/// Errors:  one line on what is wrong with the value.
class FieldExpiryEditor {
 public:
  template <class T>
  using Result = std::expected<T, std::string>;

  /// Whether fields of the type can have expiries at all.
  [[nodiscard]] static bool concerns(const ValueType& type) noexcept;
  /// Whether the fields are in a listpack, which edit_listpack() takes.
  [[nodiscard]] static bool is_listpack(const ValueType& type) noexcept;

  /// Precondition: concerns(type), not is_listpack(type).
  void begin(const ValueType& type, const ExpiryChange& change);
  /// The edited bytes, valid until the next call.
  [[nodiscard]] Result<std::span<const std::byte>> feed(std::span<const std::byte> part);
  /// Whether the value has ended.
  [[nodiscard]] bool complete() const noexcept { return run_.op() == Op::end; }

  /// Precondition: is_listpack(type). `plain_bytes_max`: of the listpack, when it is compressed.
  [[nodiscard]] static Result<std::vector<std::byte>> edit_listpack(
      const ValueType& type, const ExpiryChange& change, std::span<const std::byte> value,
      std::uint64_t plain_bytes_max);

 private:
  enum class StringState : std::uint8_t { head, lzf_stored, lzf_plain, payload };

  Step step();
  Step take_len(std::uint64_t& value);
  Step edit_len(Part part);
  Step edit_fixed(Part part);
  Step pass_string();
  Step pass_string_head();
  void put(std::span<const std::byte> bytes) {
    out_.insert(out_.end(), bytes.begin(), bytes.end());
  }

  ExpiryChange change_;
  ByteCursor cursor_;
  ProgramRun run_;
  std::int64_t min_expiry_ = 0;  // as it was
  StringState string_state_ = StringState::head;
  std::uint64_t string_left_ = 0;
  std::vector<std::byte> out_;
  std::string problem_;
};

}  // namespace sluice::rdb
