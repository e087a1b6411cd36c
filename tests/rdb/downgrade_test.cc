// The table of what becomes of each type, byte for byte.

#include "rdb/downgrade.h"

#include <gtest/gtest.h>

#include <string>

#include "conversion.h"
#include "recorder.h"

namespace sluice::rdb::testing {
namespace {

/// "TYPE VALUE" in hex of the key "k" converted, and what is said to be lost.
std::string converted_value(const Header& source, std::string_view body_hex, const Header& target) {
  const std::string body = from_hex("FE00") + from_hex(body_hex);
  const std::string stream = source.dialect == Dialect::redis ? redis_stream(source.version, body)
                                                              : valkey_stream(source.version, body);
  const Converted converted = convert(bytes(stream), target);
  if (converted.error) return to_string(*converted.error);
  std::string lost;
  for (const LostPart& part : converted.losses) {
    for (std::size_t loss = 0; loss < loss_count; ++loss) {
      const auto which = static_cast<Loss>(loss);
      if (part.losses.has(which)) lost += " - " + std::string(to_string(which));
    }
  }
  if (converted.counts.left_out == 1) return lost;
  const std::string key = from_hex("01 'k'");
  const std::size_t at = converted.content.find(key, 9);
  if (at == std::string::npos) return "no key";
  const std::string value = converted.content.substr(at + 2);
  return to_hex(bytes(converted.content.substr(at - 1, 1))) +
         to_hex(bytes(value.substr(0, value.size() - 9))) + lost;
}

constexpr Header redis(unsigned version) { return {Dialect::redis, version}; }
constexpr Header valkey_80{Dialect::valkey, 80};

std::string hex(std::string_view text) { return to_hex(bytes(from_hex(text))); }

constexpr std::string_view pairs = "12 12000000 0400 816102 0101 816202 DFFF02 FF";
constexpr std::string_view scores = "12 12000000 0400 816102 DFFF02 816202 0101 FF";

TEST(DowngradeTest, Listpacks) {
  EXPECT_EQ(converted_value(redis(10), "10 01'k'" + std::string(pairs), redis(9)),
            hex("04 02 01'a' C001 01'b' C0FF"));
  EXPECT_EQ(converted_value(redis(10), "11 01'k'" + std::string(scores), redis(9)),
            hex("05 02 01'a' 000000000000F0BF 01'b' 000000000000F03F"));
  EXPECT_EQ(converted_value(redis(11), "14 01'k'" + std::string(pairs), redis(10)),
            hex("02 04 01'a' C001 01'b' C0FF"));
  EXPECT_EQ(
      converted_value(redis(10), "12 01'k' 02 02" + std::string(pairs) + "01 01 'p'", redis(9)),
      hex("01 05 01'a' C001 01'b' C0FF 01'p'"));
}

TEST(DowngradeTest, SortedSetsAsTextBelow8) {
  EXPECT_EQ(converted_value(redis(11), "05 01'k' 01 01'a' 000000000000F83F", redis(7)),
            hex("03 01 01'a' 03 '1.5'"));
  EXPECT_EQ(converted_value(redis(11), "11 01'k'" + std::string(scores), redis(6)),
            hex("03 02 01'a' 02'-1' 01'b' 01'1'"));
}

TEST(DowngradeTest, QuicklistsBelow7) {
  const std::string list = "0E 01'k' 01 0F 0F000000 0A000000 0200 00 F2 02 F3 FF";
  EXPECT_EQ(converted_value(redis(7), list, redis(7)),
            hex("0E 01 0F 0F000000 0A000000 0200 00F202F3 FF"));
}

constexpr std::string_view field_expiries =
    "18 01'k' 00B4C5DAB8010000 03 01 01'a' 01'1' 00 01'b' 01'2' 03 01'c' 01'3'";

TEST(DowngradeTest, FieldExpiriesForValkeyAndBack) {
  const std::string valkey_value =
      "03 01'a' C001 00B4C5DAB8010000 01'b' C002 FFFFFFFFFFFFFFFF 01'c' C003 02B4C5DAB8010000";
  EXPECT_EQ(converted_value(redis(12), field_expiries, valkey_80), hex("16" + valkey_value));
  EXPECT_EQ(converted_value(valkey_80, "16 01'k'" + valkey_value, redis(12)),
            hex("18 00B4C5DAB8010000 03 01 01'a' C001 00 01'b' C002 03 01'c' C003"));
  // The last fields may have none.
  EXPECT_EQ(converted_value(valkey_80,
                            "16 01'k' 02 01'a' 01'1' 00B4C5DAB8010000 01'b' 01'2' FFFFFFFFFFFFFFFF",
                            redis(14)),
            hex("18 00B4C5DAB8010000 02 01 01'a' C001 00 01'b' C002"));
}

TEST(DowngradeTest, FieldExpiriesAreLostWhereThereAreNone) {
  const std::string plain = hex("04 03 01'a' C001 01'b' C002 01'c' C003") + " - field expiries";
  EXPECT_EQ(converted_value(redis(12), field_expiries, redis(11)), plain);
  EXPECT_EQ(converted_value(redis(12), field_expiries, redis(9)), plain);
  EXPECT_EQ(
      converted_value(redis(12),
                      "19 01'k' 00B4C5DAB8010000 1D 1D000000 0600 816102 0101 F400B4C5DAB801000009"
                      " 816202 0201 0001 FF",
                      redis(10)),
      hex("04 02 01'a' C001 01'b' C002") + " - field expiries");
  EXPECT_EQ(converted_value(valkey_80, "16 01'k' 01 01'a' 01'1' 00B4C5DAB8010000", redis(11)),
            hex("04 01 01'a' C001") + " - field expiries");
}

TEST(DowngradeTest, HashesWhoseFieldsAllStayArePlain) {
  EXPECT_EQ(converted_value(redis(12), "18 01'k' 0000000000000000 01 00 01'a' 01'1'", valkey_80),
            hex("04 01 01'a' C001"));
  EXPECT_EQ(converted_value(valkey_80, "16 01'k' 01 01'a' 01'1' FFFFFFFFFFFFFFFF", redis(12)),
            hex("04 01 01'a' C001"));
}

TEST(DowngradeTest, WhatHasNoOtherForm) {
  const std::string value_lost = " - the value";
  EXPECT_EQ(converted_value(redis(14), "1C 01'k' 01 00 00 01 0500000000000000", redis(13)),
            value_lost);
  EXPECT_EQ(converted_value(redis(14), "1C 01'k' 01 00 00 01 0500000000000000", valkey_80),
            value_lost);
  EXPECT_EQ(converted_value(redis(8), "07 01'k' 81BDE72DA2BB1EB400 02 05 00", redis(7)),
            value_lost);
}

TEST(DowngradeTest, ModulesStayAsTheyAre) {
  const std::string value = "81B5A8AB85AB21F800 02 05 00";
  EXPECT_EQ(converted_value(redis(12), "07 01'k'" + value, redis(8)), hex("07" + value));
  EXPECT_EQ(converted_value(redis(12), "07 01'k'" + value, valkey_80), hex("07" + value));
}

TEST(DowngradeTest, VectorSetsAreForRedisFrom8On) {
  const std::string value = "81BDE72DA2BB1EB403 02 05 00";
  EXPECT_EQ(converted_value(redis(12), "07 01'k'" + value, redis(12)), hex("07" + value));
  EXPECT_EQ(converted_value(redis(12), "07 01'k'" + value, redis(13)), hex("07" + value));
  // Nodes as 8.6 writes them are not what 8.0 reads.
  EXPECT_EQ(converted_value(redis(13), "07 01'k'" + value, redis(12)), " - the value");
  EXPECT_EQ(converted_value(redis(12), "07 01'k'" + value, redis(11)), " - the value");
  EXPECT_EQ(converted_value(redis(12), "07 01'k'" + value, valkey_80), " - the value");
}

constexpr std::string_view nodes =
    "01 10 00000000000003E80000000000000000 1D "
    "1D0000000A0001010001010181660200010201000100018176020401FF";
constexpr std::string_view id = "00000000000003E80000000000000000";

/// A stream of one entry, one group with one pending id, of the consumer "c".
std::string stream(int type, bool with_nack = false) {
  const std::string ms = " E803000000000000";
  std::string hex(nodes);
  hex += " 01 43E8 00";
  if (type >= 19) hex += " 43E8 00 00 00 01";
  hex += " 01 01'g' 43E8 00";
  if (type >= 19) hex += " 01";
  hex += " 01 " + std::string(id) + ms + " 02";
  hex += with_nack ? " 02" : " 01";
  hex += " 01'c'" + ms + (type >= 21 ? ms : "") + (with_nack ? " 00" : " 01 " + std::string(id));
  if (with_nack && type < 27) {
    hex += " 0D 'sluice:nacked' 0000000000000000";
    if (type >= 21) hex += " FFFFFFFFFFFFFFFF";
    hex += " 01 " + std::string(id);
  }
  return hex;
}

TEST(DowngradeTest, Streams) {
  EXPECT_EQ(converted_value(redis(11), "15 01'k'" + stream(21), redis(10)), hex("13" + stream(19)));
  EXPECT_EQ(converted_value(redis(11), "15 01'k'" + stream(21), redis(9)), hex("0F" + stream(15)));
  EXPECT_EQ(converted_value(redis(10), "13 01'k'" + stream(19), redis(9)), hex("0F" + stream(15)));
  EXPECT_EQ(converted_value(redis(11), "15 01'k'" + stream(21), redis(8)), " - the value");
  EXPECT_EQ(converted_value(redis(9), "0F 01'k'" + stream(15), valkey_80), hex("0F" + stream(15)));
}

TEST(DowngradeTest, StreamHistoryIsLostWhereItSaysSomething) {
  // One was deleted, the consumer never got anything.
  const std::string more = std::string(nodes) +
                           " 01 43E8 00 43E8 00 01 00 02 01 01'g' 43E8 00 02 00"
                           " 01 01'c' E803000000000000 FFFFFFFFFFFFFFFF 00";
  EXPECT_EQ(converted_value(redis(11), "15 01'k'" + more, redis(9)),
            hex("0F" + std::string(nodes) +
                " 01 43E8 00 01 01'g' 43E8 00 00 01 01'c' E803000000000000 00") +
                " - what was ever added, deleted and read - active times of consumers");
}

TEST(DowngradeTest, IdempotentProducers) {
  const std::string defaults = " 4064 4064 00 00 00";
  EXPECT_EQ(converted_value(redis(13), "1A 01'k'" + stream(21) + defaults, redis(12)),
            hex("15" + stream(21)));
  const std::string used = " 4064 4064 01 01'p' 01 01'i' 43E8 00 01 00";
  for (const Header& target : {redis(12), redis(11), valkey_80}) {
    EXPECT_EQ(converted_value(redis(13), "1A 01'k'" + stream(21) + used, target),
              hex("15" + stream(21)) + " - idempotent producers");
  }
}

TEST(DowngradeTest, NackZones) {
  const std::string zone = stream(27, true).replace(stream(27, true).find(" 02 01'c'"), 3, " 01") +
                           " 01 " + std::string(id) + " 4064 4064 00 00 00";
  const std::string lost = " - pending entries without a consumer";
  EXPECT_EQ(converted_value(redis(14), "1B 01'k'" + zone, redis(14)), hex("1B" + zone));
  EXPECT_EQ(converted_value(redis(14), "1B 01'k'" + zone, redis(13)),
            hex("1A" + stream(21, true) + " 4064 4064 00 00 00") + lost);
  EXPECT_EQ(converted_value(redis(14), "1B 01'k'" + zone, redis(12)),
            hex("15" + stream(21, true)) + lost);
  EXPECT_EQ(converted_value(redis(14), "1B 01'k'" + zone, redis(9)),
            hex("0F" + stream(15, true)) + lost);
}

TEST(DowngradeTest, TheOwnerOfANackZoneHasANameOfItsOwn) {
  const std::string ms = " E803000000000000";
  const std::string head = std::string(nodes) +
                           " 01 43E8 00 43E8 00 00 00 01 01 01'g' 43E8 00 01 01 " +
                           std::string(id) + ms + " 02";
  const std::string consumer = " 0D'sluice:nacked'" + ms + ms + " 00";
  EXPECT_EQ(converted_value(redis(14),
                            "1B 01'k'" + head + " 01" + consumer + " 01 " + std::string(id) +
                                " 4064 4064 00 00 00",
                            redis(12)),
            hex("15" + head + " 02" + consumer +
                " 0E'sluice:nacked' 27 0000000000000000"
                " FFFFFFFFFFFFFFFF 01 " +
                std::string(id)) +
                " - pending entries without a consumer");
}

TEST(DowngradeTest, ValuesThatAreWrittenAnewMustBeRight) {
  const std::string twice = "10 01'k' 12 12000000 0400 816102 0101 816102 DFFF02 FF";
  EXPECT_EQ(converted_value(redis(10), twice, redis(10)).substr(0, 2), "10");
  EXPECT_EQ(converted_value(redis(10), twice, redis(9)), " - the value");
  EXPECT_EQ(converted_value(redis(10), "10 01'k' 07 07000000 0000 FF", redis(9)), " - the value");
}

TEST(DowngradeTest, LengthsAcrossVersion8) {
  // The same eight bytes of length mean something else before.
  const std::string wide = "00 01'k' 81 0000000000000001 'v'";
  EXPECT_EQ(converted_value(redis(8), wide, redis(7)), hex("00 01'v'"));
  EXPECT_EQ(converted_value(redis(7), "00 01'k' BF 00000001 'v'", redis(8)), hex("00 01'v'"));
}

}  // namespace
}  // namespace sluice::rdb::testing
