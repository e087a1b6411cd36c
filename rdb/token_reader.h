#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "rdb/byte_cursor.h"
#include "rdb/error.h"
#include "rdb/lzf.h"

namespace sluice::rdb {

/// How the bytes of a STR are stored.
enum class StringForm : std::uint8_t { raw, integer, lzf };

/// The beginning of a STR.
struct StringHead {
  std::size_t head_bytes = 0;  ///< Before the stored bytes.
  std::uint64_t stored_bytes = 0;
  std::uint64_t plain_bytes = 0;  ///< Not known yet for integers.
  StringForm form{};
};

/// Reads a LEN that is no string form and that lies between `at` and `end` as a whole, in the
/// forms that all versions have in common. Null when it is not so: the careful way tells why.
[[nodiscard]] inline const std::byte* read_len(const std::byte* at, const std::byte* end,
                                               std::uint64_t& value) noexcept {
  if (end - at < 5) return nullptr;
  const auto first = std::to_integer<std::uint64_t>(*at);
  if (first < 0x40) {
    value = first;
    return at + 1;
  }
  if (first < 0x80) {
    value = (first & 0x3F) << 8 | std::to_integer<std::uint64_t>(at[1]);
    return at + 2;
  }
  if (first != 0x80) return nullptr;
  std::uint32_t big_endian = 0;
  std::memcpy(&big_endian, at + 1, sizeof big_endian);
  value = std::byteswap(big_endian);
  return at + 5;
}

/// Reads the head of a STR under the same terms. False also when its bytes are not all there.
[[nodiscard]] inline bool read_string_head(const std::byte* at, const std::byte* end,
                                           StringHead& head) noexcept {
  const std::byte* after = read_len(at, end, head.stored_bytes);
  if (after != nullptr) {
    head.form = StringForm::raw;
    head.plain_bytes = head.stored_bytes;
  } else {
    if (at == end) return false;
    const auto first = std::to_integer<unsigned>(*at);
    if (first >= 0xC0 && first <= 0xC2) {
      head.form = StringForm::integer;
      head.stored_bytes = 1U << (first & 3);
      after = at + 1;
    } else if (first == 0xC3) {
      head.form = StringForm::lzf;
      after = read_len(at + 1, end, head.stored_bytes);
      if (after != nullptr) after = read_len(after, end, head.plain_bytes);
      if (after == nullptr || head.plain_bytes / lzf_expansion_max > head.stored_bytes)
        return false;
    } else {
      return false;
    }
  }
  head.head_bytes = static_cast<std::size_t>(after - at);
  return static_cast<std::uint64_t>(end - after) >= head.stored_bytes;
}

/// The tokens that an RDB stream is made of: fixed-size ones, LEN and STR. Each call completes its
/// token from the window, or takes all that is left of the window, says `more`, and goes on where
/// it was when it is called again with the next.
///
/// Source: Redis src/rdb.c rdbLoadLenByRef(), rdbGenericLoadStringObject().
class TokenReader : public ByteCursor {
 public:
  /// Begins anew, in a stream of RDB version `version`.
  void restart(std::uint64_t offset, unsigned version) noexcept;
  /// Only now it is known.
  void set_version(unsigned version) noexcept { version_ = version; }

  /// LEN.
  Step take_len(std::uint64_t& value);
  /// STR, up to where its stored bytes begin: form(), stored_bytes() and plain_bytes() tell of it.
  /// To be followed by string_taken() once the bytes are.
  Step take_string_head();
  void string_taken() noexcept { string_state_ = StringState::length; }
  /// STR, unseen.
  Step skip_string();
  /// STR, decoded, as a whole. `text` is valid until the next text. Errc::too_long above
  /// `bytes_max`.
  Step take_text(std::span<const std::byte>& text, std::uint64_t bytes_max);
  /// `size` bytes, unseen. The size counts with the first call.
  Step skip(std::uint64_t size) noexcept;

  /// Nothing is half read: what follows at() is the beginning of a token.
  [[nodiscard]] bool idle() const noexcept {
    return whole() && string_state_ == StringState::length && !skipping_;
  }

  [[nodiscard]] StringForm form() const noexcept { return string_form_; }
  /// Stream offset at which the string began.
  [[nodiscard]] std::uint64_t string_offset() const noexcept { return string_offset_; }
  [[nodiscard]] std::uint64_t stored_bytes() const noexcept { return string_size_; }
  [[nodiscard]] std::uint64_t plain_bytes() const noexcept { return string_plain_; }

  Step fail(Errc code, std::string detail);
  /// Why the last step failed.
  [[nodiscard]] Errc code() const noexcept { return code_; }
  [[nodiscard]] std::string take_detail() noexcept { return std::move(detail_); }

 private:
  enum class StringState : std::uint8_t { length, lzf_compressed, lzf_plain, payload };

  Step take_raw_len(std::uint64_t& value, bool& special);
  Step set_string_length(std::uint64_t value, bool special);
  Step set_lzf_plain(std::uint64_t value);
  Step collect(std::span<const std::byte>& bytes);
  Step decode_text(std::span<const std::byte> stored, std::span<const std::byte>& text);

  unsigned version_ = 0;
  StringState string_state_ = StringState::length;
  StringForm string_form_{};
  std::uint64_t string_offset_ = 0;
  bool skipping_ = false;
  std::uint64_t string_size_ = 0;  // stored bytes; for LZF the compressed ones
  std::uint64_t string_plain_ = 0;
  std::uint64_t skip_left_ = 0;
  std::vector<std::byte> collected_;  // stored bytes of a text that straddles windows
  std::vector<std::byte> plain_;      // a text that had to be decoded
  Errc code_{};
  std::string detail_;
};

/// Room for any 64-bit integer as decimal text.
inline constexpr std::size_t integer_text_bytes = 20;

/// The decimal text of `number`, written into `room`.
[[nodiscard]] std::span<const std::byte> integer_text(
    std::int64_t number, std::span<std::byte, integer_text_bytes> room) noexcept;

/// The number that 1, 2 or 4 stored bytes of an integer-encoded STR stand for.
[[nodiscard]] std::int32_t stored_integer(std::span<const std::byte> stored) noexcept;

/// Empties a buffer that is used again; keeps its memory unless it is much.
void empty(std::vector<std::byte>& buffer);

}  // namespace sluice::rdb
