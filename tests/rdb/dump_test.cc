#include "rdb/dump.h"

#include <gtest/gtest.h>

#include <cstring>
#include <optional>

#include "corpus.h"
#include "rdb/crc64.h"
#include "recorder.h"

namespace sluice::rdb {
namespace {

using testing::bytes;
using testing::from_hex;
using testing::to_hex;

/// The payload of every record, put together from the parser's events.
class Dumper final : public Handler {
 public:
  bool on_record_begin(const RecordHeader& record) override {
    auto payload = DumpPayload::begin(record);
    if (!payload) return false;
    payload_ = std::move(*payload);
    out_ = to_hex(payload_->head());
    value_bytes_ = 0;
    return true;
  }
  bool on_value_part(std::span<const std::byte> part) override {
    payload_->add(part);
    out_ += to_hex(part);
    value_bytes_ += part.size();
    return true;
  }
  bool on_record_end(std::uint64_t) override {
    out_ += to_hex(payload_->footer());
    EXPECT_EQ(out_.size(), 2 * payload_->size(value_bytes_));
    payloads.push_back(out_);
    return true;
  }

  std::vector<std::string> payloads;

 private:
  std::optional<DumpPayload> payload_;
  std::string out_;
  std::uint64_t value_bytes_ = 0;
};

/// The payload of a record `prefix` type "k" value, fed byte by byte.
std::string dump(const std::string& stream) {
  Dumper dumper;
  Parser parser(dumper);
  for (const char byte : stream) {
    const auto fed = parser.feed(bytes({&byte, 1}));
    if (!fed) return to_string(fed.error());
  }
  return dumper.payloads.size() == 1 ? dumper.payloads[0] : "not one record";
}

std::string dump_redis(std::string_view type, std::string_view value) {
  return dump(testing::redis_stream(14, from_hex(type) + from_hex("01 'k'") + from_hex(value)));
}

/// `payload` in hex with another version and the checksum that goes with it.
std::string stamped(std::string_view payload, std::uint16_t version) {
  std::string raw = from_hex(payload);
  raw.resize(raw.size() - 10);
  raw.append(reinterpret_cast<const char*>(&version), sizeof version);
  const std::uint64_t crc = crc64_by_table(0, bytes(raw));
  raw.append(reinterpret_cast<const char*>(&crc), sizeof crc);
  return to_hex(bytes(raw));
}

/// A payload known to be right, whole: its type and its value are cut out of it.
void expect_rebuilt(std::string_view vector, std::uint16_t version) {
  SCOPED_TRACE(std::string(vector));
  const std::string payload = to_hex(bytes(from_hex(vector)));
  ASSERT_EQ(stamped(payload, from_hex(payload).end()[-10]), payload) << "the vector is damaged";
  const std::string value = payload.substr(2, payload.size() - 22);
  EXPECT_EQ(dump_redis(payload.substr(0, 2), value), stamped(payload, version));
}

constexpr std::string_view stream_dump_15 =
    "0F0110 00000000000003E80000000000000000 1D 1D0000000A0001010001010181660200010201000100018176"
    "020401FF 01 43E8 00 00 0900 6BDB0859DA9C0088";
constexpr std::string_view stream_dump_21 =
    "150110 00000000000003E80000000000000000 1D 1D0000000A0001010001010181660200010201000100018176"
    "020401FF 01 43E800 43E800 0000 01 00 0B00 81914AB1EB2B4656";

// Their version is the first that has the type: the payload must be the same to the last byte.
TEST(DumpPayload, RebuildsKnownPayloads) {
  expect_rebuilt("0003626172 0600 705321E01B33C184", 6);
  expect_rebuilt("1012 1200000004008161020101816202DFFF02FF 0A00 C5A20D93CDC28A2A", 10);
  expect_rebuilt("1114 140000000400816102010181620283322E3504FF 0A00 D44C6EA4F644D9D7", 10);
  expect_rebuilt("05010161 000000000000F83F 0800 FC8E4430EDF0D3E2", 8);
  expect_rebuilt("0B0E 0200000003000000FFFF05002C01 0600 645B798EC4E5DE52", 6);
  expect_rebuilt("0D10 100000000D000000020000016103F2FF 0600 A6B71D139CD5E2AD", 6);
  expect_rebuilt("120102 0D 0D0000000200817802817902FF 0A00 7E975B568D1AFA6F", 10);
  expect_rebuilt(stream_dump_15, 9);
  expect_rebuilt(stream_dump_21, 11);
  expect_rebuilt("18 00B4C5DAB8010000 02 01 0161 0131 00 0162 0132 0C00 2D56A5B930BA1476", 12);
  expect_rebuilt(
      "19 00B4C5DAB8010000 1D 1D00000006008161020101F400B4C5DAB80100000981620202010001FF"
      " 0C00 3E1EBEBD45A1E17A",
      12);
}

TEST(DumpPayload, RebuildsKnownPayloadsOfNewerServersWithAnOlderStamp) {
  expect_rebuilt("00C00A 0A00 6E9F57450EAE63BB", 6);
  expect_rebuilt("0003626172 0B00 8F61F41313F9149E", 6);
}

TEST(DumpPayload, RebuildsAPayloadOfValkey9) {
  const std::string value = "02 0161 0131 00B4C5DAB8010000 0162 0132 FFFFFFFFFFFFFFFF";
  const std::string stream = testing::valkey_stream(80, from_hex("16 01 'k'" + value));
  EXPECT_EQ(dump(stream), to_hex(bytes(from_hex("16" + value + "5000 7EB7EBD9FF840585"))));
}

TEST(DumpPayload, IsStampedWithTheFirstVersionThatHasTheTypeButSixAtLeast) {
  for (const Dialect dialect : {Dialect::redis, Dialect::valkey}) {
    for (unsigned number = 0; number < 256; ++number) {
      const ValueType* type = find_value_type(dialect, static_cast<std::uint8_t>(number));
      if (type == nullptr || !type->in_dump) continue;
      RecordHeader record;
      record.type = type;
      const auto payload = DumpPayload::begin(record);
      ASSERT_TRUE(payload.has_value());
      const auto footer = payload->footer();
      EXPECT_EQ(std::to_integer<unsigned>(footer[0]), std::max<unsigned>(6, type->since));
      EXPECT_EQ(footer[1], std::byte{0});
    }
  }
}

TEST(DumpPayload, KeyMetaPrecedesTheTypeAndNeedsVersion13) {
  const std::string meta = "F3 01 04000000 02 05 00";
  const std::string stream = testing::redis_stream(13, from_hex(meta + "00 01 'k' 01 'v'"));
  const std::string unstamped = to_hex(bytes(from_hex(meta + "00 01 'v'"))) + std::string(20, '0');
  EXPECT_EQ(dump(stream), stamped(unstamped, 13));
}

TEST(DumpPayload, LeavesExpiryAndAccessInfoOut) {
  const std::string body = from_hex("FC 0100000000000000 F8 03 00 01 'k' 03 'bar'");
  EXPECT_EQ(dump(testing::redis_stream(9, body)),
            to_hex(bytes(from_hex("0003626172 0600 705321E01B33C184"))));
}

// Redis 8.0.2 and 8.6.3 restored payloads of exactly these forms, with the field's expiry.
TEST(DumpPayload, TheHashesOfThe74ReleaseCandidatesCanBeRestored) {
  const std::string metadata = "02 81 000001B8DAC5B400 01 'a' 01 '1' 00 01 'b' 01 '2'";
  const std::string listpack = "1D 1D00000006008161020101F400B4C5DAB80100000981620202010001FF";
  const std::string footer(20, '0');
  EXPECT_EQ(dump_redis("16", metadata),
            stamped(to_hex(bytes(from_hex("16" + metadata))) + footer, 12));
  EXPECT_EQ(dump_redis("17", listpack),
            stamped(to_hex(bytes(from_hex("17" + listpack))) + footer, 12));
}

// No type that is read today is without a payload; the row is made up.
TEST(DumpPayload, RefusesATypeThatMayNotStandInOne) {
  ValueType by_reference;
  by_reference.name = "by_reference";
  by_reference.in_dump = false;
  const std::string key = "k\"";
  RecordHeader record;
  record.type = &by_reference;
  record.index = 1;
  record.offset = 16;
  record.db = 3;
  record.key = bytes(key);
  EXPECT_EQ(DumpPayload::begin(record).error(), (Error{.code = Errc::not_representable,
                                                       .offset = 16,
                                                       .record = 1,
                                                       .db = 3,
                                                       .key = "k\\\"",
                                                       .detail = "type by_reference"}));
}

// Every payload of the corpus has the checksum that a server will ask for.
TEST(DumpPayload, ChecksumFitsForEveryRecordOfTheCorpus) {
  std::size_t count = 0;
  for (const auto& file : testing::corpus()) {
    Dumper dumper;
    Parser parser(dumper);
    (void)parser.feed(bytes(file.content));
    for (const std::string& payload : dumper.payloads) {
      const std::string raw = from_hex(payload);
      const auto covered = bytes(raw).first(raw.size() - sizeof(std::uint64_t));
      std::uint64_t stored = 0;
      std::memcpy(&stored, raw.data() + covered.size(), sizeof stored);
      ASSERT_EQ(stored, crc64_by_table(0, covered)) << file.name;
      ++count;
    }
  }
  EXPECT_GT(count, 11000u);
}

}  // namespace
}  // namespace sluice::rdb
