// Damaged and hostile streams: never a crash, a loop, or memory that the input did not pay for.

#include <gtest/gtest.h>

#include <random>

#include "allocation_meter.h"
#include "corpus.h"
#include "recorder.h"

namespace sluice::rdb::testing {
namespace {

/// What a parser may ask for beside what it was fed: the error's text, the first few vectors.
constexpr std::size_t slack_bytes = 4096;

/// Parses without a log, and checks the memory that was asked for.
Result<std::uint64_t> verdict(std::string_view input, std::size_t piece_bytes, Limits limits = {}) {
  Handler deaf;
  AllocationMeter meter;
  Parser parser(deaf, limits);
  for (std::size_t from = 0; from < input.size() && !parser.done(); from += piece_bytes) {
    const auto taken = parser.feed(bytes(input.substr(from, piece_bytes)));
    if (!taken) return std::unexpected(taken.error());
  }
  const auto finished = parser.finish();
  // Collecting doubles; LZF pays 88 for one; a text of an opcode is copied once more.
  EXPECT_LE(meter.largest_bytes(), slack_bytes + 88 * input.size());
  EXPECT_LE(meter.total_bytes(), 16 * slack_bytes + 4 * 88 * input.size());
  if (!finished) return std::unexpected(finished.error());
  return parser.records();
}

const std::vector<std::string>& small_files() {
  static const std::vector<std::string> names = {
      "legacy/hash_as_ziplist.rdb",       "legacy/integer_keys.rdb",
      "legacy/keys_with_expiry.rdb",      "legacy/redis_60_with_module_aux.rdb",
      "legacy/redis_50_with_streams.rdb", "legacy/rdb_version_5_with_checksum.rdb",
      "legacy/redis_40_with_module.rdb",  "legacy/easily_compressible_string_key.rdb",
      "valkey-assets/scriptbackup.rdb",   "valkey-assets/encodings-rdb987.rdb",
      "valkey-assets/list-quicklist.rdb", "valkey-assets/corrupt_ziplist.rdb",
  };
  return names;
}

std::string all_kinds() {
  return redis_stream(
      14,
      from_hex("FA 01 'a' C0 05 F5 02 '#!' F7 05 02 01 05 02 'ab' 00 FE 01 FB 05 01 F4 01 02 03 "
               "FC 0100000000000000 F8 03 F9 09 F3 01 04000000 02 05 00 03 01 'z' 02 01 'a' 03 "
               "'1.5' 01 'b' FF 12 01 'l' 02 02 01 'x' 01 C3 05 1A 0061E01000 07 01 'm' 05 03 "
               "0000803F 04 000000000000F03F 01 05 00 1C 01 'r' 02 01 07 00 00 01 'a' 01 01 "
               "0000000000000000 0F C3 05 1A 0061E01000 00 00 00 00 01 01 'g' 01 01 00 01 01 'c' "
               "0000000000000000 00"));
}

TEST(ParserHostile, TheStreamOfAllKindsIsWellFormed) {
  EXPECT_EQ(verdict(all_kinds(), 7), 5u);
  const Outcome outcome = parse_at_every_split(all_kinds());
  EXPECT_FALSE(outcome.error) << to_string(*outcome.error);
}

// Where the checksum is on, no change of one byte gets through but one: a header that becomes that
// of a version without a checksum, whose footer is then left to the caller.
TEST(ParserHostile, EveryChangeOfOneByteIsFound) {
  std::vector<std::string> inputs = {all_kinds()};
  for (const std::string& name : small_files()) inputs.push_back(corpus_file(name).content);
  for (const std::string& input : inputs) {
    Recorder seen;
    Parser parser(seen);
    const auto taken = parser.feed(bytes(input));
    ASSERT_TRUE(taken.has_value());
    const bool checked = seen.log.find("end checked") != std::string::npos;
    std::string damaged = input.substr(0, *taken);
    for (std::size_t at = 0; at < damaged.size(); ++at) {
      const char before = damaged[at];
      for (const int flip : {0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0xff, 0x7f}) {
        damaged[at] = static_cast<char>(before ^ flip);
        const auto result = verdict(damaged, 64);
        const bool footer_off = damaged.starts_with("REDIS000") && damaged[8] < '5';
        EXPECT_TRUE(!result || !checked || footer_off) << "byte " << at << " xor " << flip;
      }
      damaged[at] = before;
    }
  }
}

TEST(ParserHostile, AChangedByteGivesTheSameVerdictForEveryCut) {
  std::mt19937 random(3);
  const std::string input = all_kinds();
  for (int round = 0; round < 3000; ++round) {
    std::string damaged = input;
    for (auto changes = 1 + random() % 3; changes > 0; --changes) {
      damaged[random() % damaged.size()] = static_cast<char>(random());
    }
    const Outcome whole = parse(damaged, {}, {.key_bytes_max = 8, .metadata_bytes_max = 8});
    const Outcome bytewise =
        parse_byte_by_byte(damaged, {.key_bytes_max = 8, .metadata_bytes_max = 8});
    ASSERT_EQ(whole, bytewise) << to_hex(bytes(damaged));
  }
}

TEST(ParserHostile, RandomBytesAfterAHeader) {
  std::mt19937 random(4);
  for (int round = 0; round < 20000; ++round) {
    std::string input = round % 2 == 0 ? "REDIS0011" : "VALKEY080";
    for (auto left = random() % 200; left > 0; --left) input += static_cast<char>(random());
    (void)verdict(input, 1 + random() % 64);
  }
}

TEST(ParserHostile, AHandlerThatRefusesItsNthEventStopsTheParser) {
  for (const std::string& input : {all_kinds(), corpus_file("legacy/parser_filters.rdb").content}) {
    Recorder all;
    Parser whole(all);
    ASSERT_TRUE(whole.feed(bytes(input)).has_value());
    for (std::uint64_t n = 0; n < all.events; ++n) {
      Recorder seen(n);
      Parser parser(seen);
      const auto stopped = parser.feed(bytes(input));
      ASSERT_FALSE(stopped.has_value()) << n;
      EXPECT_EQ(stopped.error().code, Errc::stopped);
      EXPECT_FALSE(parser.done());
      EXPECT_EQ(parser.feed(bytes(input)).error(), stopped.error());
      EXPECT_EQ(parser.feed({}).error(), stopped.error());
      EXPECT_EQ(parser.finish().error(), stopped.error());
      EXPECT_EQ(seen.refusals, 1u) << "no event after the refused one";
      EXPECT_EQ(seen.events, n + 1);
    }
  }
}

/// Takes strings of three bytes itself.
class Taker final : public Handler {
 public:
  bool on_record_begin(const RecordHeader&) override {
    values += '<';
    return true;
  }
  std::size_t take_value(const RecordHeader& record, std::span<const std::byte> bytes) override {
    ++asked;
    EXPECT_EQ(record.key.size(), 1u);
    if (record.type->number != 0 || bytes.size() < 4 || bytes[0] != std::byte{3}) return 0;
    ++taken;
    on_value_part(bytes.first(4));
    return 4;
  }
  bool on_value_part(std::span<const std::byte> part) override {
    values.append(reinterpret_cast<const char*>(part.data()), part.size());
    return true;
  }
  bool on_record_end(std::uint64_t offset) override {
    values += '>' + std::to_string(offset);
    return true;
  }

  std::string values;
  int asked = 0;
  int taken = 0;
};

TEST(ParserHostile, AHandlerMayTakeValuesItself) {
  const std::string input =
      redis_stream(11, from_hex("00 01 'a' 03 'abc' 00 01 'b' 02 'de' FC 0100000000000000"
                                " 00 01 'c' 03 'fgh' 01 01 'd' 03 01 'x' 01 'y' 01 'z'"));
  for (std::size_t cut = 0; cut <= input.size(); ++cut) {
    SCOPED_TRACE(cut);
    Taker taker;
    Parser parser(taker);
    ASSERT_TRUE(parser.feed(bytes(input).first(cut)).has_value());
    ASSERT_TRUE(parser.feed(bytes(input).subspan(cut)).has_value());
    EXPECT_TRUE(parser.done());
    EXPECT_EQ(parser.records(), 4u);
    EXPECT_EQ(taker.values, "<\3abc>16<\2de>22<\3fgh>38<\3\1x\1y\1z>48");
    EXPECT_EQ(taker.asked, 4) << "once each";
    EXPECT_GE(taker.taken, 1) << "of two";
  }
}

// A declared length that is a lie costs nothing.
TEST(ParserHostile, DeclaredLengthsTakeNoMemory) {
  const std::string huge = " 81 1000000000000000 ";
  const std::string data = " " + std::string(200, '0');
  for (const std::string& hex : std::vector<std::string>{
           "00 01 'k'" + huge + data,
           "00 01 'k' C3" + huge + huge + data,
           "01 01 'k'" + huge + data,
           "12 01 'k' 01 01" + huge + data,
           "07 01 'k' 05 05" + huge + data,
           "1B 01 'k'" + huge + "10" + data,
           "F7 05 02 01 05" + huge + data,
           "F3" + huge + "00000000" + data,
           "F3 01 00000000 05" + huge + data,
       }) {
    SCOPED_TRACE(hex);
    for (const std::size_t piece : {1, 7, 4096}) {
      AllocationMeter meter;
      Handler deaf;
      Parser parser(deaf);
      const std::string input = redis_stream(14, from_hex(hex)).substr(0, 100);
      for (std::size_t from = 0; from < input.size(); from += piece) {
        ASSERT_TRUE(
            parser.feed(bytes(input).subspan(from).first(std::min(piece, input.size() - from)))
                .has_value());
      }
      EXPECT_LE(meter.total_bytes(), 2 * slack_bytes);
      EXPECT_EQ(parser.finish().error().code, Errc::truncated);
    }
  }
}

TEST(ParserHostile, CollectingAKeyGrowsWithWhatArrived) {
  // 256 MiB declared, within the limit; 100 kB arrive.
  const std::string input = "REDIS0011" + from_hex("00 80 10000000") + std::string(100'000, 'x');
  AllocationMeter meter;
  Handler deaf;
  Parser parser(deaf);
  for (std::size_t from = 0; from < input.size(); from += 1000) {
    ASSERT_TRUE(parser.feed(bytes(std::string_view(input).substr(from, 1000))).has_value());
  }
  EXPECT_LE(meter.largest_bytes(), 2 * input.size());
}

// No allocation per key when keys do not straddle feeds.
TEST(ParserHostile, TheFastPathDoesNotAllocate) {
  std::string body;
  for (int i = 0; i < 1000; ++i) body += from_hex("00 05 'abcde' 03 'xyz' 02 01 'k' 01 C0 05");
  const std::string input = redis_stream(11, body);
  AllocationMeter meter;
  Handler deaf;
  Parser parser(deaf);
  ASSERT_TRUE(parser.feed(bytes(input)).has_value());
  EXPECT_TRUE(parser.done());
  EXPECT_EQ(meter.count(), 0u);
}

void expect_too_long(std::string_view hex, std::uint64_t offset) {
  SCOPED_TRACE(std::string(hex));
  const Limits limits{.key_bytes_max = 8, .metadata_bytes_max = 8};
  const Outcome outcome = parse_at_every_split(redis_stream(14, from_hex(hex)), limits);
  ASSERT_TRUE(outcome.error.has_value());
  EXPECT_EQ(outcome.error->code, Errc::too_long) << to_string(*outcome.error);
  EXPECT_EQ(outcome.error->offset, offset);
}

TEST(ParserHostile, LimitsAreMetBeforeTheBytesAre) {
  expect_too_long("00 09", 10);  // nothing of the key is there
  expect_too_long("00 81 FFFFFFFFFFFFFFFF", 10);
  expect_too_long("00 C3 09 08", 12);  // compressed
  expect_too_long("00 C3 05 09", 12);  // expanded
  expect_too_long("FA 09 '123456789' 00", 10);
  expect_too_long("FA 00 09 '123456789'", 11);
  expect_too_long("F5 09 '123456789'", 10);
}

TEST(ParserHostile, KeyMetaHasALimitToo) {
  expect_too_long("F3 01 00000000 05 03 'abc' 00 00 01 'k' 00", 9);
  expect_too_long("F3 01 00000000 05 81 FFFFFFFFFFFFFFFF", 9);
  expect_too_long("F3 01 00000000 05 00 09", 9);
  const Limits limits{.key_bytes_max = 8, .metadata_bytes_max = 8};
  const std::string fits = from_hex("F3 01 00000000 00 00 01 'k' 00");
  EXPECT_FALSE(parse_at_every_split(redis_stream(13, fits), limits).error);
}

TEST(ParserHostile, AKeyAtTheLimitIsAccepted) {
  const Limits limits{.key_bytes_max = 8, .metadata_bytes_max = 8};
  const std::string body = from_hex("FA 08 '12345678' 00 00 08 '12345678' 09 '123456789'");
  const Outcome outcome = parse_at_every_split(redis_stream(11, body), limits);
  EXPECT_FALSE(outcome.error) << to_string(*outcome.error);
}

}  // namespace
}  // namespace sluice::rdb::testing
