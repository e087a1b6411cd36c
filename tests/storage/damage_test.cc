// One flipped bit or one cut anywhere in a backup's files is found, and the file is named.

#include <gtest/gtest.h>

#include "storage/chunk_reader.h"
#include "storage/repository.h"
#include "tests/storage/scratch.h"

namespace sluice::storage {
namespace {

namespace fs = std::filesystem;

class Damage : public testing::Test {
 protected:
  Damage() {
    auto repository = open();
    auto writer = (*repository)->begin_backup("a");
    EXPECT_OK(writer);
    for (const auto& chunk : chunks_) EXPECT_OK((*writer)->append_chunk(chunk, {1, 2, 3}));
    key_ = (*writer)->key();
    EXPECT_OK((*writer)->commit(R"({"keys":3})"));
    auto backup = (*repository)->open_backup(key_);
    EXPECT_OK(backup);
    backup_ = *std::move(backup);
    const std::string prefix = "instances/a/" + key_.id + "/";
    head_ = prefix + "HEAD";
    manifest_ = prefix + "manifest";
    copy_ = prefix + "manifest.copy";
    for (const fs::path& file : files_below(root_ / "packs"))
      pack_ = fs::relative(file, root_).string();
  }

  Result<std::unique_ptr<Repository>> open() {
    const IoOptions io{
        .backend = IoBackend::threads, .depth = 2, .block_bytes = 4096, .decorate = {}};
    return Repository::open(root_, {.create_if_missing = true, .io = io, .on_step = {}});
  }

  /// Objects that a check of the backup, as it was opened when whole, complains of.
  std::vector<Problem> check() {
    std::vector<Problem> problems;
    auto repository = open();
    EXPECT_OK(repository);
    const auto stats = (*repository)->check_backup(backup_, [&](const Problem& problem) {
      problems.push_back(problem);
    });
    EXPECT_OK(stats);
    EXPECT_EQ(stats->problems, problems.size());
    return problems;
  }

  void expect_check_names(const std::string& object) {
    const auto problems = check();
    ASSERT_FALSE(problems.empty());
    for (const Problem& problem : problems) {
      EXPECT_EQ(problem.object, object);
      EXPECT_NE(problem.error.detail.find(object), std::string::npos) << problem.error.detail;
    }
  }

  /// Calls `then` with each byte of the file changed in turn, and puts the file back.
  template <class Then>
  void for_each_flip(const std::string& object, Then then) {
    const auto whole = read_file(root_ / object);
    for (std::size_t i = 0; i < whole.size(); ++i) {
      SCOPED_TRACE(object + " byte " + std::to_string(i));
      auto bad = whole;
      bad[i] ^= static_cast<std::byte>(1U << (i % 8));
      write_file(root_ / object, bad);
      then(i);
      if (HasFatalFailure()) return;
    }
    write_file(root_ / object, whole);
  }

  template <class Then>
  void for_each_cut(const std::string& object, Then then) {
    const auto whole = read_file(root_ / object);
    for (std::size_t size = 0; size < whole.size(); ++size) {
      SCOPED_TRACE(object + " cut at " + std::to_string(size));
      write_file(root_ / object, std::span(whole).first(size));
      then(size);
      if (HasFatalFailure()) return;
    }
    write_file(root_ / object, whole);
  }

  const std::vector<std::vector<std::byte>> chunks_{compressible_bytes(500, 1),
                                                    random_bytes(300, 2), bytes_of("")};
  ScratchDirectory scratch_;
  fs::path root_ = scratch_.path() / "r";
  BackupKey key_;
  Backup backup_;
  std::string head_, manifest_, copy_, pack_;
};

TEST_F(Damage, ASoundBackupHasNoProblems) { EXPECT_TRUE(check().empty()); }

TEST_F(Damage, C1_EveryFlippedByteOfAPackIsFoundAndTheChunkIsNamed) {
  for_each_flip(pack_, [&](std::size_t at) {
    expect_check_names(pack_);
    for (std::uint32_t i = 0; i < 3; ++i) {
      const BlobRef& blob = backup_.blobs[i];
      if (at < blob.offset || at >= blob.offset + 64 + blob.stored_bytes) continue;
      EXPECT_EQ(check().front().chunks, std::vector{i});
    }
  });
}

TEST_F(Damage, C1_EveryFlippedByteOfAPackIsEitherHarmlessToAReaderOrToldToIt) {
  auto repository = open();
  for_each_flip(pack_, [&](std::size_t at) {
    auto reader = ChunkReader::open(**repository, backup_);
    ASSERT_OK(reader);
    for (std::uint32_t i = 0; i < 3; ++i) {
      const BlobRef& blob = backup_.blobs[i];
      const bool hit = at >= blob.offset && at < blob.offset + 64 + blob.stored_bytes;
      const auto next = (*reader)->next();
      EXPECT_EQ(next.has_value(), !hit);
      if (next) {
        EXPECT_TRUE(std::ranges::equal((*next)->raw, chunks_[i]));
      }
      EXPECT_EQ((*reader)->read(i).has_value(), !hit);
    }
  });
}

TEST_F(Damage, C2_EveryCutOfAPackIsFound) {
  for_each_cut(pack_, [&](std::size_t) { expect_check_names(pack_); });
}

TEST_F(Damage, BytesAfterThePackAreFound) {
  auto longer = read_file(root_ / pack_);
  longer.push_back(std::byte{0});
  write_file(root_ / pack_, longer);
  expect_check_names(pack_);
}

TEST_F(Damage, C3_AMissingPackIsNamedWithItsChunks) {
  fs::remove(root_ / pack_);
  const auto problems = check();
  ASSERT_EQ(problems.size(), 1u);
  EXPECT_EQ(problems[0].object, pack_);
  EXPECT_EQ(problems[0].error.code, Errc::not_found);
  EXPECT_EQ(problems[0].chunks, (std::vector<std::uint32_t>{0, 1, 2}));
  auto repository = open();
  auto reader = ChunkReader::open(**repository, backup_);
  for (int i = 0; i < 3; ++i) EXPECT_EQ((*reader)->next().error().code, Errc::not_found);
}

TEST_F(Damage, C4_APackInThePlaceOfAnotherIsFound) {
  auto repository = open();
  auto writer = (*repository)->begin_backup("b");
  ASSERT_OK(writer);
  for (const auto& chunk : chunks_) ASSERT_OK((*writer)->append_chunk(chunk, {1, 2, 3}));
  const auto committed = (*writer)->commit("{}");
  ASSERT_OK(committed);
  for (const fs::path& file : files_below(root_ / "packs")) {
    if (fs::relative(file, root_) != pack_) write_file(root_ / pack_, read_file(file));
  }
  expect_check_names(pack_);
}

TEST_F(Damage, C1_EveryFlippedByteOfAManifestIsMadeGoodByItsTwinAndFound) {
  auto repository = open();
  for (const std::string& object : {manifest_, copy_}) {
    for_each_flip(object, [&](std::size_t) {
      const auto backup = (*repository)->open_backup(key_);
      ASSERT_OK(backup);
      EXPECT_EQ(backup->chunks, backup_.chunks);
      EXPECT_EQ(backup->meta_json, backup_.meta_json);
      EXPECT_EQ(backup->manifest_damage.has_value(), object == manifest_);
      expect_check_names(object);
    });
  }
}

TEST_F(Damage, C2_EveryCutOfAManifestIsMadeGoodByItsTwinAndFound) {
  auto repository = open();
  for (const std::string& object : {manifest_, copy_}) {
    for_each_cut(object, [&](std::size_t) {
      ASSERT_OK((*repository)->open_backup(key_));
      expect_check_names(object);
    });
  }
}

TEST_F(Damage, ABackupWithBothManifestsBadIsListedAsDamaged) {
  auto repository = open();
  fs::remove(root_ / copy_);
  for_each_flip(manifest_, [&](std::size_t) {
    const auto listed = (*repository)->list();
    ASSERT_OK(listed);
    ASSERT_EQ(listed->size(), 1u);
    EXPECT_EQ(listed->front().key, key_);
    ASSERT_TRUE(listed->front().damage.has_value());
    EXPECT_NE(listed->front().damage->detail.find(manifest_), std::string::npos);
    EXPECT_FALSE((*repository)->open_backup(key_));
  });
  write_file(root_ / manifest_, {});
  EXPECT_EQ((*repository)->list()->front().damage->code, Errc::truncated);
}

TEST_F(Damage, C1_EveryFlippedByteOfHeadIsToldAndTheBackupCanBeReadAndIsNotCleared) {
  auto repository = open();
  for_each_flip(head_, [&](std::size_t) {
    const auto listed = (*repository)->list();
    ASSERT_OK(listed);
    ASSERT_EQ(listed->size(), 1u);
    ASSERT_TRUE(listed->front().damage.has_value());
    EXPECT_NE(listed->front().damage->detail.find(head_), std::string::npos);
    EXPECT_EQ(listed->front().meta_json, backup_.meta_json);
    ASSERT_TRUE(listed->front().head_damage.has_value());
    const auto backup = (*repository)->open_backup(key_);
    ASSERT_OK(backup);
    EXPECT_EQ(backup->chunks, backup_.chunks);
    EXPECT_TRUE(backup->head_damage.has_value());
    EXPECT_EQ((*repository)->newest("a"), key_);
    expect_check_names(head_);
  });
  write_file(root_ / head_, {});
  auto writer = (*repository)->begin_backup("a");
  ASSERT_OK(writer);
  EXPECT_TRUE((*writer)->cleared().backups.empty());
  EXPECT_TRUE(fs::exists(root_ / pack_));
}

TEST_F(Damage, ABadHeadAndOneBadManifestTogetherAreListedAsDamaged) {
  auto repository = open();
  write_file(root_ / head_, {});
  for (const std::string& object : {manifest_, copy_}) {
    for_each_flip(object, [&](std::size_t) {
      const auto listed = (*repository)->list();
      ASSERT_EQ(listed->size(), 1u);
      ASSERT_TRUE(listed->front().damage.has_value());
      EXPECT_NE(listed->front().damage->detail.find(head_), std::string::npos);
      EXPECT_NE(listed->front().damage->detail.find(object), std::string::npos);
      EXPECT_FALSE((*repository)->open_backup(key_));
    });
  }
}

TEST_F(Damage, C3_ALostHeadIsToldAndNothingIsCleared) {
  fs::remove(root_ / head_);
  auto repository = open();
  ASSERT_EQ((*repository)->list()->size(), 1u);
  EXPECT_EQ((*repository)->list()->front().damage->code, Errc::corrupt);
  EXPECT_TRUE((*repository)->list()->front().head_damage.has_value());
  EXPECT_OK((*repository)->open_backup(key_));
  ASSERT_EQ(check().size(), 1u);
  EXPECT_EQ(check().front().object, head_);
  fs::remove(root_ / manifest_);
  ASSERT_EQ((*repository)->list()->size(), 1u) << "the copy alone tells that there was a backup";
  EXPECT_EQ((*repository)->list()->front().damage->code, Errc::corrupt);
  EXPECT_FALSE((*repository)->list()->front().head_damage.has_value());
  auto writer = (*repository)->begin_backup("b");
  ASSERT_OK(writer);
  EXPECT_TRUE((*writer)->cleared().backups.empty());
  EXPECT_TRUE(fs::exists(root_ / pack_));
}

TEST_F(Damage, AMissingPackAndOneOfAnotherSizeAreSeenInTheList) {
  auto repository = open();
  const auto whole = read_file(root_ / pack_);
  const auto expect_listed_as = [&](Errc code) {
    const auto listed = (*repository)->list();
    ASSERT_OK(listed);
    ASSERT_EQ(listed->size(), 1u);
    ASSERT_TRUE(listed->front().damage.has_value());
    EXPECT_EQ(listed->front().damage->code, code);
    EXPECT_NE(listed->front().damage->detail.find(pack_), std::string::npos);
    EXPECT_EQ(listed->front().meta_json, backup_.meta_json) << "what is known is told";
  };
  EXPECT_FALSE((*repository)->list()->front().damage.has_value());
  write_file(root_ / pack_, std::span(whole).first(whole.size() - 1));
  expect_listed_as(Errc::truncated);
  auto longer = whole;
  longer.push_back(std::byte{0});
  write_file(root_ / pack_, longer);
  expect_listed_as(Errc::corrupt);
  fs::remove(root_ / pack_);
  expect_listed_as(Errc::not_found);
}

TEST_F(Damage, C1_C2_EveryFlippedByteAndEveryCutOfFormatIsMadeGoodByItsCopyAndFound) {
  for (const std::string object : {"FORMAT", "FORMAT.copy"}) {
    const auto expect_found = [&](std::size_t) {
      const auto repository = open();
      ASSERT_OK(repository);
      const auto& damage = (*repository)->mark_damage();
      EXPECT_EQ(damage.has_value(), object == "FORMAT");
      if (damage) {
        EXPECT_NE(damage->detail.find("FORMAT"), std::string::npos);
      }
      expect_check_names(object);
    };
    for_each_flip(object, expect_found);
    for_each_cut(object, expect_found);
  }
}

TEST_F(Damage, FormatAndItsCopyBothBadAreRefusedAndNamed) {
  const auto expect_refused = [&](std::size_t) {
    const auto repository = open();
    ASSERT_FALSE(repository);
    EXPECT_NE(repository.error().detail.find("FORMAT:"), std::string::npos);
    EXPECT_NE(repository.error().detail.find("FORMAT.copy"), std::string::npos);
  };
  write_file(root_ / "FORMAT.copy", {});
  for_each_flip("FORMAT", expect_refused);
}

TEST_F(Damage, C3_ALostFormatIsReplacedByItsCopyAndIsNotMadeAnew) {
  for (const bool create : {false, true}) {
    fs::remove(root_ / "FORMAT");
    auto repository = Repository::open(
        root_, {.create_if_missing = create, .io = {.decorate = {}}, .on_step = {}});
    ASSERT_OK(repository);
    ASSERT_TRUE((*repository)->mark_damage().has_value());
    EXPECT_EQ((*repository)->mark_damage()->code, Errc::not_found);
    EXPECT_FALSE(fs::exists(root_ / "FORMAT")) << "that is for a person";
    ASSERT_EQ(check().size(), 1u);
    EXPECT_EQ(check().front().object, "FORMAT");
  }
}

}  // namespace
}  // namespace sluice::storage
