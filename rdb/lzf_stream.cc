#include "rdb/lzf_stream.h"

#include <algorithm>
#include <cstring>

#include "rdb/lzf_element.h"

namespace sluice::rdb {

bool LzfCarry::complete_match(std::span<const std::byte>& in) noexcept {
  while (!in.empty()) {
    match[match_bytes++] = in[0];
    in = in.subspan(1);
    if (match_bytes < lzf_match_bytes(match[0])) continue;
    match_bytes = 0;
    return true;
  }
  return false;
}

void LzfStream::begin(std::uint64_t compressed_bytes, std::uint64_t plain_bytes) {
  if (!window_) window_ = std::make_unique_for_overwrite<std::byte[]>(window_bytes);
  end_ = 0;
  compressed_left_ = compressed_bytes;
  plain_left_ = plain_bytes;
  carry_ = {};
  state_ = State::reading;
  if (compressed_bytes == 0) state_ = plain_bytes == 0 ? State::done : State::malformed;
}

std::span<const std::byte> LzfStream::next(std::span<const std::byte>& in) noexcept {
  if (state_ != State::reading) return {};
  make_room();
  const std::size_t begin = end_;
  const auto ours =
      in.first(static_cast<std::size_t>(std::min<std::uint64_t>(in.size(), compressed_left_)));
  auto left = ours;
  bool sound = expand(left);

  const std::size_t taken = ours.size() - left.size();
  in = in.subspan(taken);
  compressed_left_ -= taken;
  if (sound && compressed_left_ == 0) {
    sound = carry_.empty() && plain_left_ == 0;
    state_ = State::done;
  }
  if (!sound) state_ = State::malformed;
  return {window_.get() + begin, end_ - begin};
}

/// Afterwards, a carried run and the longest match fit into the window.
void LzfStream::make_room() noexcept {
  if (end_ < pause_at) return;
  std::memmove(window_.get(), window_.get() + end_ - lzf_distance_max, lzf_distance_max);
  end_ = lzf_distance_max;
}

bool LzfStream::expand(std::span<const std::byte>& in) noexcept {
  append_run(in);
  if (in.empty()) return true;
  const std::uint64_t room = std::min<std::uint64_t>(plain_left_, window_bytes - end_);
  std::byte* const window = window_.get();
  LzfCursor cursor{.in = in.data(),
                   .in_end = in.data() + in.size(),
                   .out = window + end_,
                   .out_begin = window,
                   .out_pause = window + pause_at,
                   .out_end = window + end_ + room,
                   .out_memory = window + window_bytes};
  if (carry_.match_bytes > 0) {
    if (!carry_.complete_match(in)) return true;
    if (!lzf_append(cursor, lzf_match(carry_.match.data()))) return false;
    cursor.in = in.data();
  }
  const bool sound = lzf_expand(cursor);
  const std::byte* const end = cursor.out;
  plain_left_ -= static_cast<std::size_t>(end - (window + end_));
  end_ = static_cast<std::size_t>(end - window);
  in = {cursor.in, cursor.in_end};
  return sound && (end > cursor.out_pause || carry_rest(in));
}

/// Literals of the run that an earlier part began.
void LzfStream::append_run(std::span<const std::byte>& in) noexcept {
  const std::size_t size = std::min<std::size_t>(carry_.run, in.size());
  if (size == 0) return;
  std::memcpy(window_.get() + end_, in.data(), size);
  in = in.subspan(size);
  end_ += size;
  carry_.run = static_cast<std::uint8_t>(carry_.run - size);
}

/// Keeps the element that the end of `in` cuts, if any. A run counts as plain text at once.
bool LzfStream::carry_rest(std::span<const std::byte>& in) noexcept {
  if (in.empty()) return true;
  if (!lzf_is_run(in[0])) {
    (void)carry_.complete_match(in);
    return true;
  }
  const std::size_t run = lzf_run_length(in[0]);
  if (run > plain_left_) return false;
  plain_left_ -= run;
  carry_.run = static_cast<std::uint8_t>(run);
  in = in.subspan(1);
  append_run(in);
  return true;
}

void LzfMeasure::begin(std::uint64_t compressed_bytes, std::uint64_t plain_bytes) noexcept {
  compressed_left_ = compressed_bytes;
  plain_bytes_ = plain_bytes;
  plain_ = 0;
  carry_ = {};
  state_ = State::reading;
  if (compressed_bytes == 0) state_ = plain_bytes == 0 ? State::done : State::malformed;
}

bool LzfMeasure::feed(std::span<const std::byte>& in) noexcept {
  if (state_ != State::reading) return state_ == State::done;
  const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(in.size(), compressed_left_));
  auto ours = in.first(size);
  in = in.subspan(size);
  compressed_left_ -= size;
  bool sound = pass(ours) && plain_ <= plain_bytes_;
  if (sound && compressed_left_ == 0) {
    sound = carry_.empty() && plain_ == plain_bytes_;
    state_ = State::done;
  }
  if (!sound) state_ = State::malformed;
  return sound;
}

/// Takes all of `in`.
bool LzfMeasure::pass(std::span<const std::byte> in) noexcept {
  const std::size_t skipped = std::min<std::size_t>(carry_.run, in.size());
  carry_.run = static_cast<std::uint8_t>(carry_.run - skipped);
  in = in.subspan(skipped);
  if (in.empty()) return true;
  if (carry_.match_bytes > 0) {
    if (!carry_.complete_match(in)) return true;
    const LzfMatch match = lzf_match(carry_.match.data());
    if (match.distance > plain_) return false;
    plain_ += match.length;
  }
  if (!lzf_pass(in, plain_)) return false;
  if (in.empty()) return true;
  if (!lzf_is_run(in[0])) {
    (void)carry_.complete_match(in);
    return true;
  }
  const std::size_t run = lzf_run_length(in[0]);
  plain_ += run;
  carry_.run = static_cast<std::uint8_t>(run - (in.size() - 1));
  return true;
}

}  // namespace sluice::rdb
