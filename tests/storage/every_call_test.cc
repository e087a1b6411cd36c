// Rows B3 to B6 and B9 of docs/reliability.md at the calls of the C library: each call that changes
// something fails once, or from some moment on all of them do; and the clock jumps.

#include <gtest/gtest.h>

#include <cerrno>
#include <cstdio>

#include "storage/inspection.h"
#include "storage/repository.h"
#include "tests/storage/chain_fixture.h"
#include "tests/storage/crash_fixture.h"
#include "tests/storage/disk_record.h"
#include "tests/storage/scratch.h"

namespace sluice::storage {
namespace {

class EveryCall : public testing::Test {
 protected:
  EveryCall() { fs::create_directory(root_); }

  Result<std::unique_ptr<Repository>> open() const {
    return Repository::open(root_, {.create_if_missing = true,
                                    .io = {.backend = IoBackend::threads,
                                           .depth = 3,
                                           .block_bytes = 4096,
                                           .direct = DirectIo::off,
                                           .decorate = {}},
                                    .on_step = {}});
  }

  Result<CommittedBackup> back_up(const std::optional<BackupKey>& parent = {}) const {
    auto repository = open();
    if (!repository) return std::unexpected(repository.error());
    auto writer = (*repository)->begin_backup("a", {.parent = parent});
    if (!writer) return std::unexpected(writer.error());
    std::optional<Backup> base;
    if (parent) base = *(*repository)->open_backup(*parent);
    ChainMaker chains(**repository, **writer, base ? &*base : nullptr);  // adopts what is the same
    for (std::uint64_t i = 0; i < 3; ++i) {
      if (auto ok = chains.add(random_bytes(5000, i)); !ok) return std::unexpected(ok.error());
    }
    return (*writer)->commit("{}");
  }

  std::size_t whole_ones() const {
    const auto repository = open();
    EXPECT_OK(repository);
    const auto listed = (*repository)->list();
    EXPECT_OK(listed);
    for (const BackupInfo& info : *listed) {
      EXPECT_FALSE(info.damage.has_value()) << to_string(*info.damage);
      const auto backup = (*repository)->open_backup(info.key);
      EXPECT_OK(backup);
      EXPECT_OK((*repository)
                    ->check_backup(
                        *backup,
                        [](const Problem& problem) { ADD_FAILURE() << to_string(problem.error); },
                        {.threads = 1}));
    }
    return listed->size();
  }

  /// Backs up again and again, with a failure one call later each time. What is told to be done is
  /// listed, what was listed stays, and afterwards a backup works without help.
  void fail_each_call(int error, bool all_after) {
    ASSERT_OK(back_up());
    int survived = 0;
    int n = 1;
    for (;; ++n) {
      SCOPED_TRACE("call " + std::to_string(n) + ", errno " + std::to_string(error));
      const std::size_t before = whole_ones();
      bool reached = false;
      const auto done = with_failure(n, error, all_after, reached, [this] { return back_up(); });
      if (!done) {
        const std::error_code expected(error, std::system_category());
        EXPECT_EQ(done.error().code, expected) << to_string(done.error());
        EXPECT_TRUE(done.error().detail.contains(root_.string())) << to_string(done.error());
      }
      const std::size_t listed = whole_ones();
      // HEAD has its name, its directory cannot be synced, and nothing can be renamed any more.
      const bool unsettled = !done && all_after && listed == before + 1;
      unsettled_ += unsettled;
      EXPECT_TRUE(unsettled || listed == before + (done ? 1 : 0)) << listed;
      survived += done && reached;
      ASSERT_OK(back_up());
      EXPECT_EQ(whole_ones(), listed + 1);
      for (const fs::path& file : files_below(root_))
        EXPECT_FALSE(file.filename().string().starts_with(".new-")) << file;
      remove_all_but(1);
      if (!reached) break;
      if (HasFailure()) return;
    }
    std::printf("errno %d%s: %d calls, %d survived\n", error, all_after ? " from there on" : "",
                n - 1, survived);
    EXPECT_GT(n, 20);
    EXPECT_LE(unsettled_, 1);
  }

  /// Removes a backup whose pack another names, then that one, with a failure one call later each
  /// time. What is still listed is whole, and the next backup finishes what was begun.
  void fail_each_call_of_a_removal(int error, bool all_after) {
    int n = 1;
    for (bool reached = true; reached && !HasFailure(); ++n) {
      SCOPED_TRACE("call " + std::to_string(n) + ", errno " + std::to_string(error));
      const auto first = back_up();
      ASSERT_OK(first);
      const auto second = back_up(first->key);
      ASSERT_OK(second);
      const auto removed = with_failure(n, error, all_after, reached, [&] {
        auto done = (*open())->remove_backup(first->key);
        return done ? (*open())->remove_backup(second->key) : done;
      });
      EXPECT_TRUE(removed || reached);
      const std::size_t listed = whole_ones();
      EXPECT_TRUE(removed ? listed == 0 : listed <= 2) << listed;
      ASSERT_OK(back_up());
      EXPECT_EQ(whole_ones(), listed + 1);
      const auto found = inspect(*(*open())->shared_layout());
      ASSERT_OK(found);
      EXPECT_EQ(found->stray_packs.count, 0u);
      remove_all_but(0);
    }
    std::printf("removal, errno %d%s: %d calls\n", error, all_after ? " from there on" : "", n - 2);
    EXPECT_GT(n, 10);
  }

 private:
  template <class Work>
  auto with_failure(int nth, int error, bool all_after, bool& reached, Work work)
      -> decltype(work()) {
    start_recording(root_);
    record_existing();
    fail_call(nth, error, all_after);
    auto done = work();
    reached = changing_calls() >= nth;
    fail_call(0, 0);
    (void)stop_recording();
    return done;
  }

  /// What is there already counts as below the directory, too.
  void record_existing() const {
    for (const auto& entry : fs::recursive_directory_iterator(root_)) {
      if (entry.is_directory()) record_directory(entry.path());
    }
  }

  void remove_all_but(std::size_t kept) const {
    auto repository = open();
    const auto listed = (*repository)->list();
    for (std::size_t i = kept; i < listed->size(); ++i)
      ASSERT_OK((*repository)->remove_backup((*listed)[i].key));
  }

  int unsettled_ = 0;
  ScratchDirectory scratch_{memory_directory()};

 protected:
  fs::path root_ = scratch_.path() / "r";
};

/// Mutation: the result of any call of file.cc, block_file.cc or removal.cc ignored.
TEST_F(EveryCall, B3_AnIoErrorOnceAtEachCall) { fail_each_call(EIO, false); }
TEST_F(EveryCall, B5_AFullDiskOnceAtEachCall) { fail_each_call(ENOSPC, false); }
TEST_F(EveryCall, B5_AQuotaOnceAtEachCall) { fail_each_call(EDQUOT, false); }
TEST_F(EveryCall, B3_ADeadDiskFromEachCallOn) { fail_each_call(EIO, true); }
TEST_F(EveryCall, B6_ReadOnlyFromEachCallOn) { fail_each_call(EROFS, true); }

/// Mutation: the result of any call of removal.cc or tombstone.cc ignored; the tombstone not asked.
TEST_F(EveryCall, B3_AnIoErrorOnceAtEachCallOfARemoval) { fail_each_call_of_a_removal(EIO, false); }
TEST_F(EveryCall, B5_AFullDiskFromEachCallOfARemovalOn) {
  fail_each_call_of_a_removal(ENOSPC, true);
}
TEST_F(EveryCall, B6_ReadOnlyFromEachCallOfARemovalOn) { fail_each_call_of_a_removal(EROFS, true); }

/// Mutation: make_backup_id() that goes by the clock alone.
TEST_F(EveryCall, B9_ClockJumps) {
  using std::chrono::hours;
  std::vector<BackupKey> keys;
  for (const int hours_off : {0, 24, -24, 1, 0, -1, 24 * 400, 0}) {
    set_clock_offset(hours(hours_off));
    const auto done = back_up(keys.empty() ? std::nullopt : std::optional(keys.back()));
    ASSERT_OK(done);
    if (!keys.empty()) {
      EXPECT_GT(done->key.id, keys.back().id);
    }
    keys.push_back(done->key);
    EXPECT_EQ((*open())->newest("a"), keys.back());
    EXPECT_EQ(whole_ones(), keys.size());
  }
  set_clock_offset(hours(-48));
  while (!keys.empty()) {
    ASSERT_OK((*open())->remove_backup(keys.front()));
    keys.erase(keys.begin());
    EXPECT_EQ(whole_ones(), keys.size());
  }
  set_clock_offset(hours(0));
}

/// Zones and their summer time do not matter: ids are in UTC.
/// Mutation: localtime() in to_string(BackupId).
TEST_F(EveryCall, B9_SummerTimeBeginsAndEnds) {
  std::string last;
  for (const char* zone : {"UTC", "Europe/Berlin", "XST-14", "XST+12", "UTC"}) {
    ::setenv("TZ", zone, 1);
    ::tzset();
    const auto done = back_up();
    ASSERT_OK(done);
    EXPECT_GT(done->key.id, last);
    last = done->key.id;
  }
  ::unsetenv("TZ");
  ::tzset();
  EXPECT_EQ(whole_ones(), 5U);
}

}  // namespace
}  // namespace sluice::storage
