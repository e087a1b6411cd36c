#include "engine/partition_store.h"

#include <atomic>
#include <set>
#include <thread>

#include "partition_text.h"

namespace sluice::engine {
namespace {

/// In an order as a hash table might have it.
std::vector<OwnedRecord> numbered(std::size_t count, std::size_t value_bytes,
                                  std::string_view prefix = "user:session:") {
  std::vector<OwnedRecord> records;
  for (std::size_t i = 0; i < count; ++i) {
    const std::string number = std::to_string(i * 7919 % 1'000'003);
    records.push_back({.key = std::string(prefix) + number + ":" + std::to_string(i),
                       .value = std::string(value_bytes, static_cast<char>('a' + i % 26))});
  }
  std::ranges::shuffle(records, std::mt19937_64(17));
  return records;
}

constexpr PartitionOptions tiny{.memory_bytes = 256 << 10,
                                .partition_bytes = 16 << 10,
                                .partition_bytes_max = 64 << 10,
                                .by_slot = false,
                                .expected_bytes = 0};

TEST(PartitionStore, GivesBackEveryPartOfARecord) {
  std::vector<OwnedRecord> records;
  for (unsigned parts = 0; parts < 64; ++parts) {
    OwnedRecord record{.key = "key" + std::to_string(parts), .type = static_cast<uint8_t>(parts)};
    if ((parts & 1) != 0) record.expire_at_ms = -5 + static_cast<std::int64_t>(parts);
    if ((parts & 2) != 0) record.idle_s = std::uint64_t{1} << 40 | parts;
    if ((parts & 4) != 0) record.freq = static_cast<std::uint8_t>(200 + parts % 50);
    if ((parts & 8) != 0) record.meta = "meta of " + record.key;
    record.fragmented = (parts & 16) != 0;
    if ((parts & 32) != 0) record.value = "value of " + record.key;
    records.push_back(record);
  }
  expect_sorted({}, records);
  expect_sorted({.by_slot = true}, records);
}

TEST(PartitionStore, OfNothingHasNoPartitions) {
  PartitionStore store({}, {{.db = 0, .label = bytes_of("m")}});
  ASSERT_TRUE(store.finish().has_value());
  EXPECT_EQ(store.partitions(), 0U);
}

std::vector<OwnedRecord> awkward_keys() {
  std::set<std::string> keys = {"", std::string(1, '\0'), std::string(2, '\0')};
  std::mt19937_64 random(3);
  const std::string long_prefix(300, 'p');
  for (int byte = 0; byte < 256; ++byte) keys.insert(std::string(1, static_cast<char>(byte)));
  for (std::size_t i = 0; i < 3000; ++i) {
    std::string key = i % 3 == 0 ? long_prefix : i % 3 == 1 ? std::string(i % 40, '\0') : "";
    for (std::size_t bytes = random() % 12; bytes > 0; --bytes) {
      key += static_cast<char>(i % 2 == 0 ? random() % 3 : random());
    }
    keys.insert(key);
    keys.insert(key.substr(0, key.size() / 2));
    keys.insert(std::string(i / 8, 'z'));
  }
  std::vector<OwnedRecord> records;
  for (const std::string& key : keys) records.push_back({.key = key, .value = "of " + key});
  std::ranges::shuffle(records, random);
  return records;
}

TEST(PartitionStore, SortsAwkwardKeysAsStdSortDoes) {
  const auto records = awkward_keys();
  EXPECT_EQ(expect_sorted({}, records).spilled_bytes, 0U);
  EXPECT_GT(expect_sorted(tiny, records).spilled_bytes, 0U);
  auto by_slot = tiny;
  by_slot.by_slot = true;
  expect_sorted(by_slot, records);
}

TEST(PartitionStore, NeedsHardlyAnyMemory) {
  const auto records = numbered(30'000, 100);
  for (const std::size_t memory_bytes :
       {std::size_t{0}, std::size_t{100'000}, std::size_t{1} << 20}) {
    SCOPED_TRACE(memory_bytes);
    const auto stats = expect_sorted(
        {.memory_bytes = memory_bytes, .partition_bytes = 30'000, .partition_bytes_max = 60'000},
        records);
    EXPECT_GT(stats.spilled_bytes, std::uint64_t{3} << 20);
    EXPECT_LT(stats.memory_peak_bytes, std::max<std::size_t>(memory_bytes, 64 << 10) + (256 << 10));
  }
}

// Borders come from the first records, which say nothing here about the others.
TEST(PartitionStore, SplitsPartitionsThatTurnOutTooLarge) {
  auto records = numbered(20'000, 200);
  std::ranges::sort(records, {}, &OwnedRecord::key);
  {
    SCOPED_TRACE("ascending");
    expect_sorted(tiny, records);
  }
  {
    SCOPED_TRACE("descending");
    std::ranges::reverse(records);
    expect_sorted(tiny, records);
  }
  SCOPED_TRACE("all in one range");
  expect_sorted(tiny, records,
                {{.db = 0, .label = bytes_of("a")}, {.db = 0, .label = bytes_of("v")}});
}

TEST(PartitionStore, SplitsWhatIsInMemoryToo) {
  const auto records = numbered(50'000, 10);
  PartitionOptions options = tiny;
  options.memory_bytes = 64 << 20;
  expect_sorted(options, records, {{.db = 0, .label = bytes_of("a")}});
}

// The first kilobytes of labels are the same: borders must come from what is behind.
TEST(PartitionStore, SplitsKeysWithVeryLongCommonPrefixes) {
  auto records = numbered(400, 10, std::string(5000, 'k'));
  expect_sorted(tiny, records);
}

TEST(PartitionStore, KeepsDbsApartInWhateverOrderTheyCome) {
  auto records = numbered(20'000, 50);
  for (std::size_t i = 0; i < records.size(); ++i) {
    const std::uint64_t dbs[] = {7, 0, 7, 1, 12'345'678'901};
    records[i].db = dbs[i / 100 % std::size(dbs)];
    if (i % 3 == 0) records[i].key = "same in all:" + std::to_string(i / 500);
  }
  std::set<std::pair<std::uint64_t, std::string>> seen;
  std::erase_if(records,
                [&](const auto& record) { return !seen.emplace(record.db, record.key).second; });
  expect_sorted({}, records);
  expect_sorted(tiny, records);
}

TEST(PartitionStore, HoldsManySmallDbs) {
  auto records = numbered(10'000, 20);
  for (std::size_t i = 0; i < records.size(); ++i) records[i].db = i % 997;
  expect_sorted(tiny, records);
}

TEST(PartitionStore, SortsBySlotWhateverTheOrderTheyComeIn) {
  auto options = tiny;
  options.by_slot = true;
  auto records = numbered(30'000, 60);
  for (std::size_t i = 0; i < records.size(); i += 5) {
    records[i].key = "{tag}" + records[i].key;
  }
  expect_sorted(options, records);
  std::ranges::stable_sort(records, {}, [](const OwnedRecord& record) {
    return label_text(record.key, true).substr(0, 2);
  });
  expect_sorted(options, records);  // as servers send them
}

// A node of a cluster has some slots only; partitions should not be larger for that.
TEST(PartitionStore, MakesPartitionsOfTheRightSizeForAFewSlots) {
  auto records = numbered(60'000, 60);
  std::erase_if(records, [](const auto& record) { return label_text(record.key, true) >= "\x10"; });
  std::ranges::stable_sort(records, {}, [](const OwnedRecord& record) {
    return label_text(record.key, true).substr(0, 2);
  });
  PartitionStore store({.memory_bytes = 1 << 20, .partition_bytes = 64 << 10, .by_slot = true});
  for (const OwnedRecord& record : records) store.add(0, record.view());
  ASSERT_TRUE(store.finish().has_value());
  const std::uint64_t bytes = store.stats().bytes;
  EXPECT_GE(store.partitions(), bytes / (128 << 10));
  EXPECT_LE(store.partitions(), bytes / (32 << 10));
}

TEST(PartitionStore, TakesFencesAsBorders) {
  const auto records = numbered(5'000, 20, "");
  std::vector<Fence> fences;
  for (const char* label : {"2", "4", "45", "45", "3", "6", "8"}) {
    fences.push_back({.db = 0, .label = bytes_of(label)});
  }
  expect_sorted({}, records, fences);

  PartitionStore store({}, fences);
  for (const OwnedRecord& record : records) store.add(0, record.view());
  ASSERT_TRUE(store.finish().has_value());
  std::vector<std::string> lower;
  for (std::size_t i = 0; i < store.partitions(); ++i)
    lower.push_back(text_of(store.lower(i).label));
  EXPECT_EQ(lower, (std::vector<std::string>{"", "2", "4", "45", "6", "8"}));
}

TEST(PartitionStore, GivesPartitionsOfTheSizeThatIsWanted) {
  const auto records = numbered(100'000, 200);
  PartitionStore store({.memory_bytes = 16 << 20, .partition_bytes = 256 << 10});
  store.expect(0, records.size());
  for (const OwnedRecord& record : records) store.add(0, record.view());
  ASSERT_TRUE(store.finish().has_value());
  const auto wanted = static_cast<std::size_t>(store.stats().bytes / (256 << 10)) + 1;
  EXPECT_EQ(store.partitions(), wanted);
  std::size_t most = 0;
  for (std::size_t i = 0; i < store.partitions(); ++i) {
    ASSERT_TRUE(store
                    .take(i,
                          [&](const SortedBatch& batch) -> Result<void> {
                            most = std::max(most, batch.size());
                            return {};
                          })
                    .has_value());
  }
  EXPECT_LT(most, 2 * records.size() / wanted);
}

TEST(PartitionStore, TakesValuesInParts) {
  auto records = numbered(3'000, 0);
  std::mt19937_64 random(4);
  for (std::size_t i = 0; i < records.size(); ++i) {
    const std::size_t bytes = i % 100 == 0 ? random() % 200'000 : random() % 500;
    records[i].value.assign(bytes, static_cast<char>('a' + i % 26));
    if (i % 7 == 0) records[i].meta = "meta";
  }
  for (const std::size_t memory_bytes : {std::size_t{1} << 20, std::size_t{256} << 20}) {
    PartitionStore store({.memory_bytes = memory_bytes,
                          .partition_bytes = 64 << 10,
                          .partition_bytes_max = 128 << 10});
    for (const OwnedRecord& record : records) {
      store.begin(0, OwnedRecord{.key = "dropped", .value = "v"}.view());
      store.append(std::as_bytes(std::span(record.value)));
      store.drop();
      store.begin(0, record.view());
      for (std::size_t at = 0; at < record.value.size();) {
        const std::size_t bytes =
            std::min<std::size_t>(random() % 70'000, record.value.size() - at);
        store.append(std::as_bytes(std::span(record.value)).subspan(at, bytes));
        at += bytes;
        EXPECT_EQ(store.begun_value().size(), at);
      }
      if (!record.value.empty()) store.begun_value().front() = std::byte{'!'};
      store.end();
    }
    ASSERT_TRUE(store.finish().has_value());
    const auto got = drained(store);
    ASSERT_TRUE(got.has_value()) << got.error().message;
    auto expected = sorted_by_label(records, false);
    for (OwnedRecord& record : expected) {
      if (!record.value.empty()) record.value.front() = '!';
    }
    EXPECT_TRUE(*got == expected);
  }
}

TEST(PartitionStore, GivesARecordLargerThanAllLimitsForItself) {
  auto records = numbered(500, 300);
  for (const char* key : {"user:session:5", "a", "z"}) {
    records.push_back({.key = key, .value = std::string(3 << 20, 'v')});
  }
  records.push_back({.key = std::string(2 << 20, 'u'), .value = "of a long key"});
  records.push_back({.key = std::string(2 << 20, 'u') + 'v', .value = "of another long key"});
  expect_sorted(tiny, records);
  expect_sorted({}, records);
}

class PartitionStoreTwice : public testing::TestWithParam<std::size_t> {};

TEST_P(PartitionStoreTwice, SaysWhichKeyIsThereTwice) {
  auto records = numbered(10'000, 100);
  records.front().key = "\x01key";
  records.back().key = "\x01key";
  records.front().db = records.back().db = 3;
  auto options = tiny;
  options.memory_bytes = GetParam();
  PartitionStore store(options);
  for (const OwnedRecord& record : records) store.add(record.db, record.view());
  ASSERT_TRUE(store.finish().has_value());
  const auto got = drained(store);
  ASSERT_FALSE(got.has_value());
  EXPECT_EQ(got.error().code, "duplicate_key");
  EXPECT_EQ(got.error().message,
            "db 3 has the key \"\\x01key\" twice, so no server loads it; `--layout stream` keeps "
            "such a file as it is");
}

// Partitions that cannot be made smaller, whatever the borders.
TEST_P(PartitionStoreTwice, EndsWhenAllKeysAreTheSame) {
  auto options = tiny;
  options.memory_bytes = GetParam();
  for (const bool by_slot : {false, true}) {
    options.by_slot = by_slot;
    PartitionStore store(options);
    for (int i = 0; i < 20'000; ++i) {
      store.add(0, OwnedRecord{.key = i % 2 == 0 ? "a" : "b", .value = "value"}.view());
    }
    ASSERT_TRUE(store.finish().has_value());
    const auto got = drained(store, by_slot);
    ASSERT_FALSE(got.has_value());
    EXPECT_EQ(got.error().code, "duplicate_key");
  }
}

INSTANTIATE_TEST_SUITE_P(Memory, PartitionStoreTwice,
                         testing::Values(std::size_t{64} << 10, std::size_t{64} << 20));

/// TMPDIR for as long as it lives.
class TmpDir {
 public:
  explicit TmpDir(const char* path) {
    if (const char* const before = std::getenv("TMPDIR")) before_ = before;
    ::setenv("TMPDIR", path, 1);
  }
  ~TmpDir() {
    if (before_) {
      ::setenv("TMPDIR", before_->c_str(), 1);
    } else {
      ::unsetenv("TMPDIR");
    }
  }

 private:
  std::optional<std::string> before_;
};

TEST(PartitionStore, SaysThatScratchCannotBeWritten) {
  const TmpDir tmp("/proc");
  PartitionStore store(tiny);
  for (const OwnedRecord& record : numbered(20'000, 100)) store.add(0, record.view());
  ASSERT_TRUE(store.error().has_value());
  const auto finished = store.finish();
  ASSERT_FALSE(finished.has_value());
  EXPECT_EQ(finished.error().code, "scratch_failed");
  EXPECT_TRUE(finished.error().message.starts_with("cannot make a scratch file in /proc: "));
  EXPECT_LE(store.stats().memory_peak_bytes, tiny.memory_bytes + (64 << 10));
}

TEST(PartitionStore, SaysThatScratchCannotBeWrittenToSplit) {
  auto options = tiny;
  options.memory_bytes = 64 << 20;
  PartitionStore store(options, {{.db = 0, .label = bytes_of("a")}});
  for (const OwnedRecord& record : numbered(20'000, 10)) store.add(0, record.view());
  ASSERT_TRUE(store.finish().has_value());
  const TmpDir tmp("/proc");
  const auto got = drained(store);
  ASSERT_FALSE(got.has_value());
  EXPECT_EQ(got.error().code, "scratch_failed");
}

TEST(PartitionStore, EndsAtTheFirstErrorOfABatch) {
  PartitionStore store(tiny, {{.db = 0, .label = bytes_of("a")}});
  for (const OwnedRecord& record : numbered(20'000, 100)) store.add(0, record.view());
  ASSERT_TRUE(store.finish().has_value());
  int calls = 0;
  const auto taken = store.take(0, [&](const SortedBatch&) -> Result<void> {
    if (++calls < 3) return {};
    return std::unexpected(Error{.code = "stop", .message = {}});
  });
  ASSERT_FALSE(taken.has_value());
  EXPECT_EQ(taken.error().code, "stop");
  EXPECT_EQ(calls, 3);
}

TEST(PartitionStore, IsTakenBySeveralThreads) {
  const auto records = numbered(40'000, 100);
  PartitionStore store(tiny);
  for (const OwnedRecord& record : records) store.add(0, record.view());
  ASSERT_TRUE(store.finish().has_value());
  std::vector<std::vector<OwnedRecord>> parts(store.partitions());
  std::atomic<std::size_t> next = 0;
  const auto work = [&] {
    for (std::size_t i = next++; i < parts.size(); i = next++) {
      const auto taken = store.take(i, [&](const SortedBatch& batch) -> Result<void> {
        for (std::size_t at = 0; at < batch.size(); ++at) {
          parts[i].push_back(owned(batch.db(), batch[at]));
        }
        return {};
      });
      EXPECT_TRUE(taken.has_value());
    }
  };
  {
    const std::jthread one(work);
    const std::jthread other(work);
  }
  std::vector<OwnedRecord> all;
  for (auto& part : parts) all.insert(all.end(), part.begin(), part.end());
  EXPECT_TRUE(all == sorted_by_label(records, false));
}

std::size_t resident_bytes() {
  std::FILE* const file = std::fopen("/proc/self/statm", "r");
  unsigned long pages = 0;
  if (file == nullptr || std::fscanf(file, "%*u %lu", &pages) != 1) pages = 0;
  if (file != nullptr) std::fclose(file);
  return pages * 4096;
}

TEST(PartitionStore, KeepsItsBudget) {
  constexpr std::size_t memory_bytes = 32 << 20;
  const std::size_t before = resident_bytes();
  std::size_t most = before;
  PartitionStore store({.memory_bytes = memory_bytes});
  std::mt19937_64 random(9);
  const std::string value(20, 'v');
  Record record;
  record.value = std::as_bytes(std::span(value));
  for (std::uint64_t i = 0; i < 2'000'000; ++i) {
    const std::uint64_t number = i * 0x9e3779b97f4a7c15;  // each once, in no order
    record.key = std::as_bytes(std::span(&number, 1));
    store.add(0, record);
    if (i % 10'000 == 0) most = std::max(most, resident_bytes());
  }
  ASSERT_TRUE(store.finish().has_value());
  EXPECT_GT(store.stats().spilled_bytes, 30U << 20);
  EXPECT_LE(store.stats().memory_peak_bytes, memory_bytes);
  EXPECT_LE(most - before, memory_bytes + (2 << 20));

  std::uint64_t records = 0;
  for (std::size_t i = 0; i < store.partitions(); ++i) {
    ASSERT_TRUE(store
                    .take(i,
                          [&](const SortedBatch& batch) -> Result<void> {
                            records += batch.size();
                            most = std::max(most, resident_bytes());
                            return {};
                          })
                    .has_value());
  }
  EXPECT_EQ(records, 2'000'000U);
  EXPECT_LE(store.stats().memory_peak_bytes, memory_bytes + (24 << 20));
  EXPECT_LE(most - before, memory_bytes + (26 << 20));
}

}  // namespace
}  // namespace sluice::engine
