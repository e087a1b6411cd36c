// Hashes whose fields expire, in the five encodings that have them.

#include <gtest/gtest.h>

#include "encoding_builder.h"
#include "recorder.h"
#include "value_recorder.h"

namespace sluice::rdb::testing {
namespace {

constexpr std::uint64_t at = 1893456000000;
constexpr std::uint64_t greatest = (std::uint64_t{1} << 48) - 1;
constexpr std::string_view both = R"(field "a" value "1" field_expiry 1893456000000 )"
                                  R"(field "b" value "2")";

/// One field with an expiry in types 22 and 24.
std::string field(std::uint64_t expiry, std::string_view name = "a") {
  return len(expiry) + str(name) + str("1");
}
Value valkey_hash(const std::string& bytes) { return {22, bytes, Dialect::valkey, 80}; }

TEST(HashExpiry, TheVectorsOfTheReference) {
  expect_events({24, from_hex("00B4C5DAB8010000 02 01 0161 0131 00 0162 0132")}, both);
  expect_events(
      {25,
       from_hex("00B4C5DAB8010000 1D 1D00000006008161020101F400B4C5DAB80100000981620202010001FF")},
      both);
  expect_events(valkey_hash(from_hex("02 0161 0131 00B4C5DAB8010000 0162 0132 FFFFFFFFFFFFFFFF")),
                both);
  expect_events({22, from_hex("02 81 000001B8DAC5B400 0161 0131 00 0162 0132")}, both);
  expect_events({23, from_hex("1D 1D00000006008161020101F400B4C5DAB80100000981620202010001FF")},
                both);
}

// It follows the value, also where nobody wants the value and it is not even expanded.
TEST(HashExpiry, IsToldWithoutTheTexts) {
  for (const std::string& text : {str("1"), from_hex("C0 01"), lzf_str(std::string(40, 'x'))}) {
    const Value value{24, little(at, 8) + len(1) + len(1) + str("a") + text};
    EXPECT_EQ(read(value, {.texts = {}, .strict = true}).log, "field_expiry 1893456000000");
  }
}

TEST(HashExpiry, RelativeToTheLeast) {
  expect_events({24, little(1000, 8) + len(2) + field(1) + field(500, "b")},
                R"(field "a" value "1" field_expiry 1000 field "b" value "1" field_expiry 1499)");
  expect_events({24, little(0, 8) + len(1) + field(greatest)},
                R"(field "a" value "1" field_expiry )" + std::to_string(greatest - 1));
  expect_accepted({24, little(greatest + 1, 8) + len(1) + field(0)});  // nothing expires
  expect_accepted({24, little(greatest, 8) + len(1) + field(1)});
  expect_refused(Depth::decode, {24, little(greatest, 8) + len(1) + field(2)}, Errc::bad_value,
                 "a field expiry beyond 2^48 ms");
  expect_refused(Depth::decode, {24, little(2, 8) + len(1) + field(greatest)}, Errc::bad_value,
                 "a field expiry beyond 2^48 ms");
  expect_refused(Depth::decode, {24, little(5, 8) + len(1) + field(UINT64_MAX)}, Errc::bad_value,
                 "a field expiry beyond 2^48 ms");
}

TEST(HashExpiry, TheLeastIsWithinRange) {
  const std::string triples = str(listpack({"a", 1, 0}));
  for (const std::uint64_t least : {greatest + 2, UINT64_MAX}) {
    expect_refused(Depth::decode, {24, little(least, 8) + len(1) + field(0)}, Errc::bad_value,
                   "a least field expiry beyond 2^48 ms");
    expect_refused(Depth::decode, {25, little(least, 8) + triples}, Errc::bad_value,
                   "a least field expiry beyond 2^48 ms");
  }
}

TEST(HashExpiry, AbsoluteBeforeTheField) {
  expect_events({22, len(1) + field(greatest)},
                R"(field "a" value "1" field_expiry )" + std::to_string(greatest));
  expect_refused(Depth::decode, {22, len(1) + field(greatest + 1)}, Errc::bad_value,
                 "a field expiry beyond 2^48 ms");
}

TEST(HashExpiry, AbsoluteAfterTheValueInValkey) {
  const auto one = [](std::uint64_t expiry) {
    return valkey_hash(len(1) + str("a") + str("1") + little(expiry, 8));
  };
  expect_events(one(UINT64_MAX), R"(field "a" value "1")");
  expect_events(one(0), R"(field "a" value "1" field_expiry 0)");
  expect_refused(Depth::decode, one(UINT64_MAX - 1), Errc::bad_value, "a field expiry of -2");
  expect_refused(Depth::decode, one(std::uint64_t{1} << 63), Errc::bad_value,
                 "a field expiry of -9");
}

TEST(HashExpiry, InAListpackSoonestFirst) {
  const auto triples = [](const Elements& elements) {
    return Value{25, little(5, 8) + str(listpack(elements))};
  };
  expect_events(triples({"a", 1, 5, "b", 2, 5, "c", 3, 6, "d", 4, 0, "e", 5, 0}),
                R"(field "a" value "1" field_expiry 5 field "b" value "2" field_expiry 5 )"
                R"(field "c" value "3" field_expiry 6 field "d" value "4" field "e" value "5")");
  expect_refused(Depth::verify, triples({"a", 1, 6, "b", 2, 5}), Errc::bad_order,
                 "a field expiry below the one before it");
  expect_refused(Depth::verify, triples({"a", 1, 0, "b", 2, 5}), Errc::bad_order,
                 "a field expiry below the one before it");
}

TEST(HashExpiry, InAListpackIsAnIntegerInRange) {
  for (const Element& expiry :
       {Element(-1), Element("5"), Element("x"), Element(static_cast<std::int64_t>(greatest + 1)),
        Element(INT64_MIN)}) {
    expect_refused(Depth::decode, {23, str(listpack({"a", 1, expiry}))}, Errc::bad_value,
                   "a field expiry that is none");
  }
  expect_accepted({23, str(listpack({"a", 1, static_cast<std::int64_t>(greatest)}))});
}

TEST(HashExpiry, FieldsAreUnique) {
  expect_refused(Depth::verify, {22, len(2) + field(0) + field(5)}, Errc::duplicate_element,
                 "field number 1");
  expect_refused(Depth::verify, {24, little(0, 8) + len(2) + field(0) + field(5)},
                 Errc::duplicate_element, "field number 1");
  const std::string one = str("a") + str("1") + little(5, 8);
  expect_refused(Depth::verify, valkey_hash(len(2) + one + one), Errc::duplicate_element,
                 "field number 1");
}

}  // namespace
}  // namespace sluice::rdb::testing
