// Property: cutting the input anywhere changes neither the verdict, with its offset, record, key
// and text, nor what the handler saw. The cuts follow from the input, so that every file is a seed.

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <random>
#include <span>

#include "event_digest.h"
#include "rdb/parser.h"

namespace {

using sluice::rdb::Error;
using sluice::rdb::Limits;
using sluice::rdb::Parser;
using sluice::rdb::fuzz::EventDigest;

struct Verdict {
  std::optional<Error> error;
  std::uint64_t digest = 0;
  std::uint64_t records = 0;
  std::uint64_t bytes = 0;

  friend bool operator==(const Verdict&, const Verdict&) = default;
};

/// Feeds pieces of as many bytes as `next_piece` says.
template <class NextPiece>
Verdict parse(std::span<const std::byte> input, Limits limits, NextPiece next_piece) {
  EventDigest seen;
  Parser parser(seen, limits);
  Verdict verdict;
  while (!input.empty() && !parser.done() && !verdict.error) {
    const auto piece = input.first(std::min<std::size_t>(input.size(), next_piece()));
    const auto taken = parser.feed(piece);
    if (!taken) verdict.error = taken.error();
    if (taken && *taken < piece.size() && !parser.done()) std::abort();
    input = input.subspan(piece.size());
  }
  const auto finished = parser.finish();
  if (finished.has_value() != parser.done()) std::abort();
  if (verdict.error && finished.error() != *verdict.error) std::abort();
  if (!finished) verdict.error = finished.error();
  verdict.digest = seen.digest;
  verdict.records = parser.records();
  verdict.bytes = parser.done() ? parser.offset() : 0;
  return verdict;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto input = std::as_bytes(std::span(data, size));
  std::mt19937_64 random(sluice::rdb::crc64_by_table(0, input));
  Limits limits;
  if (random() % 2 == 0) limits = {.key_bytes_max = 40, .metadata_bytes_max = 40};

  const Verdict whole = parse(input, limits, [&] { return input.size(); });
  const auto in_two = parse(input, limits, [&, first = true]() mutable {
    const std::size_t piece = first ? random() % (input.size() + 1) : input.size();
    first = false;
    return piece;
  });
  if (in_two != whole) std::abort();
  const auto in_many = parse(input, limits, [&] { return random() % 32; });
  if (in_many != whole) std::abort();
  if (parse(input, limits, [] { return std::size_t{1}; }) != whole) std::abort();
  return 0;
}
