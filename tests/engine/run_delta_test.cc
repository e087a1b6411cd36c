#include "engine/run_delta.h"

#include <gtest/gtest.h>

#include <set>

#include "made_records.h"

namespace sluice::engine {
namespace {

/// Makes deltas between sets of records, and proves each by applying it.
class RunDeltaTest : public testing::Test {
 protected:
  /// Bytes of the delta text.
  std::size_t delta(const MadeRecords& before, const MadeRecords& after) {
    RunWriter base_writer;
    RunWriter result_writer;
    const auto base = write_run(base_writer, before);
    const auto result = write_run(result_writer, after);
    delta_.make({base, &base_writer.pieces()}, {result, &result_writer.pieces()}, ops_);
    EXPECT_EQ(ops_.result_bytes(), result.size());
    std::vector<std::byte> text;
    storage::write_delta({}, static_cast<std::uint32_t>(base.size()), ops_, result, text);
    std::vector<std::byte> made(result.size());
    const auto applied = storage::apply_delta(text, base, made, "delta");
    EXPECT_TRUE(applied.has_value()) << storage::to_string(applied.error());
    EXPECT_TRUE(std::ranges::equal(made, result));
    return text.size();
  }

  RunDelta delta_;
  storage::DeltaOps ops_;
};

/// 640 strings of about 400 bytes each, a third of them with an expiry: a run as most are.
MadeRecords usual_run(Random& random) {
  MadeRecords records;
  for (int i = 0; i < 640; ++i) {
    MadeRecord made{.value = '\x43' + ('\x7b' + random_text(random, 0x37b))};
    made.value.resize(380);
    if (i % 3 == 0) made.expire_at_ms = 1'700'000'000'000 + static_cast<int>(random() % 1'000'000);
    records.emplace("user:" + std::to_string(1'000'000 + 37 * i), std::move(made));
  }
  return records;
}

void edit(MadeRecords& records, Random& random) {
  const auto pick = [&] {
    return std::next(records.begin(), static_cast<std::ptrdiff_t>(random() % records.size()));
  };
  switch (random() % 7) {
    case 0: records.emplace(random_key(random), random_record(random)); break;
    case 1:
      if (records.size() > 1) records.erase(pick());
      break;
    case 2: pick()->second.value = random_text(random, random() % 300); break;
    case 3:
      if (std::string& value = pick()->second.value; !value.empty()) {
        value.replace(random() % value.size(), random() % 20, random_text(random, random() % 20));
      }
      break;
    case 4: pick()->second.expire_at_ms = static_cast<std::int64_t>(random() >> 20); break;
    case 5: pick()->second.meta = random_text(random, random() % 3); break;
    case 6: pick()->second.freq = static_cast<std::uint8_t>(random()); break;
  }
}

TEST_F(RunDeltaTest, MakesTheResultWhateverWasEdited) {
  Random random(7);
  for (int round = 0; round < 300; ++round) {
    const MadeRecords before = random_records(random, 1 + random() % 60);
    MadeRecords after = before;
    for (std::uint64_t edits = random() % 20; edits > 0; --edits) edit(after, random);
    delta(before, after);
    std::size_t common = 0;
    for (const auto& [key, made] : after) common += before.contains(key) ? 1 : 0;
    EXPECT_EQ(delta_.matched(), common);
    if (HasFailure()) FAIL() << "round " << round;
  }
}

TEST_F(RunDeltaTest, MakesTheResultOutOfABaseThatHasNothingOfIt) {
  Random random(8);
  delta(random_records(random, 40), {{"another", {.value = "v"}}});
  EXPECT_EQ(delta_.matched(), 0u);
  delta({{"another", {.value = "v"}}}, random_records(random, 40));
}

TEST_F(RunDeltaTest, NothingChangedIsOneCopy) {
  Random random(9);
  const MadeRecords records = usual_run(random);
  EXPECT_LE(delta(records, records), sizeof(storage::format::DeltaHeader) + 8);
  EXPECT_EQ(ops_.ops().size(), 1u);
}

TEST_F(RunDeltaTest, AnotherExpiryIsUnderAHundredBytes) {
  Random random(10);
  const MadeRecords before = usual_run(random);
  MadeRecords after = before;
  after["user:1000111"].expire_at_ms = 1'800'000'000'000;
  ASSERT_EQ(after.size(), before.size());
  EXPECT_LT(delta(before, after), 100u);
}

TEST_F(RunDeltaTest, AValueOfTheSameLengthIsItsBytesAndAnOp) {
  Random random(11);
  const MadeRecords before = usual_run(random);
  MadeRecords after = before;
  after["user:1000037"].value = random_text(random, 380);
  const std::size_t size = delta(before, after);
  EXPECT_LT(size, sizeof(storage::format::DeltaHeader) + 380 + 20);
}

TEST_F(RunDeltaTest, AChangeWithinALongValueIsNotTheWholeValue) {
  MadeRecords before{{"a", {.value = "1"}}, {"b", {.value = std::string(50'000, 'x')}}, {"c", {}}};
  MadeRecords after = before;
  after["b"].value.replace(20'000, 3, "four");
  EXPECT_LT(delta(before, after), 140u);
  before["b"].value = std::string(100, 'x');
  after["b"].value = std::string(120, 'x');
  EXPECT_LT(delta(before, after), 150u) << "beginning and end in common overlap";
}

// One percent of the records of a usual run, each kind of edit by itself.
TEST_F(RunDeltaTest, OnePercentOfChangeIsAboutOnePercentOfTheRun) {
  Random random(12);
  const MadeRecords before = usual_run(random);
  std::set<std::string> some;
  while (some.size() < 6) {
    some.insert(std::next(before.begin(), static_cast<std::ptrdiff_t>(random() % 640))->first);
  }
  MadeRecords changed = before;
  MadeRecords expiring = before;
  MadeRecords less = before;
  MadeRecords more = before;
  for (const std::string& key : some) {
    changed[key].value = random_text(random, 380);
    expiring[key].expire_at_ms = 1'800'000'000'000;
    less.erase(key);
    more[key + "x"].value = random_text(random, 380);
  }
  const std::size_t by_change = delta(before, changed);
  const std::size_t by_expiry = delta(before, expiring);
  const std::size_t by_removal = delta(before, less);
  const std::size_t by_insertion = delta(before, more);
  EXPECT_LT(by_change, 6 * 380 + 150u);  // of 252 241
  EXPECT_LT(by_expiry, 300u);
  EXPECT_LT(by_removal, 400u);
  EXPECT_LT(by_insertion, 6 * 380 + 450u);
}

}  // namespace
}  // namespace sluice::engine
