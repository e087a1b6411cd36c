// Every type into every version: what comes out must read as what went in, but for what was said to
// be lost.

#include "conversion.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>

#include "corpus.h"
#include "logical_log.h"
#include "recorder.h"

namespace sluice::rdb::testing {
namespace {

std::string name_of(const Header& header) {
  return (header.dialect == Dialect::redis ? "redis " : "valkey ") + std::to_string(header.version);
}

Losses losses_of(const Converted& converted, std::uint64_t db, const std::string& key) {
  for (const LostPart& part : converted.losses) {
    if (part.of == ConversionLoss::Of::key && part.db == db && part.name == key) return part.losses;
  }
  return {};
}

bool is_idempotency(Role role) {
  const std::set<Role> roles{
      Role::producer,         Role::producer_item,       Role::producer_entry,
      Role::items_added,      Role::idempotency_seconds, Role::items_duplicate,
      Role::idempotency_items};
  return roles.contains(role);
}

/// Whether the piece is said to be lost, or is how the target makes up for it.
bool is_lost(const LogicalPiece& piece, const LogicalKey& original, const Losses& losses) {
  const std::set<Role> history{Role::first_id, Role::max_deleted_id, Role::entries_added,
                               Role::entries_read};
  if (losses.has(Loss::field_expiries) && piece.role == Role::field_expiry) return true;
  if (losses.has(Loss::stream_history) && history.contains(piece.role)) return true;
  if (losses.has(Loss::active_times) && piece.role == Role::active_time) return true;
  return original.type->since >= 13 && is_idempotency(piece.role);
}

std::vector<std::vector<LogicalPiece>> kept(const LogicalKey& key, const LogicalKey& original,
                                            const Losses& losses) {
  auto elements = key.elements;
  for (auto& element : elements) {
    std::erase_if(element, [&](const auto& piece) { return is_lost(piece, original, losses); });
  }
  std::erase_if(elements, [](const auto& element) { return element.empty(); });
  // An expiry that is gone may change what sorts first.
  if (losses.has(Loss::field_expiries)) std::ranges::sort(elements);
  return elements;
}

void expect_same(const LogicalKey& before, const LogicalKey& after, const Losses& losses,
                 const Header& target) {
  EXPECT_EQ(before.type->logical, after.type->logical);
  EXPECT_LE(after.type->since, target.version);
  EXPECT_EQ(before.expire_at_ms, after.expire_at_ms);
  if (target.version >= 9) {
    EXPECT_EQ(before.lru_idle_s, after.lru_idle_s);
    EXPECT_EQ(before.lfu_freq, after.lfu_freq);
  }
  EXPECT_EQ(after.key_meta, losses.has(Loss::key_meta) ? "" : before.key_meta);
  if (losses.has(Loss::nack_zone)) return;  // has its own test
  const bool same_type = before.type == after.type;
  const Losses said = losses;
  if (same_type) {
    EXPECT_EQ(before.elements, after.elements);
  } else {
    EXPECT_EQ(kept(before, before, said), kept(after, before, said));
  }
}

void expect_conversion(const std::string& source, const Header& target) {
  const Logical before = read_logical(source);
  ASSERT_FALSE(before.error) << to_string(*before.error);
  const Converted converted = convert(bytes(source), target);
  ASSERT_FALSE(converted.error) << to_string(*converted.error);
  const Logical after = read_logical(converted.content);
  ASSERT_FALSE(after.error) << to_string(*after.error);
  std::uint64_t left_out = 0;
  for (const auto& [name, key] : before.keys) {
    SCOPED_TRACE("key " + name.second + " of type " + std::string(key.type->name));
    const Losses losses = losses_of(converted, name.first, name.second);
    const auto found = after.keys.find(name);
    EXPECT_EQ(found == after.keys.end(), losses.has(Loss::value));
    if (found == after.keys.end()) {
      ++left_out;
    } else {
      expect_same(key, found->second, losses, target);
    }
  }
  EXPECT_EQ(after.keys.size() + left_out, before.keys.size());
  EXPECT_EQ(converted.counts.keys, before.keys.size());
  EXPECT_EQ(converted.counts.left_out, left_out);
  EXPECT_EQ(converted.counts.verbatim + converted.counts.transcoded, after.keys.size());
  EXPECT_EQ(after.functions, target.version < 10 ? std::vector<std::string>() : before.functions);
  // Neither the cut of the source nor that of the stored values matters.
  EXPECT_TRUE(convert(bytes(source), target, {}, 997).content == converted.content);
  if (target.version != 9) return;
  const Converted compressed = convert(bytes(source), target, {.compress = true});
  EXPECT_TRUE(read_logical(compressed.content).keys == after.keys);
  EXPECT_LT(compressed.content.size(), converted.content.size() + 1);
}

class ConversionTest : public ::testing::TestWithParam<Header> {};

TEST_P(ConversionTest, Corpus) {
  for (const CorpusFile& file : corpus()) {
    SCOPED_TRACE(file.name);
    if (read_logical(file.content).error) continue;
    expect_conversion(file.content, GetParam());
  }
}

INSTANTIATE_TEST_SUITE_P(Every, ConversionTest, ::testing::ValuesIn(targets), [](const auto& test) {
  std::string name = name_of(test.param);
  std::ranges::replace(name, ' ', '_');
  return name;
});

TEST(ConversionTest, AtItsOwnVersionAllIsVerbatim) {
  for (const CorpusFile& file : corpus()) {
    SCOPED_TRACE(file.name);
    if (!file.name.starts_with("servers/")) continue;
    Recorder recorder;
    Parser parser(recorder);
    ASSERT_TRUE(parser.feed(bytes(file.content)));
    const bool valkey = file.content.starts_with("VALKEY");
    const unsigned version =
        static_cast<unsigned>(std::stoul(file.content.substr(valkey ? 6 : 5, valkey ? 3 : 4)));
    const auto converted =
        convert(bytes(file.content), {valkey ? Dialect::valkey : Dialect::redis, version});
    EXPECT_EQ(converted.counts.verbatim, converted.counts.keys);
    EXPECT_TRUE(converted.losses.empty());
  }
}

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
  EXPECT_EQ(converted_value(redis(13), "07 01'k'" + value, redis(12)), hex("07" + value));
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

TEST(ConverterTest, PrefixesAndWhatIsLeftOut) {
  const std::string body = from_hex(
      "FA 09'redis-ver' 05'8.6.3' FA 05'ctime' C2 00E1F505"
      " FA 07'repl-id' 01'x' F5 0D'#!lua name=l' 0A"
      " FE03 FB0201 F803 F301 00040000 0205 00 FC00B4C5DAB8010000 00 01'k' 01'v'"
      " FE03 F907 00 01'l' 01'w'");
  const std::string source = redis_stream(13, body);
  const auto log = [&](const Header& target) {
    Converted converted = convert(bytes(source), target);
    std::string lost;
    for (const LostPart& part : converted.losses) lost += part.name + ' ';
    Recorder recorder;
    Parser parser(recorder);
    EXPECT_TRUE(parser.feed(bytes(converted.content)));
    EXPECT_TRUE(parser.done());
    return std::pair(recorder.log, lost);
  };
  const auto [same, nothing] = log(redis(13));
  EXPECT_NE(same.find("8.6.3"), std::string::npos) << same;
  EXPECT_NE(same.find("100000000"), std::string::npos);
  EXPECT_EQ(same.find("repl-id"), std::string::npos);
  EXPECT_NE(same.find(" idle 3 meta f301"), std::string::npos);
  EXPECT_NE(same.find(" freq 7"), std::string::npos);
  EXPECT_EQ(nothing, "");
  const auto [eight, lost] = log(redis(8));
  EXPECT_NE(eight.find("4.0.0"), std::string::npos) << eight;
  EXPECT_EQ(eight.find("idle"), std::string::npos);
  EXPECT_EQ(eight.find("freq"), std::string::npos);
  EXPECT_EQ(lost, "#!lua name=l k ");
  const auto [six, same_lost] = log(redis(6));
  EXPECT_EQ(six.find("aux"), std::string::npos) << six;
  EXPECT_EQ(same_lost, lost);
}

TEST(ConverterTest, ScriptsUpToVersion9) {
  const std::string source = redis_stream(9, from_hex("FA 03'lua' 08'return 1'"));
  EXPECT_EQ(read_logical(convert(bytes(source), redis(9)).content).aux.back().first, "lua");
  const Converted newer = convert(bytes(source), redis(10));
  EXPECT_EQ(read_logical(newer.content).aux.back().first, "redis-ver");
  EXPECT_EQ(newer.counts.scripts_left_out, 1);
}

}  // namespace
}  // namespace sluice::rdb::testing
