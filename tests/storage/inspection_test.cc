#include "storage/inspection.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "storage/file_lock.h"
#include "storage/file_system.h"
#include "storage/repository.h"
#include "tests/storage/scratch.h"

namespace sluice::storage {
namespace {

namespace fs = std::filesystem;

class InspectionOfARepository : public testing::Test {
 protected:
  InspectionOfARepository() {
    auto opened = Repository::open(path_, {.create_if_missing = true, .io = io(), .on_step = {}});
    EXPECT_OK(opened);
    repository_ = *std::move(opened);
  }

  static IoOptions io() {
    return {.backend = IoBackend::threads, .depth = 2, .block_bytes = 4096, .decorate = {}};
  }

  BackupKey back_up() {
    auto writer = repository_->begin_backup("a");
    EXPECT_OK(writer);
    EXPECT_OK((*writer)->append_chunk(bytes_of("hello"), {}));
    const auto committed = (*writer)->commit("{}");
    EXPECT_OK(committed);
    return committed->key;
  }

  Inspection inspection() {
    auto found = inspect(*repository_->shared_layout());
    EXPECT_OK(found);
    return *std::move(found);
  }

  ScratchDirectory scratch_;
  fs::path path_ = scratch_.path() / "r";
  std::unique_ptr<Repository> repository_;
};

TEST_F(InspectionOfARepository, FindsNothingInAGoodOne) {
  back_up();
  const Inspection found = inspection();
  EXPECT_FALSE(found.mark_damage);
  for (const Sample* sample :
       {&found.unwritable, &found.foreign, &found.open_to_read, &found.open_to_write,
        &found.live_writers, &found.dead_writers, &found.stray_packs, &found.temporary}) {
    EXPECT_EQ(sample->count, 0u) << (sample->names.empty() ? "" : sample->names.front());
  }
}

TEST_F(InspectionOfARepository, TellsLiveWritersFromDeadOnes) {
  auto writer = repository_->begin_backup("a");
  ASSERT_OK(writer);
  const BackupKey key = (*writer)->key();
  const std::string title = key.instance + "/" + key.id;
  EXPECT_EQ(inspection().live_writers.names, std::vector{title});
  EXPECT_EQ(inspection().dead_writers.count, 0u);

  // As after kill -9: HEAD says running, and nobody holds the lock.
  const fs::path copy = scratch_.path() / "copy";
  fs::copy(path_, copy, fs::copy_options::recursive);
  ASSERT_OK((*writer)->abandon());
  const auto dead = Repository::open(copy, {.io = io(), .on_step = {}});
  ASSERT_OK(dead);
  const auto found = inspect(*(*dead)->shared_layout());
  ASSERT_OK(found);
  EXPECT_EQ(found->dead_writers.names, std::vector{title});
  EXPECT_EQ(found->live_writers.count, 0u);
}

TEST_F(InspectionOfARepository, NamesStrayPacksAndWhatLiesInScratch) {
  const BackupKey key = back_up();
  fs::rename(path_ / "instances/a" / key.id, scratch_.path() / "elsewhere");
  write_file(path_ / "tmp/x", bytes_of("x"));
  const Inspection found = inspection();
  ASSERT_EQ(found.stray_packs.count, 1u);
  EXPECT_TRUE(found.stray_packs.names.front().contains(key.id));
  EXPECT_EQ(found.stray_bytes, fs::file_size(path_ / found.stray_packs.names.front()));
  EXPECT_EQ(found.temporary.names, std::vector<std::string>{"tmp/x"});
}

TEST_F(InspectionOfARepository, LeavesPacksAloneThatARemovedBackupShares) {
  const BackupKey key = back_up();
  fs::rename(path_ / "instances/a" / key.id, scratch_.path() / "elsewhere");
  fs::create_directories(path_ / "gc");
  write_file(path_ / "gc" / ("removed-" + key.id), {});
  EXPECT_EQ(inspection().stray_packs.count, 0u);
}

TEST_F(InspectionOfARepository, SeesWhatOthersMayDo) {
  const BackupKey key = back_up();
  const std::string manifest = "instances/a/" + key.id + "/manifest";
  ASSERT_EQ(::chmod((path_ / manifest).c_str(), 0444), 0);
  ASSERT_EQ(::chmod((path_ / "packs/00").c_str(), 0770), 0);
  const Inspection found = inspection();
  EXPECT_EQ(found.open_to_read.names, std::vector{manifest});
  EXPECT_EQ(found.open_to_write.names, std::vector<std::string>{"packs/00"});
}

TEST_F(InspectionOfARepository, NamesAFewAndCountsAll) {
  for (int i = 0; i < 20; ++i) write_file(path_ / "tmp" / std::to_string(i), bytes_of("x"));
  const Inspection found = inspection();
  EXPECT_EQ(found.temporary.count, 20u);
  EXPECT_EQ(found.temporary.names.size(), Sample::names_max);
}

TEST_F(InspectionOfARepository, SeesADamagedMarkOnceItIsOpen) {
  write_file(path_ / "FORMAT", bytes_of("nothing"));
  ASSERT_TRUE(inspection().mark_damage);
  EXPECT_EQ(inspection().mark_damage->code, Errc::truncated);
}

TEST(FileSystem, IsToldWithItsRoom) {
  const ScratchDirectory scratch;
  const auto directory = open_directory(scratch.path().string());
  const auto system = file_system_of(*directory);
  ASSERT_OK(system);
  EXPECT_NE(system->type, "");
  EXPECT_GT(system->total_bytes, 0u);
  EXPECT_LE(system->free_bytes, system->total_bytes);
  EXPECT_FALSE(system->read_only);
  const auto proc = file_system_of(*open_directory("/proc"));
  ASSERT_OK(proc);
  EXPECT_EQ(proc->type, "0x9fa0") << "one that is not known";
}

}  // namespace
}  // namespace sluice::storage
