#include "rdb/lzf.h"

#include <cstring>

namespace sluice::rdb {

bool lzf_decompress(std::span<const std::byte> in, std::span<std::byte> out) noexcept {
  const std::byte* at = in.data();
  const std::byte* const end = at + in.size();
  std::size_t done = 0;

  while (at < end) {
    const auto control = std::to_integer<std::size_t>(*at++);
    if (control < 32) {  // a run of literals
      const std::size_t run = control + 1;
      if (static_cast<std::size_t>(end - at) < run || out.size() - done < run) return false;
      std::memcpy(out.data() + done, at, run);
      at += run;
      done += run;
      continue;
    }
    std::size_t length = control >> 5;
    if (length == 7) {
      if (at == end) return false;
      length += std::to_integer<std::size_t>(*at++);
    }
    if (at == end) return false;
    length += 2;
    const std::size_t distance = ((control & 31) << 8) + std::to_integer<std::size_t>(*at++) + 1;
    if (distance > done || out.size() - done < length) return false;
    for (std::size_t i = 0; i < length; ++i, ++done) out[done] = out[done - distance];
  }
  return done == out.size();
}

}  // namespace sluice::rdb
