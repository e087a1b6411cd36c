// Property: cutting a value anywhere changes neither the verdict, with its offset and text, nor the
// events; what is accepted strictly is accepted otherwise, with the same events; and without texts
// the verdict is the same. Input: a byte that picks dialect and type, then the value.

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <random>
#include <span>

#include "rdb/value_reader.h"
#include "value_digest.h"

namespace {

using namespace sluice::rdb;

struct Verdict {
  std::optional<Error> error;
  std::uint64_t digest = 0;

  friend bool operator==(const Verdict&, const Verdict&) = default;
};

/// Feeds pieces of as many bytes as `next_piece` says.
template <class NextPiece>
Verdict read(const RecordHeader& record, const Header& header, std::span<const std::byte> input,
             ReadOptions options, NextPiece next_piece) {
  fuzz::ValueDigest seen;
  ValueReader reader(seen, options);
  reader.begin(record, header);
  Verdict verdict;
  while (!input.empty() && !verdict.error) {
    const auto piece = input.first(std::min<std::size_t>(input.size(), next_piece()));
    const auto fed = reader.feed(piece);
    if (!fed) verdict.error = fed.error();
    input = input.subspan(piece.size());
  }
  const auto ended = reader.end();
  if (verdict.error && ended.error() != *verdict.error) std::abort();
  if (!ended) verdict.error = ended.error();
  seen.end();
  verdict.digest = seen.digest;
  return verdict;
}

bool has_more_behind(const Verdict& verdict) {
  return verdict.error && verdict.error->detail == "bytes after its end";
}

/// Begun with all there is, which is the whole value.
Verdict read_at_once(const RecordHeader& record, const Header& header,
                     std::span<const std::byte> input, ReadOptions options) {
  fuzz::ValueDigest seen;
  ValueReader reader(seen, options);
  Verdict verdict;
  const std::size_t taken = reader.begin_with(record, header, input);
  if (taken != 0 && taken != input.size()) std::abort();
  if (taken == 0) {
    auto ended = reader.feed({});
    if (ended) ended = reader.end();
    if (!ended) verdict.error = ended.error();
  }
  seen.end();
  verdict.digest = seen.digest;
  return verdict;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  Header header{.dialect = Dialect::redis, .version = 14};
  if (data[0] >= 0x80) header = {.dialect = Dialect::valkey, .version = 80};
  RecordHeader record;
  record.type = find_value_type(header.dialect, data[0] & 0x7F);
  if (record.type == nullptr) return 0;
  const auto input = std::as_bytes(std::span(data, size)).subspan(1);
  const auto whole = [&] { return input.size(); };

  const Verdict strict = read(record, header, input, {}, whole);
  std::mt19937_64 random(crc64_by_table(0, input));
  const auto in_two = [&, first = true]() mutable {
    const std::size_t piece = first ? random() % (input.size() + 1) : input.size();
    first = false;
    return piece;
  };
  if (read(record, header, input, {}, in_two) != strict) std::abort();
  if (read(record, header, input, {}, [&] { return random() % 32; }) != strict) std::abort();
  if (read(record, header, input, {}, [] { return std::size_t{1}; }) != strict) std::abort();

  const bool may_be_begun = !has_more_behind(strict);
  if (may_be_begun && read_at_once(record, header, input, {}) != strict) std::abort();

  const Verdict deaf = read(record, header, input, {.texts = {}, .strict = true}, whole);
  if (deaf.error != strict.error) std::abort();
  if (read(record, header, input, {.texts = {}, .strict = true}, in_two) != deaf) std::abort();
  if (may_be_begun && read_at_once(record, header, input, {.texts = {}, .strict = true}) != deaf) {
    std::abort();
  }

  const Verdict lax = read(record, header, input, {.texts = Roles::all(), .strict = false}, whole);
  if (!strict.error && lax != strict) std::abort();
  return 0;
}
