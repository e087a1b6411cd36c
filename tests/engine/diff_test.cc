#include "sluice/diff.h"

#include <random>
#include <vector>

#include "backups.h"

namespace sluice::engine {
namespace {

using Change = KeyDifference::Change;

/// A difference in short: "~ 3 key value ttl".
std::string text_of(const KeyDifference& difference) {
  std::string text = difference.change == Change::only_a   ? "-"
                     : difference.change == Change::only_b ? "+"
                                                           : "~";
  text += " " + std::to_string(difference.db) + " " + difference.key;
  if (difference.value) text += " value";
  if (difference.ttl) text += " ttl";
  if (difference.type) text += " type";
  return text;
}

using Lines = std::vector<std::string>;

/// What is to be told of two datasets of strings.
Lines expected(const MadeKeys& a, const MadeKeys& b) {
  std::map<std::pair<unsigned, std::string>, std::string> lines;
  const auto name = [](const auto& key) { return std::to_string(key.first) + " " + key.second; };
  for (const auto& [key, made] : a) {
    const auto other = b.find(key);
    if (other == b.end()) {
      lines[key] = "- " + name(key);
      continue;
    }
    std::string what;
    if (made.value != other->second.value) what += " value";
    if (made.expire_at_ms != other->second.expire_at_ms) what += " ttl";
    if (!what.empty()) lines[key] = "~ " + name(key) + what;
  }
  for (const auto& [key, made] : b) {
    if (!a.contains(key)) lines[key] = "+ " + name(key);
  }
  Lines list;
  for (const auto& [key, line] : lines) list.push_back(line);
  return list;
}

struct Outcome {
  Lines lines;
  DiffResult result;
};

class DiffTest : public BackupsTest {
 protected:
  Outcome diff_of(Place a, Place b, std::optional<std::uint64_t> db = {}, std::string match = {}) {
    KeyChoice keys;
    if (db) keys.only.databases = {*db};
    if (!match.empty()) keys.only.globs = {std::move(match)};
    return diff_chosen(std::move(a), std::move(b), std::move(keys));
  }

  Outcome diff_chosen(Place a, Place b, KeyChoice keys) {
    Outcome outcome;
    const auto result = diff({.a = std::move(a), .b = std::move(b), .keys = std::move(keys)},
                             [&](const KeyDifference& difference) {
                               outcome.lines.push_back(text_of(difference));
                               return true;
                             },
                             {});
    EXPECT_TRUE(result.has_value()) << (result ? "" : result.error().message);
    if (result) outcome.result = *result;
    EXPECT_TRUE(std::filesystem::is_empty(scratch()));
    const DiffResult& counts = outcome.result;
    EXPECT_EQ(counts.only_a + counts.only_b + counts.different, outcome.lines.size());
    return outcome;
  }
};

std::string random_value(std::mt19937_64& random) {
  std::string value;
  while (value.size() < 100) value += std::to_string(random());
  return value;
}

MadeKeys some_keys(std::size_t count, std::mt19937_64& random) {
  MadeKeys keys;
  while (keys.size() < count) {
    MadeKey& made = keys[{random() % 3, "key:" + std::to_string(random() % 1'000'000)}];
    made.value = random_value(random);
    if (random() % 3 == 0) made.expire_at_ms = static_cast<std::int64_t>(random() >> 20);
  }
  return keys;
}

/// Some are gone, some are new, some have another value or expiry.
MadeKeys edited(const MadeKeys& keys, std::size_t edits, std::mt19937_64& random) {
  MadeKeys changed = keys;
  for (std::size_t i = 0; i < edits; ++i) {
    auto at = changed.lower_bound({random() % 3, "key:" + std::to_string(random() % 1'000'000)});
    if (at == changed.end()) continue;
    switch (random() % 4) {
      case 0: changed.erase(at); break;
      case 1: at->second.value = random_value(random); break;
      case 2: at->second.expire_at_ms = static_cast<std::int64_t>(random() >> 20); break;
      case 3: changed[{at->first.first, at->first.second + "x"}].value = "new"; break;
    }
  }
  return changed;
}

TEST_F(DiffTest, TellsEveryEditWhateverThePlacesAre) {
  std::mt19937_64 random(1);
  MadeKeys a = some_keys(3000, random);
  for (int i = 0; i < 5000; ++i) a[{9, std::to_string(i)}].value = random_value(random);
  const MadeKeys b = edited(a, 60, random);
  const Lines lines = expected(a, b);
  ASSERT_GT(lines.size(), 40u);
  const std::string file_a = write_file(rdb_of(a));
  const std::string file_b = write_file(rdb_of(b));
  const std::string first = take(rdb_of(a));
  const std::string second = take(rdb_of(b));
  const std::string stream = take(rdb_of(b), BackupLayout::stream);

  const Outcome skipping = diff_of(place(first), place(second));
  EXPECT_EQ(skipping.lines, lines);
  EXPECT_GT(skipping.result.runs_skipped, 0u);
  for (const auto& [name_a, name_b] : {std::pair(file_a, file_b), std::pair(file_a, second),
                                       std::pair(first, stream), std::pair(first, file_b)}) {
    SCOPED_TRACE(name_a + " " + name_b);
    const Outcome outcome = diff_of(place(name_a), place(name_b));
    EXPECT_EQ(outcome.lines, lines);
    EXPECT_EQ(outcome.result.same, skipping.result.same);
  }
  EXPECT_TRUE(diff_of(place(stream), place(second)).result.equal());
  EXPECT_TRUE(diff_of(place(first), place(first)).result.equal());
  EXPECT_TRUE(diff_of(place(second), place(file_b)).result.equal());
}

TEST_F(DiffTest, OtherRepositoriesAreComparedByKey) {
  std::mt19937_64 random(2);
  const MadeKeys a = some_keys(3000, random);
  const MadeKeys b = edited(a, 30, random);
  const std::string first = take(rdb_of(a));
  const std::string second = take(rdb_of(b), BackupLayout::canonical, "elsewhere");
  const Outcome outcome = diff_of(place(first), place(second, "elsewhere"));
  EXPECT_EQ(outcome.lines, expected(a, b));
  EXPECT_EQ(outcome.result.runs_skipped, 0u);
}

TEST_F(DiffTest, LooksOnlyAtWhatIsAskedFor) {
  std::mt19937_64 random(3);
  const MadeKeys a = some_keys(3000, random);
  const MadeKeys b = edited(a, 100, random);
  const std::string first = take(rdb_of(a));
  const std::string second = take(rdb_of(b));
  const auto only = [](const MadeKeys& keys, const auto& wanted) {
    MadeKeys some;
    for (const auto& [key, made] : keys) {
      if (wanted(key)) some[key] = made;
    }
    return some;
  };
  const auto in_db = [](const auto& key) { return key.first == 1; };
  const auto matching = [](const auto& key) { return key.second.starts_with("key:7"); };
  const Outcome db = diff_of(place(first), place(second), 1);
  EXPECT_EQ(db.lines, expected(only(a, in_db), only(b, in_db)));
  const Outcome match = diff_of(place(first), place(second), {}, "key:7*");
  EXPECT_EQ(match.lines, expected(only(a, matching), only(b, matching)));
  EXPECT_EQ(match.result.same + match.result.different + match.result.only_a,
            only(a, matching).size());
}

// "5" as one byte and as text; members of a set in another order.
TEST_F(DiffTest, AnotherEncodingIsNoDifference) {
  const std::string db = std::string("\xfe", 1) + std::string(1, '\0');
  const std::string text = std::string(1, '\0') + rdb_string("k") + rdb_string("5");
  const std::string number = std::string(1, '\0') + rdb_string("k") + "\xc0\x05";
  const auto set = [](const std::string& one, const std::string& two) {
    return "\x02" + rdb_string("s") + "\x02" + rdb_string(one) + rdb_string(two);
  };
  const std::string first = take(rdb_stream(db + text + set("a", "b")));
  const std::string second = take(rdb_stream(db + number + set("b", "a")));
  const Outcome outcome = diff_of(place(first), place(second));
  EXPECT_EQ(outcome.lines, Lines());
  EXPECT_EQ(outcome.result.same, 2u);
}

TEST_F(DiffTest, ATypeIsAValueToo) {
  const std::string db = std::string("\xfe", 1) + std::string(1, '\0');
  const std::string first = take(rdb_stream(db + rdb_record("k", "v")));
  const std::string second =
      take(rdb_stream(db + "\x02" + rdb_string("k") + "\x01" + rdb_string("v")));
  EXPECT_EQ(diff_of(place(first), place(second)).lines, Lines{"~ 0 k value type"});
}

TEST_F(DiffTest, LongValues) {
  std::mt19937_64 random(4);
  std::string value;
  while (value.size() < 5 << 20) value += std::to_string(random());
  MadeKeys a;
  for (const char* key : {"same", "ttl", "value", "gone"}) a[{0, key}] = {.value = value};
  MadeKeys b = a;
  b[{0, "ttl"}].expire_at_ms = 1'900'000'000'000;
  b[{0, "value"}].value[3 << 20] ^= 1;
  b.erase({0, "gone"});
  const std::string first = take(rdb_of(a));
  const std::string second = take(rdb_of(b));
  const std::string elsewhere = take(rdb_of(b), BackupLayout::canonical, "elsewhere");
  EXPECT_EQ(diff_of(place(first), place(second)).lines, expected(a, b));
  EXPECT_EQ(diff_of(place(first), place(elsewhere, "elsewhere")).lines, expected(a, b));
}

// Their runs begin with labels that are all the same.
TEST_F(DiffTest, KeysThatAgreeFurtherThanALabelGoes) {
  MadeKeys a;
  const std::string common(70'000, 'k');
  for (int i = 0; i < 120; ++i) a[{0, common + std::to_string(i)}] = {.value = "v"};
  MadeKeys b = a;
  b[{0, common + "77"}].value = "w";
  b[{0, common + "500"}].value = "new";
  b.erase({0, common + "3"});
  const std::string first = take(rdb_of(a));
  const std::string second = take(rdb_of(b));
  EXPECT_EQ(diff_of(place(first), place(second)).lines, expected(a, b));
}

TEST_F(DiffTest, ComparesOnlyRunsThatCanHoldAChosenKey) {
  MadeKeys a;
  for (int i = 0; i < 60'000; ++i) {  // seven runs, however they are cut
    const std::string number = std::to_string(100'000 + i);
    a[{0, "key:" + number}] = {.value = std::string(100, 'v') + number};
  }
  MadeKeys b = a;
  b[{0, "key:100500"}].value = "other";
  b[{0, "key:119000"}].value = "other";
  const std::string first = take(rdb_of(a));
  const std::string second = take(rdb_of(b));
  KeyChoice keys;
  keys.only.globs = {"key:1190*"};
  const auto outcome = diff_chosen(place(first), place(second), keys);
  EXPECT_EQ(outcome.lines, Lines({"~ 0 key:119000 value"}));
  EXPECT_EQ(outcome.result.same, 99u);
  EXPECT_GE(outcome.result.runs_skipped, 5u);
  keys.only.globs = {};
  keys.except.globs = {"key:10*"};
  EXPECT_EQ(diff_chosen(place(first), place(second), keys).lines, Lines({"~ 0 key:119000 value"}));
}

TEST_F(DiffTest, StopsWhenNobodyListens) {
  const std::string first = take(rdb_of({{{0, "a"}, {.value = "1"}}, {{0, "b"}, {.value = "1"}}}));
  const std::string second = take(rdb_of({{{0, "c"}, {.value = "1"}}}));
  int told = 0;
  const auto result = diff({.a = place(first), .b = place(second)},
                           [&](const KeyDifference&) { return ++told < 1; }, {});
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code, "stopped");
  EXPECT_EQ(told, 1);
}

TEST_F(DiffTest, NothingIsLeftOfAPlaceThatIsDamaged) {
  const std::string whole = rdb_of({{{0, "a"}, {.value = "1"}}});
  const std::string cut = write_file(whole.substr(0, whole.size() - 9));
  const auto result = diff({.a = place(write_file(whole)), .b = place(cut)}, {}, {});
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code, "truncated");
  EXPECT_TRUE(std::filesystem::is_empty(scratch()));
}

}  // namespace
}  // namespace sluice::engine
