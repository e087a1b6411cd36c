// A month of hourly backups, retention and collection, under a clock of our own: the repository
// stays about as large as what its backups need, and each of them is whole.
//
// A program of its own, since it takes the place of clock_gettime(2).

#include <fmt/format.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <map>
#include <random>
#include <set>
#include <utility>

#include "sluice/prune.h"
#include "tests/storage/chain_fixture.h"

namespace {
std::atomic<std::int64_t> ahead_s{0};
}

/// The system's, but for the time of day, which is ahead by as much as the test says.
extern "C" int clock_gettime(clockid_t clock, struct timespec* time) noexcept {
  const auto result = static_cast<int>(::syscall(SYS_clock_gettime, clock, time));
  if (result == 0 && clock == CLOCK_REALTIME) time->tv_sec += ahead_s.load();
  return result;
}

namespace sluice::storage {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t chunk_count = 60;

class Month : public Chains {
 protected:
  Month() {
    keep_trash_ = true;
    repository_ = open();
    content_ = some_chunks(chunk_count, 3000);
  }

  /// One chunk in twenty changes a little; now and then one is new altogether.
  void churn() {
    for (std::size_t i = 0; i < chunk_count / 20; ++i) {
      Bytes& chunk = content_[random_() % chunk_count];
      chunk[random_() % chunk.size()] ^= std::byte{1};
    }
    if (random_() % 4 == 0) content_[random_() % chunk_count] = compressible_bytes(3000, random_());
  }

  void back_up() {
    const auto newest = repository_->newest("a");
    const auto key = take(content_, newest ? std::optional(*newest) : std::nullopt);
    ASSERT_OK(key);
    contents_[key->id] = content_;
  }

  void prune_now() {
    PruneOptions options;
    options.repository = RepositoryPlace(root_.string());
    options.policy = {.within_ms = std::int64_t{24} * 3600 * 1000, .daily = 7, .weekly = 4};
    options.dry_run = false;
    options.collection.trash_ms = std::int64_t{24} * 3600 * 1000;
    const auto pruned = prune(options, {});
    ASSERT_TRUE(pruned.has_value()) << pruned.error().message;
    EXPECT_FALSE(pruned->kept_because.has_value()) << *pruned->kept_because;
    EXPECT_EQ(pruned->rescued_packs, 0u);
    repacked_ += pruned->repacked_packs;
  }

  /// Bytes of the blobs that listed backups name, each counted once, and of their other files.
  [[nodiscard]] std::uint64_t needed_bytes() const {
    std::set<std::pair<PackId, std::uint64_t>> blobs;
    std::uint64_t bytes = 0;
    const auto listed = repository_->list();
    for (const BackupInfo& info : *listed) {
      const auto backup = repository_->open_backup(info.key);
      for (const BlobRef& blob : backup->blobs) {
        if (blobs.emplace(backup->packs[blob.pack].id, blob.offset).second)
          bytes += sizeof(format::BlobHeader) + blob.stored_bytes + sizeof(format::FooterEntry);
      }
      for (const auto& file : files_below(root_ / "instances/a" / info.key.id))
        bytes += fs::file_size(file);
    }
    return bytes;
  }

  [[nodiscard]] std::uint64_t bytes_below(const fs::path& path) const {
    std::uint64_t bytes = 0;
    if (!fs::exists(path)) return 0;
    for (const auto& file : files_below(path)) bytes += fs::file_size(file);
    return bytes;
  }

  void expect_all_whole() {
    const auto listed = repository_->list();
    ASSERT_OK(listed);
    for (const BackupInfo& info : *listed) {
      EXPECT_FALSE(info.damage.has_value());
      expect_whole(info.key, contents_.at(info.key.id));
    }
  }

  void live(int days) {
    double worst = 0;
    double worst_with_trash = 0;
    for (int hour = 0; hour < days * 24; ++hour) {
      ahead_s += 3600;
      churn();
      back_up();
      if (hour % 24 != 23) continue;
      prune_now();
      const auto needed = static_cast<double>(needed_bytes());
      const auto trash = static_cast<double>(bytes_below(root_ / "trash"));
      const auto all = static_cast<double>(bytes_below(root_));
      worst = std::max(worst, (all - trash) / needed);
      worst_with_trash = std::max(worst_with_trash, all / needed);
    }
    expect_all_whole();
    EXPECT_LE(worst, 1.3);
    fmt::print(
        "{} days: {} backups listed, {} packs repacked; at most {:.2f} times what they need, "
        "{:.2f} with the trash of a day\n",
        days, repository_->list()->size(), repacked_, worst, worst_with_trash);
  }

  std::mt19937_64 random_{1};
  std::vector<Bytes> content_;
  std::map<std::string, std::vector<Bytes>> contents_;
  std::uint64_t repacked_ = 0;
};

TEST_F(Month, E5_FiveDaysOfHourlyBackups) { live(5); }
TEST_F(Month, DISABLED_E5_ThirtyDaysOfHourlyBackups) { live(30); }

}  // namespace
}  // namespace sluice::storage
