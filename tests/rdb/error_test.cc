#include "rdb/error.h"

#include <gtest/gtest.h>

#include "rdb/dump.h"
#include "recorder.h"

namespace sluice::rdb::testing {
namespace {

TEST(Error, EveryCodeHasAMessage) {
  for (int value = 1; value <= static_cast<int>(Errc::empty_value); ++value) {
    const std::error_code code = make_error_code(static_cast<Errc>(value));
    EXPECT_NE(code.message(), "unknown error") << value;
    EXPECT_EQ(code.category().name(), std::string("sluice.rdb"));
  }
  EXPECT_EQ(make_error_code(static_cast<Errc>(999)).message(), "unknown error");
}

TEST(Error, IsShownOnOneLine) {
  EXPECT_EQ(to_string({.code = Errc::unknown_type,
                       .offset = 812,
                       .record = 7,
                       .db = 2,
                       .key = "a\\x00",
                       .detail = "why"}),
            "unknown value type at offset 812, record 7, db 2, key \"a\\x00\": why");
  EXPECT_EQ(
      to_string(
          {.code = Errc::truncated, .offset = 0, .record = 0, .db = 0, .key = {}, .detail = {}}),
      "stream ended in the middle at offset 0, record 0, db 0");
}

/// The error that `input` gives however it is cut.
Error refusal(std::string_view input) {
  const Outcome outcome = parse_at_every_split(input);
  EXPECT_TRUE(outcome.error.has_value());
  EXPECT_FALSE(outcome.done);
  return outcome.error.value_or(Error{});
}

/// Two good records in db 3, 22 bytes with the header, then `hex`.
Error refusal_after_two(unsigned version, std::string_view hex) {
  return refusal(
      redis_stream(version, from_hex("FE 03 00 01 'a' 02 'bc' 02 01 'd' 01 00") + from_hex(hex)));
}

TEST(Errc, BadMagic) {
  EXPECT_EQ(refusal("REDIX0011\xff"),
            (Error{.code = Errc::bad_magic,
                   .offset = 0,
                   .record = 0,
                   .db = 0,
                   .key = {},
                   .detail = "found \"REDIX0011\", expected REDISnnnn or VALKEYnnn"}));
  for (const std::string magic : {"REDIS001x", "REDIS 011", "REDIS+011", "VALKEY 80", "VALKEYabc",
                                  "redis0011", "*1\r\n$4\r\nPI"}) {
    const Error error = refusal(magic + "0000");
    EXPECT_EQ(error.code, Errc::bad_magic) << magic;
    EXPECT_EQ(error.offset, 0u);
  }
}

TEST(Errc, UnsupportedVersion) {
  for (const std::string magic : {"REDIS0000", "VALKEY079", "VALKEY011", "VALKEY000"}) {
    const Error error = refusal(magic + "\xff");
    EXPECT_EQ(error.code, Errc::unsupported_version) << magic;
    EXPECT_EQ(error.offset, 0u);
    EXPECT_EQ(error.detail, magic);
  }
}

TEST(Errc, BadLength) {
  const Error error = refusal_after_two(11, "01 03 'k\"k' 82 00");
  EXPECT_EQ(error, (Error{.code = Errc::bad_length,
                          .offset = 27,
                          .record = 2,
                          .db = 3,
                          .key = "k\\\"k",
                          .detail = "first byte 130"}));
}

TEST(Errc, BadString) {
  const Error error = refusal_after_two(11, "00 03 'key' C7 00");
  EXPECT_EQ(error, (Error{.code = Errc::bad_string,
                          .offset = 27,
                          .record = 2,
                          .db = 3,
                          .key = "key",
                          .detail = "string encoding 7"}));
}

TEST(Errc, BadValue) {
  EXPECT_EQ(refusal_after_two(11, "12 03 'key' 01 05 00"),
            (Error{.code = Errc::bad_value,
                   .offset = 28,
                   .record = 2,
                   .db = 3,
                   .key = "key",
                   .detail = "quicklist node container 5, expected 1 (plain) or 2 (packed)"}));
}

TEST(Errc, BadValueOfAnOpcode) {
  const Error position = refusal_after_two(11, "F7 01 02 03 02 01 00");
  EXPECT_EQ(position.code, Errc::bad_value);
  EXPECT_EQ(position.offset, 25u) << "at the position, not after the payload";
  EXPECT_EQ(position.key, "");
  EXPECT_EQ(refusal_after_two(11, "F7 01 05 01 02 01 00").code, Errc::bad_value);
  EXPECT_EQ(refusal_after_two(13, "F3 00 F3 00 00 00 00").offset, 24u) << "KEY_META twice";
  EXPECT_EQ(refusal_after_two(11, "FC 0000000000000000").detail,
            "stream ends between an expiry and its key");
}

TEST(Errc, UnknownOpcode) {
  EXPECT_EQ(refusal_after_two(15, "F2 01 02 03").code, Errc::unknown_opcode);
  const Error error = refusal_after_two(16, "F1 00 01 'k' 01 'v'");
  EXPECT_EQ(error, (Error{.code = Errc::unknown_opcode,
                          .offset = 22,
                          .record = 2,
                          .db = 3,
                          .key = {},
                          .detail = "opcode 241 belongs to RDB version 16 (Redis 8.12); the stream "
                                    "is RDB version 16"}));
  EXPECT_EQ(refusal(valkey_stream(81, from_hex("F2"))).code, Errc::unknown_opcode);
}

TEST(Errc, UnknownTypeNamesTheKey) {
  const Error error = refusal_after_two(15, "21 C3 05 1A 0061E01000 05");
  EXPECT_EQ(error, (Error{.code = Errc::unknown_type,
                          .offset = 22,
                          .record = 2,
                          .db = 3,
                          .key = std::string(26, 'a'),
                          .detail = "type 33 belongs to RDB version 15 (GCRA, Redis 8.10); the "
                                    "stream is RDB version 15"}));
  EXPECT_EQ(refusal(valkey_stream(81, from_hex("17 02 'ph'"))).key, "ph");
  EXPECT_EQ(refusal(valkey_stream(80, from_hex("18 02 'vs'"))).code, Errc::unknown_type);
}

// What follows an unknown type may not be a key at all: the refusal stands without one.
TEST(Errc, UnknownTypeWithoutAReadableKey) {
  for (const std::string rest : {"", "C9", "05 'ab'", "81 0000000100000000 00", "C3 01 01 00"}) {
    const std::string input = "REDIS0011" + from_hex("08" + rest);
    const Error error = refusal(input);
    EXPECT_EQ(error.code, Errc::unknown_type) << rest;
    EXPECT_EQ(error.offset, 9u);
    EXPECT_EQ(error.key, "");
  }
}

// refusal_test.cc has the rest.
TEST(Errc, UnsupportedDialect) {
  const Error keydb = refusal_after_two(9, "FA 0B 'mvcc-tstamp' C0 01 40 04 'cron' 00");
  EXPECT_EQ(keydb.code, Errc::unsupported_dialect);
  EXPECT_EQ(keydb.key, "cron");
  const Error dragonfly = refusal_after_two(9, "FA 06 'df-ver' 02 'v1' CA 04 'zzzz'");
  EXPECT_EQ(dragonfly.code, Errc::unsupported_dialect);
  EXPECT_EQ(dragonfly.offset, 22u + 11);
  EXPECT_EQ(dragonfly.key, "");
  EXPECT_EQ(refusal_after_two(10, "F6 01 'l'").code, Errc::unsupported_dialect);
}

TEST(Errc, UnskippableModule) {
  const Error error = refusal_after_two(8, "06 03 'mod' 81 0000000000000001");
  EXPECT_EQ(error.code, Errc::unskippable_module);
  EXPECT_EQ(error.offset, 22u);
  EXPECT_EQ(error.key, "mod");
}

TEST(Errc, TooLong) {
  Recorder seen;
  Parser parser(seen, {.key_bytes_max = 4, .metadata_bytes_max = 4});
  const auto result = parser.feed(bytes("REDIS0011" + from_hex("FE 07 00 05")));
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error(), (Error{.code = Errc::too_long,
                                   .offset = 12,
                                   .record = 0,
                                   .db = 7,
                                   .key = {},
                                   .detail = "5 bytes, at most 4 are accepted here"}));
}

TEST(Errc, Truncated) {
  const Error error = refusal("REDIS0011" + from_hex("FE 03 00 01 'k' 05 'ab'"));
  EXPECT_EQ(error, (Error{.code = Errc::truncated,
                          .offset = 17,
                          .record = 0,
                          .db = 3,
                          .key = "k",
                          .detail = "inside a value"}));
  EXPECT_EQ(refusal("").detail, "before the end of the stream");
  EXPECT_EQ(refusal("REDIS0011\xff" + std::string(7, '\0')).offset, 17u);
}

TEST(Errc, ChecksumMismatch) {
  const Error error = refusal("REDIS0009\xff\x9a\xac\x7a\xbc\xfb\x0f\xad\x75");
  EXPECT_EQ(error, (Error{.code = Errc::checksum_mismatch,
                          .offset = 10,
                          .record = 0,
                          .db = 0,
                          .key = {},
                          .detail = "the stream says 75ad0ffbbc7aac9a, its bytes give "
                                    "74ad0ffbbc7aac9a"}));
}

TEST(Errc, Stopped) {
  Recorder seen(1);
  Parser parser(seen);
  const auto result = parser.feed(bytes("REDIS0011" + from_hex("FE 03")));
  EXPECT_EQ(result.error().code, Errc::stopped);
  EXPECT_EQ(seen.log, "redis 11\n");
}

TEST(Errc, NotRepresentable) {
  ValueType by_reference;
  by_reference.in_dump = false;
  RecordHeader record;
  record.type = &by_reference;
  EXPECT_EQ(DumpPayload::begin(record).error().code, Errc::not_representable);
}

TEST(Error, ALongKeyIsCut) {
  const std::string key(200, 'k');
  const Error error = refusal(redis_stream(11, from_hex("00 40 C8") + key + from_hex("C9")));
  EXPECT_EQ(error.key, std::string(64, 'k') + "...");
}

}  // namespace
}  // namespace sluice::rdb::testing
