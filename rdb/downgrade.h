#pragma once

#include <cstdint>
#include <string_view>

#include "rdb/handler.h"
#include "rdb/value_type.h"

namespace sluice::rdb {

/// What a stream of another version cannot say of a key.
enum class Loss : std::uint8_t {
  value,           ///< The value; the key is left out.
  key_meta,        ///< What modules attached to the key.
  field_expiries,  ///< Of a hash; the fields stay.
  idempotency,     ///< Producers of a stream, and what they were told to remember.
  nack_zone,       ///< Pending entries that belong to no consumer; they get one of their own.
  stream_history,  ///< What was ever added to a stream, deleted from it, read by its groups.
  active_times,    ///< When consumers last got something; when they last asked stays.
};
inline constexpr std::size_t loss_count = 7;
[[nodiscard]] std::string_view to_string(Loss loss) noexcept;

/// A set of them.
class Losses {
 public:
  constexpr void add(Loss loss) noexcept { bits_ |= bit(loss); }
  constexpr void add(Losses others) noexcept { bits_ |= others.bits_; }
  [[nodiscard]] constexpr bool has(Loss loss) const noexcept { return (bits_ & bit(loss)) != 0; }
  [[nodiscard]] constexpr bool empty() const noexcept { return bits_ == 0; }

  friend constexpr bool operator==(Losses, Losses) = default;

 private:
  static constexpr unsigned bit(Loss loss) noexcept { return 1U << static_cast<unsigned>(loss); }
  unsigned bits_ = 0;
};

/// How values of a type go into a stream of another version.
struct Fit {
  enum class Way : std::uint8_t {
    verbatim,   ///< Byte for byte.
    transcode,  ///< Anew, as `type`, by a Transcoder.
    none,       ///< Not at all.
  };
  Way way = Way::none;
  const ValueType* type = nullptr;  ///< As which; null when not at all.
};

/// Whether streams of this version can be written: 6 to 14 under Redis' magic, 80 under Valkey's.
[[nodiscard]] bool is_writable(const Header& target) noexcept;

/// `type` is of a stream whose header is `source`. docs/rdb.md has the answers as a table.
///
/// A value is passed on byte for byte where the target has its type. Lengths mean something else
/// below version 8: values that cross that border are written anew even then.
[[nodiscard]] Fit fit(const ValueType& type, const Header& source, const Header& target) noexcept;

}  // namespace sluice::rdb
