#include "storage/repository.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "storage/chunk_reader.h"
#include "tests/storage/scratch.h"

namespace sluice::storage {
namespace {

namespace fs = std::filesystem;

std::unique_ptr<Repository> make_repository(const fs::path& path, IoOptions io = {}) {
  auto repository = Repository::open(
      path, {.create_if_missing = true, .io = io, .keep_trash = false, .on_step = {}});
  EXPECT_OK(repository);
  return repository ? *std::move(repository) : nullptr;
}

class RepositoryOnEachBackend : public testing::TestWithParam<IoBackend> {
 protected:
  [[nodiscard]] IoOptions io() const {
    return {.backend = GetParam(), .depth = 4, .block_bytes = 64 << 10, .decorate = {}};
  }
  ScratchDirectory scratch_;
};

INSTANTIATE_TEST_SUITE_P(Io, RepositoryOnEachBackend,
                         testing::Values(IoBackend::io_uring, IoBackend::threads),
                         [](const auto& chosen) {
                           return chosen.param == IoBackend::threads ? "threads" : "io_uring";
                         });

std::vector<std::vector<std::byte>> sample_chunks() {
  std::vector<std::vector<std::byte>> chunks;
  chunks.emplace_back();  // empty
  chunks.push_back(bytes_of("x"));
  chunks.push_back(compressible_bytes(256 << 10, 1));
  chunks.push_back(random_bytes(256 << 10, 2));
  chunks.push_back(compressible_bytes(format::chunk_raw_bytes_max, 3));
  chunks.push_back(random_bytes(format::chunk_raw_bytes_max, 4));
  for (std::uint64_t i = 0; i < 300; ++i) chunks.push_back(compressible_bytes(1000 + 37 * i, i));
  return chunks;
}

TEST_P(RepositoryOnEachBackend, GivesBackWhatWasStoredChunkByChunk) {
  const auto repository = make_repository(scratch_.path() / "r", io());
  const auto chunks = sample_chunks();
  auto writer = repository->begin_backup("cache-1");
  ASSERT_OK(writer);
  EXPECT_EQ((*writer)->io_kind(),
            GetParam() == IoBackend::threads ? IoKind::threads : IoKind::io_uring);
  for (std::size_t i = 0; i < chunks.size(); ++i) {
    const auto ordinal = (*writer)->append_chunk(chunks[i], {i, 2 * i, 3 * i});
    ASSERT_OK(ordinal);
    EXPECT_EQ(*ordinal, i);
  }
  const auto committed = (*writer)->commit(R"({"note":"as given"})");
  ASSERT_OK(committed);

  const auto backup = repository->open_backup(committed->key);
  ASSERT_OK(backup);
  EXPECT_EQ(backup->meta_json, R"({"note":"as given"})");
  ASSERT_EQ(backup->chunks.size(), chunks.size());
  auto reader = ChunkReader::open(*repository, *backup);
  ASSERT_OK(reader);
  std::uint64_t raw_offset = 0;
  for (std::size_t i = 0; i < chunks.size(); ++i) {
    SCOPED_TRACE(i);
    const auto chunk = (*reader)->next();
    ASSERT_OK(chunk);
    ASSERT_TRUE(chunk->has_value());
    EXPECT_EQ((*chunk)->ordinal, i);
    EXPECT_EQ((*chunk)->tag, (ChunkTag{i, 2 * i, 3 * i}));
    EXPECT_EQ((*chunk)->raw_offset, raw_offset);
    EXPECT_TRUE(std::ranges::equal((*chunk)->raw, chunks[i]));
    raw_offset += chunks[i].size();
  }
  const auto end = (*reader)->next();
  ASSERT_OK(end);
  EXPECT_FALSE(end->has_value());
  const auto fifth = (*reader)->read(5);
  ASSERT_OK(fifth);
  EXPECT_TRUE(std::ranges::equal(fifth->raw, chunks[5]));
}

TEST_P(RepositoryOnEachBackend, SpreadsALargeBackupOverPacksAndFindsNothingWrongWithIt) {
  const auto repository = make_repository(scratch_.path() / "r", io());
  auto writer = repository->begin_backup("big");
  ASSERT_OK(writer);
  const auto chunk = random_bytes(1 << 20, 7);
  for (int i = 0; i < 150; ++i) ASSERT_OK((*writer)->append_chunk(chunk, {}));
  const auto committed = (*writer)->commit("{}");
  ASSERT_OK(committed);
  EXPECT_EQ(committed->stats.packs, 3u);
  EXPECT_EQ(committed->stats.raw_bytes, 150u << 20);

  const auto backup = repository->open_backup(committed->key);
  ASSERT_OK(backup);
  ASSERT_EQ(backup->packs.size(), 3u);
  for (const PackRef& pack : backup->packs)
    EXPECT_LT(pack.file_bytes, format::pack_target_bytes + (1 << 20));
  const auto checked = repository->check_backup(
      *backup, [](const Problem& problem) { ADD_FAILURE() << to_string(problem.error); });
  ASSERT_OK(checked);
  EXPECT_EQ(checked->chunks, 150u);
  EXPECT_EQ(checked->problems, 0u);
  EXPECT_EQ(checked->bytes, committed->stats.file_bytes);
}

TEST_P(RepositoryOnEachBackend, ReadsARangeOfChunks) {
  const auto repository = make_repository(scratch_.path() / "r", io());
  auto writer = repository->begin_backup("a");
  ASSERT_OK(writer);
  for (std::uint64_t i = 0; i < 20; ++i)
    ASSERT_OK((*writer)->append_chunk(random_bytes(5000, i), {i}));
  const auto committed = (*writer)->commit("");
  ASSERT_OK(committed);
  const auto backup = repository->open_backup(committed->key);
  ASSERT_OK(backup);
  auto reader = ChunkReader::open(*repository, *backup, 7, 5);
  ASSERT_OK(reader);
  for (std::uint32_t i = 7; i < 12; ++i) {
    const auto chunk = (*reader)->next();
    ASSERT_OK(chunk);
    ASSERT_TRUE(chunk->has_value());
    EXPECT_EQ((*chunk)->ordinal, i);
  }
  EXPECT_FALSE((*reader)->next()->has_value());
}

TEST(Repository, KeepsABackupWithoutChunks) {
  const ScratchDirectory scratch;
  const auto repository = make_repository(scratch.path() / "r");
  auto writer = repository->begin_backup("a");
  ASSERT_OK(writer);
  ASSERT_OK((*writer)->commit("nothing in it"));
  const auto listed = repository->list();
  ASSERT_OK(listed);
  ASSERT_EQ(listed->size(), 1u);
  EXPECT_EQ(listed->front().meta_json, "nothing in it");
  EXPECT_EQ(listed->front().packs, 0u);
}

TEST(Repository, RefusesADirectoryThatHoldsOtherThings) {
  const ScratchDirectory scratch;
  write_file(scratch.path() / "diary.txt", bytes_of("dear"));
  const auto made = Repository::open(
      scratch.path(), {.create_if_missing = true, .io = {}, .keep_trash = false, .on_step = {}});
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, Errc::not_empty);
  EXPECT_NE(made.error().detail.find("diary.txt"), std::string::npos);
  EXPECT_EQ(files_below(scratch.path()).size(), 1u) << "nothing was added";
}

TEST(Repository, DoesNotMakeANewOneWhereBackupsLieThatLostTheirFormat) {
  const ScratchDirectory scratch;
  const fs::path root = scratch.path() / "r";
  {
    auto writer = make_repository(root)->begin_backup("a");
    ASSERT_OK(writer);
    ASSERT_OK((*writer)->append_chunk(bytes_of("hello"), {}));
    ASSERT_OK((*writer)->commit("{}"));
  }
  const OpenOptions create{.create_if_missing = true, .io = {}, .keep_trash = false, .on_step = {}};
  fs::rename(root / "FORMAT", scratch.path() / "FORMAT");
  fs::rename(root / "FORMAT.copy", scratch.path() / "FORMAT.copy");
  const auto expect_refused = [&] {
    const auto opened = Repository::open(root, create);
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, Errc::corrupt);
    EXPECT_NE(opened.error().detail.find("FORMAT is missing"), std::string::npos);
    EXPECT_FALSE(fs::exists(root / "FORMAT"));
  };
  expect_refused();
  fs::rename(root / "instances/a", scratch.path() / "a");
  expect_refused();  // for its packs
  fs::rename(scratch.path() / "a", root / "instances/a");
  fs::remove_all(root / "packs");
  expect_refused();  // for its instance
}

TEST(Repository, TakesAFreshFileSystemForAnEmptyDirectory) {
  const ScratchDirectory scratch;
  fs::create_directory(scratch.path() / "lost+found");
  ASSERT_NE(make_repository(scratch.path()), nullptr);
  EXPECT_TRUE(fs::exists(scratch.path() / "lost+found"));
}

TEST(Repository, RefusesToOpenWhatIsNotOne) {
  const ScratchDirectory scratch;
  EXPECT_EQ(Repository::open(scratch.path()).error().code, Errc::not_a_repository);
  EXPECT_EQ(Repository::open(scratch.path() / "none").error().code, Errc::not_a_repository);
}

TEST(Repository, MakesItsDirectoriesAndFilesForTheOwnerOnlyWhateverTheUmask) {
  for (const mode_t mask : {0U, 0777U}) {
    const ScratchDirectory scratch;
    const mode_t before = ::umask(mask);
    const auto repository = make_repository(scratch.path() / "r");
    auto writer = repository->begin_backup("a");
    ASSERT_OK(writer);
    ASSERT_OK((*writer)->append_chunk(bytes_of("hello"), {}));
    ASSERT_OK((*writer)->commit("{}"));
    ::umask(before);
    for (const auto& entry : fs::recursive_directory_iterator(scratch.path())) {
      const auto mode = static_cast<unsigned>(entry.status().permissions());
      if (entry.path().filename() == "LOCK")
        EXPECT_EQ(mode, 0600u) << entry.path();
      else
        EXPECT_EQ(mode, entry.is_directory() ? 0700u : 0400u) << entry.path();
    }
  }
}

TEST(Repository, GivesIdsThatGrowWithinAnInstance) {
  const ScratchDirectory scratch;
  const auto repository = make_repository(scratch.path() / "r");
  std::string newest;
  for (int i = 0; i < 5; ++i) {
    auto writer = repository->begin_backup("a");
    ASSERT_OK(writer);
    EXPECT_GT((*writer)->key().id, newest);
    newest = (*writer)->key().id;
    ASSERT_OK((*writer)->commit("{}"));
  }
  // A clock that was ahead when an earlier backup was made must not make ids go back.
  fs::create_directory(scratch.path() / "r/instances/a/29990101T000000000Z-00000000");
  write_file(scratch.path() / "r/instances/a/29990101T000000000Z-00000000/manifest", {});
  auto writer = repository->begin_backup("a");
  ASSERT_OK(writer);
  EXPECT_GT((*writer)->key().id, "29990101T000000000Z-00000000");
}

TEST(Repository, FindsABackupByAPrefixOfItsId) {
  const ScratchDirectory scratch;
  const auto repository = make_repository(scratch.path() / "r");
  std::vector<BackupKey> keys;
  for (const char* instance : {"a", "a", "b"}) {
    auto writer = repository->begin_backup(instance);
    ASSERT_OK(writer);
    keys.push_back((*writer)->key());
    ASSERT_OK((*writer)->commit("{}"));
  }
  for (const BackupKey& key : keys) EXPECT_EQ(repository->find(key.id), key);
  const auto many = repository->find("2");
  ASSERT_FALSE(many);
  EXPECT_EQ(many.error().code, Errc::ambiguous);
  for (const BackupKey& key : keys)
    EXPECT_NE(many.error().detail.find(key.id), std::string::npos) << many.error().detail;
  EXPECT_EQ(repository->find("2", "b"), keys[2]);
  EXPECT_EQ(repository->find("1999").error().code, Errc::not_found);
  EXPECT_EQ(repository->find("").error().code, Errc::bad_name);
  EXPECT_EQ(repository->newest("a"), keys[1]);
  EXPECT_EQ(repository->newest("none").error().code, Errc::not_found);
}

TEST(Repository, I4_RefusesNamesThatAreNotInstanceNames) {
  const ScratchDirectory scratch;
  const auto repository = make_repository(scratch.path() / "r");
  for (const std::string& name : {std::string(), std::string(".."), std::string("a/b"),
                                  std::string("-a"), std::string("a b"), std::string(129, 'a')}) {
    EXPECT_EQ(repository->begin_backup(name).error().code, Errc::bad_name) << name;
    EXPECT_EQ(repository->list(name).error().code, Errc::bad_name) << name;
    EXPECT_EQ(repository->open_backup({.instance = name, .id = "x"}).error().code, Errc::bad_name);
  }
  EXPECT_OK(repository->begin_backup(std::string(128, 'a')));
}

TEST(Repository, RemovesABackupAndNothingElse) {
  const ScratchDirectory scratch;
  const auto repository = make_repository(scratch.path() / "r");
  const auto before = files_below(scratch.path());
  std::vector<BackupKey> keys;
  for (int i = 0; i < 2; ++i) {
    auto writer = repository->begin_backup("a");
    ASSERT_OK(writer);
    ASSERT_OK((*writer)->append_chunk(random_bytes(1000, 1), {}));
    keys.push_back((*writer)->key());
    ASSERT_OK((*writer)->commit("{}"));
  }
  ASSERT_OK(repository->remove_backup(keys[0]));
  EXPECT_EQ(repository->open_backup(keys[0]).error().code, Errc::not_found);
  const auto kept = repository->open_backup(keys[1]);
  ASSERT_OK(kept);
  EXPECT_EQ(repository->check_backup(*kept, [](const Problem&) {})->problems, 0u);
  ASSERT_OK(repository->remove_backup(keys[1]));
  EXPECT_EQ(files_below(scratch.path()), before);
  EXPECT_EQ(repository->remove_backup(keys[1]).error().code, Errc::not_found);
}

TEST(Repository, LeavesNothingOfAnAbandonedBackup) {
  const ScratchDirectory scratch;
  const auto repository = make_repository(scratch.path() / "r");
  const auto before = files_below(scratch.path());
  {
    auto writer = repository->begin_backup("a");
    ASSERT_OK(writer);
    ASSERT_OK((*writer)->append_chunk(random_bytes(1000, 1), {}));
    ASSERT_OK((*writer)->abandon());
    EXPECT_EQ((*writer)->append_chunk({}, {}).error().code, Errc::finished);
    EXPECT_EQ((*writer)->commit("{}").error().code, Errc::finished);
  }
  {
    auto writer = repository->begin_backup("a");
    ASSERT_OK(writer);
    for (std::uint64_t i = 0; i < 20; ++i)
      ASSERT_OK((*writer)->append_chunk(random_bytes(4 << 20, i), {}));
  }  // the destructor abandons
  EXPECT_EQ(files_below(scratch.path()), before);
  EXPECT_TRUE(repository->list()->empty());
}

TEST(Repository, RefusesAChunkAboveTheLimit) {
  const ScratchDirectory scratch;
  const auto repository = make_repository(scratch.path() / "r");
  auto writer = repository->begin_backup("a");
  ASSERT_OK(writer);
  const std::vector<std::byte> large(format::chunk_raw_bytes_max + 1);
  EXPECT_EQ((*writer)->append_chunk(large, {}).error().code, Errc::limit_exceeded);
  EXPECT_EQ((*writer)->commit("{}").error().code, Errc::limit_exceeded) << "errors are sticky";
}

}  // namespace
}  // namespace sluice::storage
