#include "rdb/lzf_compressor.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include "rdb/lzf.h"

namespace sluice::rdb {
namespace {

constexpr std::size_t match_min = 3;
constexpr std::uint32_t first_base = lzf_distance_max + 1;  // a zeroed table is out of reach of it

/// Appends elements; refuses those for which there is no room.
class Writer {
 public:
  explicit Writer(std::span<std::byte> out) : begin_(out.data()), at_(begin_), left_(out.size()) {}

  [[nodiscard]] std::size_t size() const { return static_cast<std::size_t>(at_ - begin_); }

  [[nodiscard]] bool literals(const std::byte* from, std::size_t count) {
    if (count == 0) return true;
    const std::size_t controls = (count + lzf_run_max - 1) / lzf_run_max;
    if (count + controls > left_) return false;
    left_ -= count + controls;
    while (count > 0) {
      const std::size_t run = std::min(count, lzf_run_max);
      *at_++ = static_cast<std::byte>(run - 1);
      std::memcpy(at_, from, run);
      at_ += run;
      from += run;
      count -= run;
    }
    return true;
  }

  [[nodiscard]] bool match(std::size_t distance, std::size_t length) {
    const std::size_t far = distance - 1;
    const std::size_t more = length - 2;
    const std::size_t size = more < 7 ? 2 : 3;
    if (size > left_) return false;
    left_ -= size;
    *at_++ = static_cast<std::byte>(std::min<std::size_t>(more, 7) << 5 | far >> 8);
    if (more >= 7) *at_++ = static_cast<std::byte>(more - 7);
    *at_++ = static_cast<std::byte>(far & 0xff);
    return true;
  }

 private:
  std::byte* begin_;
  std::byte* at_;
  std::size_t left_;
};

/// `at` and the two bytes after it.
std::uint32_t three_bytes(const std::byte* at) {
  std::uint16_t low;
  std::memcpy(&low, at, 2);
  return low | std::to_integer<std::uint32_t>(at[2]) << 16;
}

/// How many bytes are the same, at most `max` of which are readable at both.
std::size_t common_length(const std::byte* a, const std::byte* b, std::size_t max) {
  std::size_t same = 0;
  for (; same + 8 <= max; same += 8) {
    std::uint64_t left;
    std::uint64_t right;
    std::memcpy(&left, a + same, 8);
    std::memcpy(&right, b + same, 8);
    if (left != right) {
      return same + static_cast<std::size_t>(std::countr_zero(left ^ right)) / 8;
    }
  }
  while (same < max && a[same] == b[same]) ++same;
  return same;
}

}  // namespace

LzfCompressor::LzfCompressor() : seen_(std::make_unique<Table>()), base_(first_base) {}

/// Where the three bytes at `at` were last seen; from now on, at `number`.
std::uint32_t LzfCompressor::note(const std::byte* at, std::uint32_t number) noexcept {
  std::uint32_t& slot = (*seen_)[three_bytes(at) * 0x9E3779B1U >> (32 - table_bits)];
  return std::exchange(slot, number);
}

std::size_t LzfCompressor::compress(std::span<const std::byte> in,
                                    std::span<std::byte> out) noexcept {
  if (in.empty() || in.size() > in_bytes_max) return 0;
  const auto size = static_cast<std::uint32_t>(in.size());
  if (base_ > UINT32_MAX - size - lzf_distance_max) {
    seen_->fill(0);
    base_ = first_base;
  }
  const std::uint32_t base = base_;
  base_ += size + static_cast<std::uint32_t>(lzf_distance_max);

  const std::byte* const from = in.data();
  Writer writer(out);
  std::uint32_t literals = 0;  // where those begin that are not written yet
  std::uint32_t at = 0;
  while (at + match_min <= size) {
    const std::uint32_t distance = base + at - note(from + at, base + at);
    if (distance > lzf_distance_max ||
        three_bytes(from + at) != three_bytes(from + at - distance)) {
      at += 1 + ((at - literals) >> 6);  // what does not compress is passed over faster and faster
      continue;
    }
    const std::size_t most = std::min<std::size_t>(size - at, lzf_match_max);
    const auto length =
        static_cast<std::uint32_t>(common_length(from + at, from + at - distance, most));
    if (!writer.literals(from + literals, at - literals)) return 0;
    if (!writer.match(distance, length)) return 0;
    at += length;
    literals = at;
    if (at < size) note(from + at - 2, base + at - 2);
    if (at + 1 < size) note(from + at - 1, base + at - 1);
  }
  if (!writer.literals(from + literals, size - literals)) return 0;
  return writer.size();
}

}  // namespace sluice::rdb
