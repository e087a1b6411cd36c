// Opcodes, byte for byte, each stream fed at every split. Offsets count from the nine header bytes.

#include <gtest/gtest.h>

#include "recorder.h"

namespace sluice::rdb::testing {
namespace {

/// The events of a Redis stream between its header and its end.
std::string events(unsigned version, std::string_view hex) {
  const Outcome outcome = parse_at_every_split(redis_stream(version, from_hex(hex)));
  EXPECT_FALSE(outcome.error) << to_string(*outcome.error);
  const std::size_t begin = outcome.log.find('\n') + 1;
  const std::size_t end = outcome.log.rfind("end ");
  return end == std::string::npos ? outcome.log : outcome.log.substr(begin, end - begin);
}

constexpr std::string_view record_k_at_9 = "record 0 at 9 db 0 string/string \"k\"";

TEST(ParserOpcode, HeaderAndEnd) {
  EXPECT_EQ(parse_at_every_split(redis_stream(9, "")).log,
            "redis 9\nend checked, 18 bytes, 0 records\n");
  EXPECT_EQ(parse_at_every_split(redis_stream(11, "")).log,
            "redis 11\nend checked, 18 bytes, 0 records\n");
  EXPECT_EQ(parse_at_every_split(valkey_stream(80, "")).log,
            "valkey 80\nend checked, 18 bytes, 0 records\n");
}

TEST(ParserOpcode, NoChecksumBeforeVersion5) {
  const Outcome outcome = parse_at_every_split("REDIS0004\xff");
  EXPECT_TRUE(outcome.done);
  EXPECT_EQ(outcome.log, "redis 4\nend unchecked, 10 bytes, 0 records\n");
}

TEST(ParserOpcode, ChecksumZeroIsSwitchedOff) {
  const Outcome outcome = parse_at_every_split("REDIS0011\xff" + std::string(8, '\0'));
  EXPECT_EQ(outcome.log, "redis 11\nend unchecked, 18 bytes, 0 records\n");
}

TEST(ParserOpcode, WhatFollowsTheEndIsLeftToTheCaller) {
  for (const std::string& stream : {redis_stream(11, ""), std::string("REDIS0004\xff")}) {
    const Outcome outcome = parse_at_every_split(stream + "*1\r\n");
    EXPECT_TRUE(outcome.done);
    EXPECT_EQ(outcome.taken, stream.size());
  }
}

TEST(ParserOpcode, FeedingAFinishedParserTakesNothing) {
  Recorder seen;
  Parser parser(seen);
  const std::string stream = redis_stream(11, "");
  EXPECT_EQ(parser.feed(bytes(stream)), stream.size());
  EXPECT_EQ(parser.feed(bytes("more")), 0u);
  EXPECT_EQ(parser.feed({}), 0u);
  EXPECT_TRUE(parser.finish().has_value());
  EXPECT_EQ(parser.offset(), stream.size());
  EXPECT_EQ(seen.events, 2u);
}

TEST(ParserOpcode, FeedingNothingChangesNothing) {
  Recorder seen;
  Parser parser(seen);
  EXPECT_EQ(parser.feed({}), 0u);
  for (const char byte : redis_stream(11, from_hex("00 01 'k' 01 'v'"))) {
    EXPECT_EQ(parser.feed(bytes({&byte, 1})), 1u);
    EXPECT_EQ(parser.feed({}), 0u);
  }
  EXPECT_TRUE(parser.done());
  EXPECT_EQ(parser.records(), 1u);
}

TEST(ParserOpcode, SelectDb) {
  EXPECT_EQ(events(11, "FE 00 FE 0F FE 40 40"), "db 0\ndb 15\ndb 64\n");
  EXPECT_EQ(events(11, "FE 05 00 01 'k' 01 'v'"),
            "db 5\nrecord 0 at 11 db 5 string/string \"k\"\nvalue 0176 to 16\n");
}

TEST(ParserOpcode, ResizeDb) { EXPECT_EQ(events(11, "FB 07 41 00"), "size 7 256\n"); }

TEST(ParserOpcode, Aux) {
  EXPECT_EQ(events(11, "FA 09 'redis-ver' 05 '7.2.4'"), "aux \"redis-ver\" \"7.2.4\"\n");
  EXPECT_EQ(events(11, "FA 0A 'redis-bits' C0 40"), "aux \"redis-bits\" \"64\"\n");
  EXPECT_EQ(events(11, "FA 00 00"), "aux \"\" \"\"\n");
}

TEST(ParserOpcode, ExpireTimeInSeconds) {
  EXPECT_EQ(events(3, "FD 01 00 00 00 00 01 'k' 01 'v'").substr(0, record_k_at_9.size() + 12),
            std::string(record_k_at_9) + " expire 1000");
  EXPECT_EQ(events(11, "FD FF FF FF FF 00 01 'k' 01 'v'"),
            std::string(record_k_at_9) + " expire -1000\nvalue 0176 to 19\n");
}

TEST(ParserOpcode, ExpireTimeInMilliseconds) {
  EXPECT_EQ(events(11, "FC 00B4C5DAB8010000 00 01 'k' 01 'v'"),
            std::string(record_k_at_9) + " expire 1893456000000\nvalue 0176 to 23\n");
}

TEST(ParserOpcode, FreqIsOneRawByte) {
  EXPECT_EQ(events(11, "F9 FF 00 01 'k' 01 'v'"),
            std::string(record_k_at_9) + " freq 255\nvalue 0176 to 16\n");
}

TEST(ParserOpcode, IdleIsALength) {
  EXPECT_EQ(events(11, "F8 41 00 00 01 'k' 01 'v'"),
            std::string(record_k_at_9) + " idle 256\nvalue 0176 to 17\n");
}

TEST(ParserOpcode, ModuleAux) {
  // The id of ReJSON-RL 3; an unsigned, a float, a double and a string before the end.
  EXPECT_EQ(events(11,
                   "F7 81 45E25238DF912C03 02 01 02 05 03 0000803F 04 000000000000F03F 05 02 'ab' "
                   "01 81 FFFFFFFFFFFFFFFF 00 F7 01 02 02 00"),
            "module_aux 5035677737576115203 1\nmodule_aux 1 2\n");
}

TEST(ParserOpcode, FunctionLibrary) {
  EXPECT_EQ(events(11, "F5 0D '#!lua name=l' 0A"), "function \"#!lua name=l\\x0a\"\n");
}

TEST(ParserOpcode, SlotInfoIsSkipped) { EXPECT_EQ(events(12, "F4 50 00 02 01 FE 01"), "db 1\n"); }

TEST(ParserOpcode, KeyMetaIsHandedOnAsItStands) {
  const std::string meta = "f3 02 04000000 02 05 00 05000000 05 02 'ab' 00";
  EXPECT_EQ(events(13, meta + "00 01 'k' 01 'v'"),
            std::string(record_k_at_9) +
                " meta f30204000000020500050000000502616200\nvalue 0176 to 32\n");
}

TEST(ParserOpcode, KeyMetaOfNoClasses) {
  EXPECT_EQ(events(13, "F3 00 00 01 'k' 01 'v'"),
            std::string(record_k_at_9) + " meta f300\nvalue 0176 to 16\n");
}

TEST(ParserOpcode, SlotImportOfValkeyIsSkipped) {
  const std::string body = from_hex("F3 03 'job' 02 00 41 00 50 00 7F FF FE 02");
  const Outcome outcome = parse_at_every_split(valkey_stream(80, body));
  EXPECT_EQ(outcome.log, "valkey 80\ndb 2\nend checked, 33 bytes, 0 records\n");
}

TEST(ParserOpcode, PrefixesComeInAnyOrder) {
  const std::string log = std::string(record_k_at_9) +
                          " expire 1893456000000 idle 3 freq 9 meta f300\nvalue 0176 to 29\n";
  EXPECT_EQ(events(13, "FC 00B4C5DAB8010000 F8 03 F9 09 F3 00 00 01 'k' 01 'v'"), log);
  EXPECT_EQ(events(13, "F3 00 F9 09 F8 03 FC 00B4C5DAB8010000 00 01 'k' 01 'v'"), log);
}

// KeyDB writes its mvcc-tstamp there.
TEST(ParserOpcode, AnAuxFieldBetweenExpiryAndTypeKeepsTheExpiry) {
  EXPECT_EQ(
      events(9, "FC 0100000000000000 FA 0B 'mvcc-tstamp' C0 07 00 01 'k' 01 'v'"),
      "aux \"mvcc-tstamp\" \"7\"\n" + std::string(record_k_at_9) + " expire 1\nvalue 0176 to 38\n");
}

TEST(ParserOpcode, NothingOfAKeyIsLeftForTheNext) {
  EXPECT_EQ(events(13, "F3 00 FC 0100000000000000 F8 03 F9 09 00 01 'k' 01 'v' 00 01 'l' 01 'w'"),
            std::string(record_k_at_9) +
                " expire 1 idle 3 freq 9 meta f300\nvalue 0176 to 29\n"
                "record 1 at 29 db 0 string/string \"l\"\nvalue 0177 to 34\n");
}

TEST(ParserOpcode, AuxAndFunctionMayStandBetweenKeys) {
  EXPECT_EQ(events(11, "00 01 'k' 01 'v' FA 01 'a' 01 'b' F5 01 'f' 00 01 'l' 01 'w'"),
            std::string(record_k_at_9) +
                "\nvalue 0176 to 14\naux \"a\" \"b\"\nfunction \"f\"\n"
                "record 1 at 22 db 0 string/string \"l\"\nvalue 0177 to 27\n");
}

TEST(ParserOpcode, KeysAreDecoded) {
  EXPECT_EQ(events(11, "00 C0 FF 01 'v'").substr(0, 38),
            "record 0 at 9 db 0 string/string \"-1\"\n");
  EXPECT_EQ(events(11, "00 C1 00 80 01 'v'").substr(33, 8), "\"-32768\"");
  EXPECT_EQ(events(11, "00 C2 FF FF FF 7F 01 'v'").substr(33, 12), "\"2147483647\"");
  EXPECT_EQ(events(11, "00 C3 05 1A 0061E01000 01 'v'").substr(33, 28),
            '"' + std::string(26, 'a') + '"');
  EXPECT_EQ(events(11, "00 00 01 'v'").substr(33, 3), "\"\"\n");
  EXPECT_EQ(events(11, "00 05 0A 00 '\"\\' FF 01 'v'").substr(33, 19),
            "\"\\x0a\\x00\\\"\\\\\\xff\"\n");
}

}  // namespace
}  // namespace sluice::rdb::testing
