// Property: at once, as a stream and measured only, agreement with a slow twin that grows its
// output a byte at a time.

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "rdb/lzf.h"
#include "rdb/lzf_stream.h"

namespace {

/// What the input expands to, or nothing when it is malformed whatever the size is.
std::optional<std::vector<std::uint8_t>> expand(std::span<const std::uint8_t> in) {
  std::vector<std::uint8_t> out;
  while (!in.empty()) {
    const unsigned control = in[0];
    in = in.subspan(1);
    if (control < 32) {
      if (in.size() < control + 1) return std::nullopt;
      out.insert(out.end(), in.begin(), in.begin() + control + 1);
      in = in.subspan(control + 1);
      continue;
    }
    std::size_t length = (control >> 5) + 2;
    if (length == 9) {
      if (in.empty()) return std::nullopt;
      length += in[0];
      in = in.subspan(1);
    }
    if (in.empty()) return std::nullopt;
    const std::size_t distance = (control & 31) * 256 + in[0] + 1;
    in = in.subspan(1);
    if (distance > out.size()) return std::nullopt;
    while (length-- > 0) out.push_back(out[out.size() - distance]);
  }
  return out;
}

bool decompress(std::span<const std::uint8_t> in, std::vector<std::uint8_t>& out) {
  return sluice::rdb::lzf_decompress(std::as_bytes(in), std::as_writable_bytes(std::span(out)));
}

/// The same in parts of uneven sizes, the measure beside the stream.
bool stream(std::span<const std::uint8_t> in, std::vector<std::uint8_t>& out) {
  static sluice::rdb::LzfStream stream;
  sluice::rdb::LzfMeasure measure;
  stream.begin(in.size(), out.size());
  measure.begin(in.size(), out.size());
  std::size_t done = 0;
  for (std::size_t size = in.size() % 5 + 1; !in.empty(); size = size * 3 % 101) {
    const auto cut = in.first(std::min(size, in.size()));
    in = in.subspan(cut.size());
    auto part = std::as_bytes(cut);
    auto measured = part;
    while (!part.empty() && !stream.malformed()) {
      const auto piece = stream.next(part);
      if (piece.size() > out.size() - done) std::abort();
      std::ranges::copy(piece, std::as_writable_bytes(std::span(out)).begin() +
                                   static_cast<std::ptrdiff_t>(done));
      done += piece.size();
    }
    if (measure.feed(measured) == stream.malformed()) std::abort();
    if (measure.done() != stream.done()) std::abort();
    if (stream.malformed()) return false;
  }
  if (stream.done() && done != out.size()) std::abort();
  return stream.done();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::span in(data, size);
  const auto expected = expand(in);
  const std::size_t right = expected ? expected->size() : 0;
  if (right > sluice::rdb::lzf_expansion_max * size) std::abort();

  for (const std::size_t wrong : {right + 1, right / 2, right + 300, std::size_t{0}}) {
    if (expected && wrong == right) continue;
    std::vector<std::uint8_t> out(wrong);
    if (decompress(in, out) || stream(in, out)) std::abort();
  }
  const auto measured = sluice::rdb::lzf_measure(std::as_bytes(in));
  if (measured.has_value() != expected.has_value()) std::abort();
  if (expected) {
    std::vector<std::uint8_t> out(right);
    if (*measured != right) std::abort();
    if (!decompress(in, out) || out != *expected) std::abort();
    std::ranges::fill(out, std::uint8_t{0});
    if (!stream(in, out) || out != *expected) std::abort();
  }
  return 0;
}
