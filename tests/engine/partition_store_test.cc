#include "engine/partition_store.h"

#include <atomic>
#include <set>
#include <thread>

#include "partition_text.h"

namespace sluice::engine {
namespace {

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

}  // namespace
}  // namespace sluice::engine
