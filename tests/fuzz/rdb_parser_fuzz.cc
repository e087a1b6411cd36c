// Property: cutting the input anywhere changes neither the verdict, with its offset, record, key
// and text, nor what the handler saw, nor what was read of each complete value or why it was
// refused. The cuts follow from the input, so that every file is a seed.

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <random>
#include <span>
#include <utility>
#include <vector>

#include "event_digest.h"
#include "rdb/parser.h"
#include "rdb/value_reader.h"
#include "value_digest.h"

namespace {

using sluice::rdb::Error;
using sluice::rdb::Header;
using sluice::rdb::Limits;
using sluice::rdb::Parser;
using sluice::rdb::RecordHeader;
using sluice::rdb::ValueReader;
using sluice::rdb::fuzz::EventDigest;
using sluice::rdb::fuzz::ValueDigest;

/// Reads every value. Of one that the end of the input or an error cuts, how much came depends on
/// the cuts: it does not count.
class ValueSink final : public EventDigest {
 public:
  bool on_header(const Header& header) override {
    header_ = header;
    return EventDigest::on_header(header);
  }
  bool on_record_begin(const RecordHeader& record) override {
    seen_.end();
    seen_.digest = 0;
    refusal_.reset();
    return EventDigest::on_record_begin(record);
  }
  std::size_t take_value(const RecordHeader& record, std::span<const std::byte> bytes) override {
    const std::size_t taken = reader_.begin_with(record, header_, bytes);
    done_ = taken > 0;
    ahead_ = taken == 0 && !bytes.empty();
    if (done_) EventDigest::on_value_part(bytes.first(taken));
    return taken;
  }
  bool on_value_part(std::span<const std::byte> part) override {
    const auto unread = ahead_ ? std::span<const std::byte>() : part;
    ahead_ = false;
    if (!refusal_) judge(reader_.feed(unread));
    return EventDigest::on_value_part(part);
  }
  bool on_record_end(std::uint64_t offset) override {
    if (!done_ && !refusal_) judge(reader_.end());
    seen_.end();
    values = values * 31 + seen_.digest;
    if (refusal_) refusals.push_back(*refusal_);
    return EventDigest::on_record_end(offset);
  }

  std::uint64_t values = 0;
  std::vector<Error> refusals;

 private:
  void judge(const sluice::rdb::Result<void>& read) {
    if (!read) refusal_ = read.error();
  }

  Header header_;
  ValueDigest seen_;
  ValueReader reader_{seen_};
  std::optional<Error> refusal_;
  bool done_ = false;   // the value was taken as a whole
  bool ahead_ = false;  // its first part was read before it came
};

struct Verdict {
  std::optional<Error> error;
  std::uint64_t digest = 0;
  std::uint64_t values = 0;
  std::vector<Error> refusals;
  std::uint64_t records = 0;
  std::uint64_t bytes = 0;

  friend bool operator==(const Verdict&, const Verdict&) = default;
};

/// Feeds pieces of as many bytes as `next_piece` says.
template <class NextPiece>
Verdict parse(std::span<const std::byte> input, Limits limits, NextPiece next_piece) {
  ValueSink seen;
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
  verdict.values = seen.values;
  verdict.refusals = std::move(seen.refusals);
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
