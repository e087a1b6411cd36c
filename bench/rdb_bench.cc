// Throughput of rdb at depth frame, with memcpy and CRC64 over the same bytes beside it as limits.
//
//   frame_strings      keys of 16 bytes, values of 400, fed in pieces of 64 KiB
//   frame_hashes       hashes of 8 fields of 12 + 12 bytes, one STR each
//   frame_tiny         keys of 8 bytes, values of 8: what a key costs
//   crc64, crc64_by_table, memcpy

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "rdb/crc64.h"
#include "rdb/parser.h"

namespace {

using sluice::rdb::crc64;
using sluice::rdb::crc64_by_table;

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

template <std::uint64_t (*crc)(std::uint64_t, std::span<const std::byte>) noexcept>
void checksum(benchmark::State& state) {
  const std::string& stream = strings();
  for (auto _ : state) {
    std::uint64_t value = 0;
    for (std::size_t at = 0; at + piece_bytes <= stream.size(); at += piece_bytes) {
      value = crc(value, bytes(stream).subspan(at, piece_bytes));
    }
    benchmark::DoNotOptimize(value);
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * stream.size()));
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

BENCHMARK_CAPTURE(frame, strings, strings())->Name("frame_strings");
BENCHMARK_CAPTURE(frame, hashes, hashes())->Name("frame_hashes");
BENCHMARK_CAPTURE(frame, tiny, tiny())->Name("frame_tiny");
BENCHMARK(checksum<crc64>)->Name("crc64");
BENCHMARK(checksum<crc64_by_table>)->Name("crc64_by_table");
BENCHMARK(copy)->Name("memcpy");

}  // namespace
