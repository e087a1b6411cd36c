// Throughput of rdb at depth frame, with memcpy and CRC64 over the same bytes beside it as limits.
//
//   frame_strings      keys of 16 bytes, values of 400, fed in pieces of 64 KiB
//   frame_hashes       hashes of 8 fields of 12 + 12 bytes, one STR each
//   frame_tiny         keys of 8 bytes, values of 8: what a key costs
//   crc64, crc64_by_..., crc64_of_..., crc64_combine        each variant, short inputs, two values
//   memcpy, memory_read                                     what the machine can do
//   lzf_compress, lzf_decompress, lzf_stream, lzf_measure   JSON of 64 KiB, in plain bytes
//   lzf_..._small                                           the same, JSON of 200 bytes
//   lzf_..._zeros                                           the same, zeros

#include <benchmark/benchmark.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "rdb/crc64.h"
#include "rdb/lzf.h"
#include "rdb/lzf_compressor.h"
#include "rdb/lzf_stream.h"
#include "rdb/parser.h"

namespace {

using sluice::rdb::crc64;
using sluice::rdb::Crc64Variant;

constexpr std::size_t stream_bytes = 64 << 20;
constexpr std::size_t piece_bytes = 64 << 10;

std::span<const std::byte> bytes(const std::string& text) { return std::as_bytes(std::span(text)); }

std::string string_of(const std::string& text) {
  if (text.size() < 64) return static_cast<char>(text.size()) + text;
  std::string length(1, static_cast<char>(0x40 | text.size() >> 8));
  return length + static_cast<char>(text.size()) + text;
}

/// Records, each made of a number, up to 64 MiB.
template <class MakeRecord>
std::string stream_of(MakeRecord make_record) {
  std::string stream("REDIS0011\xfe\0", 11);
  for (std::uint64_t number = 0; stream.size() < stream_bytes; ++number) {
    stream += make_record(std::to_string(10'000'000 + number));
  }
  return stream + '\xff' + std::string(8, '\0');
}

const std::string& strings() {
  static const std::string stream = stream_of([](const std::string& number) {
    return '\0' + string_of("user:ses" + number) + string_of(std::string(400, 'v'));
  });
  return stream;
}

const std::string& hashes() {
  static const std::string stream = stream_of([](const std::string& number) {
    std::string record = '\4' + string_of("hash:" + number) + '\x08';
    for (char field = 'a'; field < 'i'; ++field) {
      record += string_of("field_name:" + std::string(1, field)) + string_of("abcd" + number);
    }
    return record;
  });
  return stream;
}

const std::string& tiny() {
  static const std::string stream = stream_of(
      [](const std::string& number) { return '\0' + string_of(number) + string_of(number); });
  return stream;
}

void frame(benchmark::State& state, const std::string& stream) {
  std::uint64_t records = 0;
  for (auto _ : state) {
    sluice::rdb::Handler ignore;
    sluice::rdb::Parser parser(ignore);
    for (auto left = bytes(stream); !left.empty();) {
      const auto piece = left.first(std::min(left.size(), piece_bytes));
      if (!parser.feed(piece)) state.SkipWithError("refused");
      left = left.subspan(piece.size());
    }
    records += parser.records();
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * stream.size()));
  state.counters["records"] =
      benchmark::Counter(static_cast<double>(records), benchmark::Counter::kIsRate);
}

/// Over 64 MiB, in pieces, by the variant that crc64() takes unless told another.
void checksum(benchmark::State& state, std::size_t each_bytes,
              std::optional<Crc64Variant> variant = std::nullopt) {
  if (variant && !sluice::rdb::crc64_available(*variant)) {
    state.SkipWithError("not on this CPU");
    return;
  }
  const std::string& stream = strings();
  const std::size_t whole_bytes = stream.size() / each_bytes * each_bytes;
  std::uint64_t value = 0;
  for (auto _ : state) {
    for (std::size_t at = 0; at < whole_bytes; at += each_bytes) {
      const auto piece = bytes(stream).subspan(at, each_bytes);
      value = variant ? sluice::rdb::crc64_with(*variant, value, piece) : crc64(value, piece);
    }
    benchmark::DoNotOptimize(value);
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * whole_bytes));
}

void combine(benchmark::State& state, std::uint64_t size) {
  std::uint64_t value = 1;
  for (auto _ : state) value = sluice::rdb::crc64_combine(value, 1, size);
  benchmark::DoNotOptimize(value);
}

/// What the memory gives: sums over wide registers, which cost nothing beside the loads.
void read(benchmark::State& state) {
  using Wide = std::uint64_t __attribute__((vector_size(32), aligned(1), may_alias));
  const std::string& stream = strings();
  const std::size_t whole_bytes = stream.size() / 128 * 128;
  for (auto _ : state) {
    Wide sums[4] = {};
    for (std::size_t at = 0; at < whole_bytes; at += 128) {
      const auto* const wide = reinterpret_cast<const Wide*>(stream.data() + at);
      for (std::size_t i = 0; i < 4; ++i) sums[i] += wide[i];
    }
    benchmark::DoNotOptimize(sums);
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * whole_bytes));
}

void copy(benchmark::State& state) {
  const std::string& stream = strings();
  std::vector<char> to(piece_bytes);
  for (auto _ : state) {
    for (std::size_t at = 0; at + piece_bytes <= stream.size(); at += piece_bytes) {
      std::memcpy(to.data(), stream.data() + at, piece_bytes);
      benchmark::ClobberMemory();
    }
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * stream.size()));
}

/// About 64 MiB of strings, each compressed on its own.
struct Compressed {
  std::vector<std::string> strings;
  std::size_t each_bytes;

  [[nodiscard]] std::uint64_t plain_bytes() const { return strings.size() * each_bytes; }
};

std::string json(std::size_t size, std::mt19937& random) {
  constexpr std::array names = {"alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi"};
  std::string text = "[";
  while (text.size() < size) {
    text += R"({"id":)" + std::to_string(random()) + R"(,"name":")" + names[random() % 8] +
            R"(","score":)" + std::to_string(random() % 1000) + R"(,"active":true},)";
  }
  text.resize(size);
  return text;
}

std::vector<std::string> plain_strings(std::size_t each_bytes, bool zeros) {
  std::mt19937 random(1);
  std::vector<std::string> strings(stream_bytes / 4 / each_bytes);
  for (std::string& text : strings) {
    text = zeros ? std::string(each_bytes, '\0') : json(each_bytes, random);
  }
  return strings;
}

Compressed compressed_strings(std::size_t each_bytes, bool zeros) {
  sluice::rdb::LzfCompressor compressor;
  Compressed all{.strings = plain_strings(each_bytes, zeros), .each_bytes = each_bytes};
  std::string out(each_bytes * 2, '\0');
  for (std::string& text : all.strings) {
    text = out.substr(0, compressor.compress(bytes(text), std::as_writable_bytes(std::span(out))));
  }
  return all;
}

void lzf_compress(benchmark::State& state, std::size_t each_bytes, bool zeros) {
  const auto plain = plain_strings(each_bytes, zeros);
  sluice::rdb::LzfCompressor compressor;
  std::vector<std::byte> out(each_bytes);
  std::uint64_t in_bytes = 0;
  std::uint64_t out_bytes = 0;
  for (auto _ : state) {
    for (const std::string& text : plain) {
      in_bytes += text.size();
      out_bytes += compressor.compress(bytes(text), out);
    }
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(in_bytes));
  state.counters["ratio"] = static_cast<double>(in_bytes) / static_cast<double>(out_bytes);
}

/// `read` says whether a string was read.
template <class Read>
void lzf_read(benchmark::State& state, const Compressed& all, Read read) {
  for (auto _ : state) {
    for (const std::string& text : all.strings) {
      if (!read(bytes(text), all.each_bytes)) state.SkipWithError("refused");
    }
  }
  const std::uint64_t plain = state.iterations() * all.plain_bytes();
  state.SetBytesProcessed(static_cast<std::int64_t>(plain));
}

void lzf_decompress(benchmark::State& state, std::size_t each_bytes, bool zeros) {
  std::vector<std::byte> out(each_bytes);
  lzf_read(state, compressed_strings(each_bytes, zeros), [&](auto in, std::size_t) {
    const bool read = sluice::rdb::lzf_decompress(in, out);
    benchmark::ClobberMemory();
    return read;
  });
}

void lzf_stream(benchmark::State& state, std::size_t each_bytes, bool zeros) {
  sluice::rdb::LzfStream stream;
  lzf_read(state, compressed_strings(each_bytes, zeros), [&](auto in, std::size_t size) {
    stream.begin(in.size(), size);
    while (!in.empty() && !stream.malformed()) benchmark::DoNotOptimize(stream.next(in).data());
    return stream.done();
  });
}

void lzf_measure(benchmark::State& state, std::size_t each_bytes, bool zeros) {
  lzf_read(state, compressed_strings(each_bytes, zeros),
           [](auto in, std::size_t size) { return sluice::rdb::lzf_measure(in) == size; });
}

BENCHMARK_CAPTURE(frame, strings, strings())->Name("frame_strings");
BENCHMARK_CAPTURE(frame, hashes, hashes())->Name("frame_hashes");
BENCHMARK_CAPTURE(frame, tiny, tiny())->Name("frame_tiny");
BENCHMARK_CAPTURE(checksum, best, piece_bytes)->Name("crc64");
BENCHMARK_CAPTURE(checksum, table, piece_bytes, Crc64Variant::table)->Name("crc64_by_table");
BENCHMARK_CAPTURE(checksum, 128, piece_bytes, Crc64Variant::clmul128)->Name("crc64_by_clmul128");
BENCHMARK_CAPTURE(checksum, 256, piece_bytes, Crc64Variant::clmul256)->Name("crc64_by_clmul256");
BENCHMARK_CAPTURE(checksum, 512, piece_bytes, Crc64Variant::clmul512)->Name("crc64_by_clmul512");
BENCHMARK_CAPTURE(checksum, few, 11)->Name("crc64_of_11_bytes");
BENCHMARK_CAPTURE(checksum, some, 100)->Name("crc64_of_100_bytes");
BENCHMARK_CAPTURE(checksum, more, 1000)->Name("crc64_of_1000_bytes");
BENCHMARK_CAPTURE(combine, gib, (1ULL << 30) - 1)->Name("crc64_combine");
BENCHMARK(read)->Name("memory_read");
BENCHMARK(copy)->Name("memcpy");

void register_lzf(const std::string& suffix, std::size_t each_bytes, bool zeros) {
  constexpr std::array rows = {
      std::pair{"lzf_compress", &lzf_compress}, std::pair{"lzf_decompress", &lzf_decompress},
      std::pair{"lzf_stream", &lzf_stream}, std::pair{"lzf_measure", &lzf_measure}};
  for (const auto& [name, run] : rows) {
    benchmark::RegisterBenchmark((name + suffix).c_str(), run, each_bytes, zeros);
  }
}

[[maybe_unused]] const bool lzf_registered = [] {
  register_lzf("", 64 << 10, false);
  register_lzf("_small", 200, false);
  register_lzf("_zeros", 64 << 10, true);
  return true;
}();

}  // namespace
