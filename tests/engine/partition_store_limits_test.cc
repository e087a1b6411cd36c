#include <cstdio>

#include "engine/partition_store.h"
#include "partition_text.h"

namespace sluice::engine {
namespace {

TEST(PartitionStoreLimits, NeedsHardlyAnyMemory) {
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
TEST(PartitionStoreLimits, SplitsPartitionsThatTurnOutTooLarge) {
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

TEST(PartitionStoreLimits, SplitsWhatIsInMemoryToo) {
  const auto records = numbered(50'000, 10);
  PartitionOptions options = tiny;
  options.memory_bytes = 64 << 20;
  expect_sorted(options, records, {{.db = 0, .label = bytes_of("a")}});
}

// The first kilobytes of labels are the same: borders must come from what is behind.
TEST(PartitionStoreLimits, SplitsKeysWithVeryLongCommonPrefixes) {
  auto records = numbered(400, 10, std::string(5000, 'k'));
  expect_sorted(tiny, records);
}

TEST(PartitionStoreLimits, GivesARecordLargerThanAllLimitsForItself) {
  auto records = numbered(500, 300);
  for (const char* key : {"user:session:5", "a", "z"}) {
    records.push_back({.key = key, .value = std::string(3 << 20, 'v')});
  }
  records.push_back({.key = std::string(2 << 20, 'u'), .value = "of a long key"});
  records.push_back({.key = std::string(2 << 20, 'u') + 'v', .value = "of another long key"});
  expect_sorted(tiny, records);
  expect_sorted({}, records);
}

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

TEST(PartitionStoreLimits, SaysThatScratchCannotBeWritten) {
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

TEST(PartitionStoreLimits, SaysThatScratchCannotBeWrittenToSplit) {
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

TEST(PartitionStoreLimits, SortsWithWhateverOptions) {
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937_64 random(seed);
    const auto below = [&](std::size_t limit) {
      return static_cast<std::size_t>(random() % limit);
    };
    auto records = numbered(1 + below(8000), below(60), std::string(below(3) * 10, 'k'));
    for (OwnedRecord& record : records) {
      record.db = below(4) == 0 ? 0 : 5;
      if (below(100) == 0) record.value.assign(below(40'000), 'v');
    }
    if (seed % 3 == 0) std::ranges::sort(records, {}, &OwnedRecord::key);
    std::vector<Fence> fences;
    for (std::size_t i = below(50); i > 0; --i) {
      fences.push_back({.db = 5, .label = bytes_of(records[below(records.size())].key)});
    }
    std::ranges::sort(fences, {}, &Fence::label);
    expect_sorted({.memory_bytes = below(1 << 20),
                   .partition_bytes = 1 + below(40'000),
                   .partition_bytes_max = below(100'000),
                   .by_slot = seed % 2 == 0,
                   .expected_bytes = below(2) * below(10 << 20)},
                  records, fences);
  }
}

/// What the process takes; 0 where a sanitizer takes most of it.
std::size_t resident_bytes() {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  return 0;
#else
  std::FILE* const file = std::fopen("/proc/self/statm", "r");
  unsigned long pages = 0;
  if (file == nullptr || std::fscanf(file, "%*u %lu", &pages) != 1) pages = 0;
  if (file != nullptr) std::fclose(file);
  return pages * 4096;
#endif
}

TEST(PartitionStoreLimits, KeepsItsBudget) {
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
