#include "rdb/lzf.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "rdb/lzf_element.h"

namespace sluice::rdb {
namespace {

constexpr std::ptrdiff_t pair_max = 1 + lzf_run_max + 3;  // bytes of a run and a match
constexpr std::ptrdiff_t out_room = lzf_room_after;

template <std::size_t size>
void copy(std::byte* to, const std::byte* from) {
  std::memcpy(to, from, size);
}

std::size_t distance_between(const std::byte* from, const std::byte* to) {
  return static_cast<std::size_t>(to - from);
}

/// The smallest multiple of a distance below 8 that is at least 8: as far back as the same bytes
/// stand that a copy of eight may read.
constexpr std::array<std::uint8_t, 8> period = {0, 8, 8, 9, 8, 10, 12, 14};

/// Past the match, up to 15 bytes of `out` may be overwritten. Most matches have three bytes: the
/// fewer cases they need telling apart, the fewer are guessed wrong.
inline void copy_match_wildly(std::byte* out, LzfMatch match) {
  const std::byte* from = out - match.distance;
  const std::byte* const end = out + match.length;
  if (match.distance >= 8) [[likely]] {
    copy<8>(out, from);
    if (match.length <= 8) [[likely]]
      return;
    from += 8;
  } else {
    for (std::size_t i = 0; i < 8; ++i) out[i] = from[i];
    from = out + 8 - period[match.distance];
  }
  out += 8;
  while (out < end) {
    copy<8>(out, from);
    out += 8;
    from += 8;
  }
}

inline bool append(std::byte*& out, LzfMatch match, const LzfCursor& bounds) {
  if (match.distance > distance_between(bounds.out_begin, out)) return false;
  if (match.length > distance_between(out, bounds.out_end)) return false;
  if (match.length + 16 <= distance_between(out, bounds.out_memory)) {
    copy_match_wildly(out, match);
  } else {
    for (std::size_t i = 0; i < match.length; ++i) out[i] = *(out + i - match.distance);
  }
  out += match.length;
  return true;
}

/// A run where there is no room to copy more. (The compiler makes a slow string instruction of a
/// memcpy() whose size it only knows to be small.)
void copy_run(std::byte* out, const std::byte* from, std::size_t size) {
  if (size >= 16) {
    copy<16>(out, from);
    copy<16>(out + size - 16, from + size - 16);
  } else if (size >= 8) {
    copy<8>(out, from);
    copy<8>(out + size - 8, from + size - 8);
  } else {
    for (std::size_t i = 0; i < size; ++i) out[i] = from[i];
  }
}

}  // namespace

bool lzf_append(LzfCursor& cursor, LzfMatch match) noexcept {
  return append(cursor.out, match, cursor);
}

namespace {

/// Expands elements as long as a run and a match are certain to be all there, and there is memory
/// for more than they can be. False when one is malformed; it is not taken then.
bool expand_pairs(LzfCursor& cursor) noexcept {
  const LzfCursor bounds = cursor;
  const std::byte* in = cursor.in;
  std::byte* out = cursor.out;
  if (bounds.in_end - in < pair_max || bounds.out_memory - out < out_room) return true;
  const std::byte* const in_last = bounds.in_end - pair_max;
  const std::byte* const out_last = std::min(bounds.out_pause, bounds.out_memory - out_room);
  bool sound = true;
  while (in <= in_last && out <= out_last) {
    if (lzf_is_run(*in)) {
      const std::size_t run = lzf_run_length(*in);
      sound = run <= distance_between(out, bounds.out_end);
      if (!sound) break;
      copy<16>(out, in + 1);
      if (run > 16) [[unlikely]]
        copy<16>(out + 16, in + 17);
      out += run;
      in += run + 1;
      if (lzf_is_run(*in) || out > out_last) continue;
    }
    const LzfMatch match = lzf_match(in);
    sound = match.distance <= distance_between(bounds.out_begin, out) &&
            match.length <= distance_between(out, bounds.out_end);
    if (!sound) break;
    copy_match_wildly(out, match);
    out += match.length;
    if (lzf_match_bytes(*in) == 2) {
      in += 2;
    } else {
      in += 3;
    }
  }
  cursor.in = in;
  cursor.out = out;
  return sound;
}

}  // namespace

bool lzf_expand(LzfCursor& cursor) noexcept {
  if (!expand_pairs(cursor)) return false;
  const LzfCursor bounds = cursor;
  const std::byte* in = cursor.in;
  std::byte* out = cursor.out;
  bool sound = true;

  while (in != bounds.in_end && out <= bounds.out_pause) {
    const std::size_t left = distance_between(in, bounds.in_end) - 1;
    if (!lzf_is_run(*in)) {
      const std::size_t header = lzf_match_bytes(*in);
      if (left + 1 < header) break;
      sound = append(out, lzf_match(in), bounds);
      if (!sound) break;
      in += header;
      continue;
    }
    const std::size_t run = lzf_run_length(*in);
    if (left < run) break;
    sound = run <= distance_between(out, bounds.out_end);
    if (!sound) break;
    ++in;
    if (left >= lzf_run_max && distance_between(out, bounds.out_memory) >= lzf_run_max) {
      copy<lzf_run_max>(out, in);
    } else {
      copy_run(out, in, run);
    }
    in += run;
    out += run;
  }
  cursor.in = in;
  cursor.out = out;
  return sound;
}

bool lzf_decompress(std::span<const std::byte> in, std::span<std::byte> out,
                    std::size_t room_after) noexcept {
  std::byte* const end = out.data() + out.size();
  LzfCursor cursor{.in = in.data(),
                   .in_end = in.data() + in.size(),
                   .out = out.data(),
                   .out_begin = out.data(),
                   .out_pause = end,
                   .out_end = end,
                   .out_memory = end + room_after};
  return lzf_expand(cursor) && cursor.in == cursor.in_end && cursor.out == end;
}

namespace {

/// Passes over elements that are sound as long as a run and a match are certain to be all there.
/// Where an element begins is known only from the one before. On that chain stand, for a run, one
/// load and one addition; the size of a match is a branch, which the processor need not wait for.
void pass_pairs(const std::byte*& at, const std::byte* end, std::uint64_t& plain) noexcept {
  if (end - at < pair_max) return;
  const std::byte* const last = end - pair_max;
  const std::byte* in = at;
  std::uint64_t size = plain;
  while (in <= last) {
    auto control = std::to_integer<std::size_t>(*in);
    if (control < lzf_run_max) {
      size += control + 1;
      in += control + 2;
      control = std::to_integer<std::size_t>(*in);
      if (control < lzf_run_max) continue;
    }
    if (control < lzf_long_match) [[likely]] {
      if (lzf_match(in).distance > size) break;
      size += (control >> 5) + 2;
      in += 2;
    } else {
      const LzfMatch match = lzf_match(in);
      if (match.distance > size) break;
      size += match.length;
      in += 3;
    }
  }
  at = in;
  plain = size;
}

}  // namespace

bool lzf_pass(std::span<const std::byte>& in, std::uint64_t& plain) noexcept {
  const std::byte* at = in.data();
  const std::byte* const end = at + in.size();
  pass_pairs(at, end, plain);
  std::uint64_t size = plain;
  bool sound = true;

  while (at != end) {
    const std::size_t left = distance_between(at, end);
    if (lzf_is_run(*at)) {
      const std::size_t run = lzf_run_length(*at);
      if (left <= run) break;
      at += run + 1;
      size += run;
      continue;
    }
    const std::size_t header = lzf_match_bytes(*at);
    if (left < header) break;
    const LzfMatch match = lzf_match(at);
    sound = match.distance <= size;
    if (!sound) break;
    at += header;
    size += match.length;
  }
  in = in.subspan(distance_between(in.data(), at));
  plain = size;
  return sound;
}

std::optional<std::uint64_t> lzf_measure(std::span<const std::byte> in) noexcept {
  std::uint64_t plain = 0;
  if (!lzf_pass(in, plain) || !in.empty()) return std::nullopt;
  return plain;
}

}  // namespace sluice::rdb
