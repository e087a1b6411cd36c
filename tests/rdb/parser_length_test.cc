// The forms of LEN and STR.

#include <gtest/gtest.h>

#include "recorder.h"

namespace sluice::rdb::testing {
namespace {

std::string database(unsigned version, std::string_view hex) {
  const Outcome outcome = parse_at_every_split(redis_stream(version, from_hex(hex)));
  if (outcome.error) return to_string(*outcome.error);
  const std::size_t begin = outcome.log.find("db ");
  return outcome.log.substr(begin, outcome.log.find('\n', begin) - begin);
}

TEST(ParserLength, FourForms) {
  EXPECT_EQ(database(11, "FE 3F"), "db 63");
  EXPECT_EQ(database(11, "FE 40 40"), "db 64");
  EXPECT_EQ(database(11, "FE 7F FF"), "db 16383");
  EXPECT_EQ(database(11, "FE 80 00 00 40 00"), "db 16384");
  EXPECT_EQ(database(11, "FE 80 00 0F FF FF"), "db 1048575");
  EXPECT_EQ(database(11, "FE 81 00 00 00 00 00 0F FF FF"), "db 1048575");
}

// A database costs whoever counts by database some memory, so their number has a limit. The message
// shows that the long forms are read whole.
TEST(ParserLength, RefusesADatabaseAboveTheLimit) {
  const std::string begin = "malformed value at offset 10, record 0, db 0: DB index ";
  const std::string end = ", at most 1048575 is accepted";
  EXPECT_EQ(database(11, "FE 80 00 10 00 00"), begin + "1048576" + end);
  EXPECT_EQ(database(11, "FE 80 FF FF FF FF"), begin + "4294967295" + end);
  EXPECT_EQ(database(11, "FE 81 00 00 00 01 00 00 00 00"), begin + "4294967296" + end);
  EXPECT_EQ(database(11, "FE 81 FF FF FF FF FF FF FF FF"), begin + "18446744073709551615" + end);
}

TEST(ParserLength, FormsLongerThanNeeded) {
  EXPECT_EQ(database(11, "FE 40 05"), "db 5");
  EXPECT_EQ(database(11, "FE 80 00 00 00 05"), "db 5");
  EXPECT_EQ(database(11, "FE 81 00 00 00 00 00 00 00 05"), "db 5");
}

TEST(ParserLength, BeforeVersion8AllOf10xxxxxxIsThe32BitForm) {
  EXPECT_EQ(database(7, "FE 80 00 00 00 05"), "db 5");
  EXPECT_EQ(database(7, "FE 81 00 00 00 05"), "db 5");
  EXPECT_EQ(database(7, "FE BF 00 00 00 05"), "db 5");
}

TEST(ParserLength, RefusesOther10xxxxxxFromVersion8On) {
  EXPECT_EQ(database(8, "FE 82 00 00 00 05"),
            "unknown length encoding at offset 10, record 0, db 0: first byte 130");
  EXPECT_EQ(database(11, "FE BF"),
            "unknown length encoding at offset 10, record 0, db 0: first byte 191");
}

TEST(ParserLength, RefusesAStringEncodingInItsPlace) {
  EXPECT_EQ(database(11, "FE C1"),
            "unknown length encoding at offset 10, record 0, db 0: string encoding 1 in place of a "
            "length");
}

TEST(ParserString, AnyLengthFormMayPrecedeAString) {
  for (const std::string form : {"01", "40 01", "80 00000001", "81 0000000000000001"}) {
    const std::string body = from_hex("00 " + form + "'k'" + form + "'v'");
    const Outcome outcome = parse_at_every_split(redis_stream(11, body));
    EXPECT_FALSE(outcome.error) << to_string(*outcome.error);
    EXPECT_NE(outcome.log.find("\"k\"\nvalue " + to_hex(bytes(from_hex(form + "'v'")))),
              std::string::npos)
        << outcome.log;
  }
}

TEST(ParserString, ValuesStayAsTheyAre) {
  for (const std::string value : {"C0 05", "C1 05 00", "C2 05 00 00 00", "C3 05 1A 0061E01000",
                                  "C3 80 00000005 40 1A 0061E01000", "00"}) {
    const Outcome outcome = parse_at_every_split(redis_stream(11, from_hex("00 01 'k' " + value)));
    EXPECT_NE(outcome.log.find("\nvalue " + to_hex(bytes(from_hex(value))) + " to "),
              std::string::npos)
        << outcome.log;
  }
}

void expect_bad_key(std::string_view hex, std::uint64_t offset) {
  SCOPED_TRACE(std::string(hex));
  const Outcome outcome = parse_at_every_split(redis_stream(11, from_hex(hex)));
  ASSERT_TRUE(outcome.error.has_value());
  EXPECT_EQ(outcome.error->code, Errc::bad_string);
  EXPECT_EQ(outcome.error->offset, offset);
  EXPECT_EQ(outcome.error->key, "");
}

TEST(ParserString, RefusesAKeyThatDoesNotDecode) {
  expect_bad_key("00 C4 01 'v'", 10);
  expect_bad_key("00 FF 01 'v'", 10);
  expect_bad_key("00 C3 05 1B 0061E01000 01 'v'", 12);  // one byte short
  expect_bad_key("00 C3 05 19 0061E01000 01 'v'", 12);  // one too many
  expect_bad_key("00 C3 02 05 2000 01 'v'", 12);        // a match before the start
  expect_bad_key("00 C3 00 01 01 'v'", 12);             // nothing to expand
}

}  // namespace
}  // namespace sluice::rdb::testing
