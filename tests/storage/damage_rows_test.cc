// Rows C1 and C4 to C7 of docs/reliability.md that change more than one byte: random bits of a
// large pack, objects in the place of others, twice, and of strangers.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <functional>
#include <set>

#include "storage/checksum.h"
#include "storage/chunk_reader.h"
#include "storage/file.h"
#include "storage/repository.h"
#include "tests/storage/crash_fixture.h"
#include "tests/storage/scratch.h"

namespace sluice::storage {
namespace {

/// Two backups "a" of five chunks each, all of one size and none compressible.
class DamageRow : public Crash {
 protected:
  static constexpr std::uint32_t chunk_count = 5;
  static constexpr std::size_t chunk_bytes = 50'000;

  DamageRow() {
    for (std::uint64_t backup = 0; backup < 2; ++backup) {
      auto writer = (*open())->begin_backup("a");
      EXPECT_OK(writer);
      for (std::uint64_t i = 0; i < chunk_count; ++i)
        EXPECT_OK((*writer)->append_chunk(random_bytes(chunk_bytes, 10 * backup + i), {}));
      keys_.push_back((*writer)->key());
      EXPECT_OK((*writer)->commit("{}"));
      backups_.push_back(*(*open())->open_backup(keys_.back()));
    }
  }

  [[nodiscard]] fs::path pack_of(std::size_t backup) const {
    return root_ / Repository::pack_name(backups_[backup].packs[0].id);
  }
  [[nodiscard]] fs::path directory_of(std::size_t backup) const {
    return root_ / "instances/a" / keys_[backup].id;
  }

  std::vector<Problem> check(std::size_t backup, CheckLevel level = CheckLevel::decoded) const {
    std::vector<Problem> problems;
    EXPECT_OK((*open())->check_backup(backups_[backup],
                                      [&](const Problem& problem) { problems.push_back(problem); },
                                      {.level = level, .threads = 1}));
    return problems;
  }
  std::set<std::uint32_t> lost_chunks(std::size_t backup,
                                      CheckLevel level = CheckLevel::decoded) const {
    std::set<std::uint32_t> lost;
    for (const Problem& problem : check(backup, level))
      lost.insert(problem.chunks.begin(), problem.chunks.end());
    return lost;
  }
  /// What a reader refuses is what the check names.
  void expect_lost(std::size_t backup, const std::set<std::uint32_t>& lost) const {
    EXPECT_EQ(lost_chunks(backup), lost);
    auto reader = ChunkReader::open(**open(), backups_[backup]);
    ASSERT_OK(reader);
    for (std::uint32_t i = 0; i < chunk_count; ++i) {
      const auto chunk = (*reader)->read(i);
      EXPECT_EQ(chunk.has_value(), !lost.contains(i)) << "chunk " << i;
      if (chunk) {
        EXPECT_TRUE(std::ranges::equal(chunk->raw, random_bytes(chunk_bytes, 10 * backup + i)));
      }
    }
  }

  void flip_random_bits(int count) {
    const fs::path pack = pack_of(0);
    fs::permissions(pack, fs::perms::owner_read | fs::perms::owner_write);
    const Fd file(::open(pack.c_str(), O_RDWR | O_CLOEXEC));
    ASSERT_TRUE(file);
    std::mt19937_64 random(7);
    for (int i = 0; i < count; ++i) {
      const std::uint32_t chunk = static_cast<std::uint32_t>(random() % chunk_count);
      const auto at = static_cast<off_t>(backups_[0].blobs[chunk].offset + 64 +
                                         random() % backups_[0].blobs[chunk].stored_bytes);
      std::byte byte{};
      ASSERT_EQ(::pread(file.get(), &byte, 1, at), 1);
      const std::byte bad = byte ^ static_cast<std::byte>(1U << (random() % 8));
      ASSERT_EQ(::pwrite(file.get(), &bad, 1, at), 1);
      SCOPED_TRACE("byte " + std::to_string(at));
      EXPECT_EQ(lost_chunks(0, CheckLevel::stored), std::set{chunk}) << "needs no key";
      EXPECT_EQ(lost_chunks(0), std::set{chunk});
      ASSERT_EQ(::pwrite(file.get(), &byte, 1, at), 1);
      if (HasFailure()) return;
    }
  }

  std::vector<BackupKey> keys_;
  std::vector<Backup> backups_;
};

/// Mutation: the checksum of stored bytes in ChunkReader, or in the check.
TEST_F(DamageRow, C1_ARandomBitOfAPackCostsOneChunkAndIsNamed) { flip_random_bits(200); }
TEST_F(DamageRow, DISABLED_C1_ARandomBitOfAPackCostsOneChunkAndIsNamed) {
  flip_random_bits(10'000);
}

/// Mutation: none alone; the footer, the manifest and the identity each tell.
TEST_F(DamageRow, C4_TwoBlobsOfOnePackExchangedAreBothNamed) {
  auto bytes = read_file(pack_of(0));
  const auto blob = [&](std::uint32_t chunk) {
    const BlobRef& place = backups_[0].blobs[chunk];
    return std::span(bytes).subspan(place.offset, 64 + place.stored_bytes);
  };
  std::ranges::swap_ranges(blob(1), blob(3));
  write_file(pack_of(0), bytes);
  expect_lost(0, {1, 3});
  expect_lost(1, {});
}

TEST_F(DamageRow, C4_TheBytesOfTwoBlobsExchangedUnderTheirHeadersAreBothNamed) {
  auto bytes = read_file(pack_of(0));
  const auto stored = [&](std::uint32_t chunk) {
    const BlobRef& place = backups_[0].blobs[chunk];
    return std::span(bytes).subspan(place.offset + 64, place.stored_bytes);
  };
  std::ranges::swap_ranges(stored(0), stored(4));
  write_file(pack_of(0), bytes);
  expect_lost(0, {0, 4});
}

TEST_F(DamageRow, C4_TwoPacksExchangedAreBothNamed) {
  const auto first = read_file(pack_of(0));
  write_file(pack_of(0), read_file(pack_of(1)));
  write_file(pack_of(1), first);
  for (const std::size_t backup : {0, 1}) expect_lost(backup, {0, 1, 2, 3, 4});
}

/// Mutation: the id in HEAD.
TEST_F(DamageRow, C5_AnOlderObjectInThePlaceOfANewerIsNamed) {
  const auto expect_named = [&](std::string_view file) {
    const auto listed = (*open())->list();
    ASSERT_OK(listed);
    ASSERT_EQ(listed->size(), 2u);
    ASSERT_TRUE((*listed)[1].damage.has_value());
    EXPECT_TRUE((*listed)[1].damage->detail.contains(keys_[1].id + "/" + std::string(file)))
        << to_string(*(*listed)[1].damage);
    EXPECT_FALSE((*listed)[0].damage.has_value());
  };
  const auto good_head = read_file(directory_of(1) / "HEAD");
  write_file(directory_of(1) / "HEAD", read_file(directory_of(0) / "HEAD"));
  expect_named("HEAD");
  write_file(directory_of(1) / "HEAD", good_head);
  for (const std::string file : {"manifest", "manifest.copy"})
    write_file(directory_of(1) / file, read_file(directory_of(0) / file));
  expect_named("manifest");
}

/// Mutation: the digest in HEAD that a manifest must have.
TEST_F(DamageRow, C5_AnotherManifestOfTheSameBackupIsNamed) {
  auto bytes = read_file(directory_of(1) / "manifest");
  constexpr std::size_t metadata_at = 128 + 1;  // behind the header and "a"
  ASSERT_EQ(bytes[metadata_at], std::byte{'{'});
  bytes[metadata_at] = std::byte{'['};
  const std::size_t covered = bytes.size() - 16;
  std::ranges::copy(xxh3_128(std::span(bytes).first(covered)),
                    bytes.begin() + static_cast<std::ptrdiff_t>(covered));
  for (const std::string file : {"manifest", "manifest.copy"})
    write_file(directory_of(1) / file, bytes);
  const auto listed = (*open())->list();
  ASSERT_OK(listed);
  ASSERT_TRUE((*listed)[1].damage.has_value());
  EXPECT_TRUE((*listed)[1].damage->detail.contains("not the manifest that HEAD names"));
  EXPECT_FALSE((*open())->open_backup(keys_[1]));
}

TEST_F(DamageRow, C6_ObjectsThatAreThereTwiceDoNoHarm) {
  const auto name = pack_of(0).filename();
  const fs::path wrong_shard =
      root_ / "packs" / (pack_of(0).parent_path().filename() == "00" ? "01" : "00");
  fs::copy_file(pack_of(0), wrong_shard / name);
  fs::copy_file(pack_of(0), root_ / "tmp" / name);
  fs::copy_file(directory_of(0) / "manifest", directory_of(0) / "manifest.old");
  fs::copy_file(directory_of(0) / "HEAD", directory_of(0) / "HEAD.copy");
  EXPECT_EQ(check_all_listed(), 2u);
  ASSERT_OK(back_up(**open(), "a"));
  EXPECT_EQ(check_all_listed(), 3u);
  ASSERT_OK((*open())->remove_backup(keys_[0]));
  EXPECT_EQ(check_all_listed(), 2u);
  EXPECT_FALSE(fs::exists(pack_of(0)));
}

/// Mutation: the sorting out of names in Layout, PackSweep::sweep_shard() or list_directories().
TEST_F(DamageRow, C7_FilesOfStrangersAreLeftAloneEverywhere) {
  std::vector<fs::path> foreign;
  for (const fs::path& directory :
       {root_, root_ / "packs", root_ / "packs/00", root_ / "instances", root_ / "instances/a"}) {
    for (const std::string_view name : {".nfs00000000deadbeef", "notes.txt", "Thumbs.db"}) {
      foreign.push_back(directory / name);
      write_file(foreign.back(), bytes_of("not ours"));
    }
  }
  write_file(directory_of(0) / ".nfs00000000deadbeef", bytes_of("held open"));
  fs::create_directory(root_ / "instances/.snapshot");
  EXPECT_EQ(check_all_listed(), 2u);
  ASSERT_OK(back_up(**open(), "a"));
  EXPECT_EQ(check_all_listed(), 3u);
  ASSERT_OK((*open())->remove_backup(keys_[0]));
  EXPECT_EQ(check_all_listed(), 2u);
  for (const fs::path& file : foreign) EXPECT_TRUE(fs::exists(file)) << file;
}

/// Mutation: O_NOFOLLOW in open_part() or open_for_reading().
TEST_F(DamageRow, I7_ASymbolicLinkInARepositoryIsRefusedByName) {
  const ScratchDirectory elsewhere;
  const auto replace_by_link = [&](const fs::path& path) {
    const fs::path moved = elsewhere.path() / path.filename();
    fs::rename(path, moved);
    fs::create_symlink(moved, path);
    return moved;
  };
  const auto put_back = [](const fs::path& path, const fs::path& moved) {
    fs::remove(path);
    fs::rename(moved, path);
  };
  for (const fs::path& path : {pack_of(0), pack_of(0).parent_path(), root_ / "packs",
                               directory_of(0) / "HEAD", directory_of(0) / "manifest"}) {
    SCOPED_TRACE(path);
    const fs::path moved = replace_by_link(path);
    const auto problems = check(0);
    ASSERT_FALSE(problems.empty());
    EXPECT_EQ(problems[0].error.code, Errc::corrupt) << to_string(problems[0].error);
    EXPECT_TRUE(problems[0].error.detail.contains(path.string() + ": a symbolic link"))
        << to_string(problems[0].error);
    put_back(path, moved);
  }
  EXPECT_EQ(check_all_listed(), 2u);
  for (const fs::path& path : {root_ / "instances", root_ / "instances/a"}) {
    SCOPED_TRACE(path);
    const fs::path moved = replace_by_link(path);
    const auto begun = (*open())->begin_backup("a");
    ASSERT_FALSE(begun);
    EXPECT_TRUE(begun.error().detail.contains(path.string() + ": a symbolic link"))
        << to_string(begun.error());
    put_back(path, moved);
  }
}

}  // namespace
}  // namespace sluice::storage
