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

constexpr Header redis(unsigned version) { return {Dialect::redis, version}; }

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
