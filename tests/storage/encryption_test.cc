// An encrypted repository gives back what was put in, and takes nothing for what it is not.

#include <gtest/gtest.h>

#include "storage/checksum.h"
#include "storage/head.h"
#include "storage/manifest.h"
#include "storage/sealed_text.h"
#include "storage/target_note.h"
#include "tests/storage/encrypted_fixture.h"

namespace sluice::storage {
namespace {

TEST_F(Encrypted, GivesBackWhatWasPutIn) {
  auto chunks = some_chunks(12, 30'000);
  chunks.push_back(random_bytes(format::chunk_raw_bytes_max, 5));  // as is, of the largest size
  chunks.emplace_back();
  const auto first = take(chunks);
  ASSERT_OK(first);
  const auto second_chunks = changed({chunks.begin(), chunks.begin() + 12}, 1, 7);
  const auto second = take(second_chunks, *first);
  ASSERT_OK(second);
  repository_ = open();
  expect_whole(*first, chunks);
  expect_whole(*second, second_chunks);
  const auto backup = repository_->open_backup(*second);
  for (const BlobRef& blob : backup->blobs)
    EXPECT_TRUE((blob.flags & format::blob_flag_encrypted) != 0);
  EXPECT_EQ(backup->meta_json, "{}");
}

TEST_F(Encrypted, IsCheckedAsFarAsThatNeedsNoKey) {
  const auto key = take(some_chunks(4, 9000));
  ASSERT_OK(key);
  ASSERT_OK(repository_->set_checked(*key, "good"));
  const auto locked = open_locked();
  const auto listed = locked->list();
  ASSERT_OK(listed);
  ASSERT_EQ(listed->size(), 1u);
  EXPECT_FALSE(listed->front().damage);
  EXPECT_EQ(listed->front().packs, 1u);
  const auto backup = locked->open_backup(*key);
  ASSERT_OK(backup);
  EXPECT_TRUE(backup->chunks.empty());
  std::vector<Error> errors;
  const auto tell = [&](const Problem& problem) { errors.push_back(problem.error); };
  const auto stored = locked->check_backup(*backup, tell, {.level = CheckLevel::stored});
  ASSERT_OK(stored);
  EXPECT_EQ(stored->bytes, fs::file_size(pack_of(*key)));
  EXPECT_TRUE(errors.empty()) << to_string(errors.front());

  EXPECT_EQ(locked->check_backup(*backup, tell).error().code, Errc::key_needed);
  EXPECT_EQ(locked->begin_backup("a").error().code, Errc::key_needed);
  EXPECT_EQ(locked->checked(*key).error().code, Errc::key_needed);
  EXPECT_EQ(locked->set_checked(*key, "bad").error().code, Errc::key_needed);
  EXPECT_EQ(*repository_->checked(*key), "good");

  auto pack = read_file(pack_of(*key));
  pack[200] ^= std::byte{1};
  write_file(pack_of(*key), pack);
  EXPECT_OK(locked->check_backup(*backup, tell, {.level = CheckLevel::stored}));
  ASSERT_EQ(errors.size(), 1u);
  EXPECT_NAMES(errors.front(), Errc::checksum_mismatch, pack_of(*key).filename().string());
  EXPECT_OK(locked->remove_backup(*key));
  EXPECT_TRUE(files_below(root_ / "packs").empty());
}

TEST_F(Encrypted, FindsFlippedBitsAllOverAPackAndManifest) {
  const auto key = take({bytes_of("a chunk"), bytes_of("another")});
  ASSERT_OK(key);
  const auto backup = repository_->open_backup(*key);
  ASSERT_OK(backup);
  for (const auto& file : {pack_of(*key), folder(*key) / "manifest", folder(*key) / "HEAD"}) {
    const auto whole = read_file(file);
    for (std::size_t i = 0; i < whole.size(); i += 3) {
      auto bytes = whole;
      bytes[i] ^= static_cast<std::byte>(1U << i % 8);
      write_file(file, bytes);
      std::size_t problems = 0;
      EXPECT_OK(repository_->check_backup(*backup, [&](const Problem& problem) {
        ++problems;
        EXPECT_NE(problem.error.detail.find(file.filename().string()), std::string::npos)
            << to_string(problem.error);
      }));
      EXPECT_GT(problems, 0u) << file << " byte " << i;
    }
    write_file(file, whole);
  }
}

TEST_F(Encrypted, ReadsAPackWhoseHeaderIsDamaged) {
  const auto chunks = some_chunks(3, 9000);
  const auto key = take(chunks);
  ASSERT_OK(key);
  auto pack = read_file(pack_of(*key));
  pack[45] ^= std::byte{1};  // the salt
  write_file(pack_of(*key), pack);
  const auto backup = repository_->open_backup(*key);
  auto reader = ChunkReader::open(*repository_, *backup);
  for (const Bytes& expected : chunks) {
    const auto chunk = (*reader)->next();
    ASSERT_OK(chunk);
    EXPECT_TRUE(std::ranges::equal((*chunk)->raw, expected));
  }
  const auto errors = errors_of_check(*key);
  ASSERT_EQ(errors.size(), 1u);
  EXPECT_NAMES(errors.front(), Errc::checksum_mismatch, "pack header");
}

TEST_F(Encrypted, RefusesSwappedBlobsOfAPack) {
  const auto key = take({random_bytes(5000, 1), random_bytes(5000, 2)});
  ASSERT_OK(key);
  auto pack = read_file(pack_of(*key));
  const std::size_t size = sizeof(format::BlobHeader) + 5000 + format::tag_bytes;
  std::swap_ranges(pack.begin() + 64, pack.begin() + 64 + static_cast<std::ptrdiff_t>(size),
                   pack.begin() + 64 + static_cast<std::ptrdiff_t>(size));
  write_file(pack_of(*key), pack);
  EXPECT_NAMES(error_of_first_chunk(*key), Errc::corrupt, "chunk 0 at byte 64");
  const auto errors = errors_of_check(*key);
  ASSERT_FALSE(errors.empty());
  EXPECT_NAMES(errors.front(), Errc::corrupt,
               pack_of(*key).filename().string() + ": chunk 0 at byte 64");
}

TEST_F(Encrypted, RefusesSwappedPacks) {
  const auto one = take({random_bytes(5000, 1)});
  const auto two = take({random_bytes(5000, 2)});
  ASSERT_OK(two);
  const auto first = read_file(pack_of(*one));
  const auto second = read_file(pack_of(*two));
  ASSERT_EQ(first.size(), second.size());
  write_file(pack_of(*one), second);
  write_file(pack_of(*two), first);
  EXPECT_NAMES(error_of_first_chunk(*one), Errc::not_authentic, "pack " + one->id);
  const auto errors = errors_of_check(*one);
  ASSERT_FALSE(errors.empty());
  EXPECT_NAMES(errors.front(), Errc::corrupt, pack_of(*one).filename().string());
  auto forged = second;
  claim(forged, *one);
  write_file(pack_of(*one), forged);
  bool named = false;
  for (const Error& error : errors_of_check(*one))
    named = named || error.detail.find(pack_of(*one).filename().string()) != std::string::npos;
  EXPECT_TRUE(named);
}

/// Puts `pack` in place and makes the manifest's table of packs and blobs irrelevant: even who
/// could change all that is said of a blob in clear cannot have it opened elsewhere.
TEST_F(Encrypted, OpensNoBlobOfAnotherPackWhateverIsSaidOfIt) {
  const auto one = take({random_bytes(5000, 1)});
  const auto two = take({random_bytes(5000, 2)});
  ASSERT_OK(two);
  auto forged = read_file(pack_of(*two));
  claim(forged, *one);
  write_file(pack_of(*one), forged);
  auto backup = *repository_->open_backup(*one);
  const auto other = *repository_->open_backup(*two);
  backup.blobs = other.blobs;
  backup.chunks = other.chunks;
  auto reader = ChunkReader::open(*repository_, backup);
  const auto chunk = (*reader)->next();
  ASSERT_FALSE(chunk);
  EXPECT_NAMES(chunk.error(), Errc::not_authentic, "pack " + one->id + "-00000000: chunk 0");
}

TEST_F(Encrypted, RefusesAPackOfACloneOfTheRepository) {
  const auto chunks = std::vector<Bytes>{random_bytes(5000, 1)};
  const auto here = take(chunks);
  ASSERT_OK(here);
  const auto clone = scratch_.path() / "clone";
  fs::copy(root_, clone, fs::copy_options::recursive);
  auto opened = Repository::open(clone, {.key = key_of("passphrase"), .io = {}, .on_step = {}});
  ASSERT_OK(opened);
  const auto there = take_by(**opened, chunks);
  ASSERT_OK(there);
  const PackId id{.backup = *parse_backup_id(there->id), .sequence = 0};
  auto pack = read_file(clone / Repository::pack_name(id));
  ASSERT_EQ(pack.size(), fs::file_size(pack_of(*here)));
  claim(pack, *here);
  write_file(pack_of(*here), pack);
  EXPECT_NAMES(error_of_first_chunk(*here), Errc::corrupt, "pack " + here->id);
  const auto errors = errors_of_check(*here);
  ASSERT_FALSE(errors.empty());
  for (const Error& error : errors)
    EXPECT_NE(error.detail.find(pack_of(*here).filename().string()), std::string::npos);
}

TEST_F(Encrypted, RefusesABlobThatIsNotEncrypted) {
  const auto key = take({random_bytes(5000, 1)});
  ASSERT_OK(key);
  auto pack = read_file(pack_of(*key));
  auto header = struct_at<format::BlobHeader>(pack, 64);
  header.flags = 0;
  header.header_checksum = checksum_of(header);
  put_at(pack, 64, header);
  write_file(pack_of(*key), pack);
  EXPECT_NAMES(error_of_first_chunk(*key), Errc::corrupt, "pack " + key->id);
  auto backup = *repository_->open_backup(*key);
  for (BlobRef& blob : backup.blobs) blob.flags = 0;
  auto reader = ChunkReader::open(*repository_, backup);
  EXPECT_NAMES((*reader)->next().error(), Errc::not_authentic, "pack " + key->id);
}

class EncryptedPapers : public Encrypted {
 protected:
  EncryptedPapers() {
    one_ = *take(some_chunks(2, 5000));
    two_ = *take(some_chunks(3, 5000));
  }
  void put_both(const Bytes& manifest) const {
    for (const auto* name : {"manifest", "manifest.copy"})
      write_file(folder(one_) / name, manifest);
  }

  BackupKey one_;
  BackupKey two_;
};

TEST_F(EncryptedPapers, RefuseTheManifestOfAnotherBackup) {
  const auto other = read_file(folder(two_) / "manifest");
  put_both(other);
  const auto opened = repository_->open_backup(one_);
  ASSERT_FALSE(opened);
  EXPECT_NAMES(opened.error(), Errc::corrupt, "of backup a/" + two_.id);
  EXPECT_NAMES(opened.error(), Errc::corrupt, (folder(one_) / "manifest").string());

  auto forged = other;  // and now it says that it is the one
  auto header = struct_at<format::ManifestHeader>(forged, 0);
  const BackupId id = *parse_backup_id(one_.id);
  header.backup_time_ms = id.time_ms;
  header.backup_random = id.random;
  header.checksum = xxh3_64(std::as_bytes(std::span(&header, 1)).first(120));
  put_at(forged, 0, header);
  const auto digest = xxh3_128(std::span(forged).first(forged.size() - 16));
  put_at(forged, forged.size() - 16, digest);
  put_both(forged);
  const auto again = repository_->open_backup(one_);
  ASSERT_FALSE(again);
  EXPECT_NAMES(again.error(), Errc::not_authentic, (folder(one_) / "manifest").string());
}

TEST_F(EncryptedPapers, RefuseAChangeOfWhatStandsInClear) {
  auto forged = read_file(folder(one_) / "manifest");
  forged[128 + 1 + 16] ^= std::byte{1};  // the size of its pack
  const auto digest = xxh3_128(std::span(forged).first(forged.size() - 16));
  put_at(forged, forged.size() - 16, digest);
  put_both(forged);
  const auto layout = repository_->shared_layout();
  const auto directory = layout->backup(one_);
  EXPECT_NAMES(read_manifest_packs(*directory, "manifest", one_, layout->stamp()).error(),
               Errc::not_authentic, (folder(one_) / "manifest").string());
  EXPECT_NAMES(repository_->open_backup(one_).error(), Errc::not_authentic,
               (folder(one_) / "manifest").string());
}

TEST_F(EncryptedPapers, RefuseTheHeadOfAnotherBackup) {
  write_file(folder(one_) / "HEAD", read_file(folder(two_) / "HEAD"));
  EXPECT_NAMES(repository_->open_backup(one_).error(), Errc::not_authentic,
               (folder(one_) / "HEAD").string() + ": of backup a/" + two_.id);
}

TEST_F(EncryptedPapers, RefuseAHeadThatSomebodyEdited) {
  const auto sealed = text_of(read_file(folder(one_) / "HEAD"));
  std::string text(*unseal(sealed, "HEAD"));
  const auto at = text.find("\"generation\":2");
  ASSERT_NE(at, std::string::npos);
  text[at + 13] = '3';
  const std::string edited = seal(text);
  write_file(folder(one_) / "HEAD", std::as_bytes(std::span(edited)));
  EXPECT_NAMES(repository_->open_backup(one_).error(), Errc::not_authentic,
               (folder(one_) / "HEAD").string());
  const std::string bare = seal(text.substr(0, text.find('\n')));  // without a MAC
  write_file(folder(one_) / "HEAD", std::as_bytes(std::span(bare)));
  EXPECT_NAMES(repository_->open_backup(one_).error(), Errc::not_authentic,
               (folder(one_) / "HEAD").string());
  const auto listed = repository_->list();
  ASSERT_OK(listed);
  EXPECT_TRUE(listed->front().damage) << "and it is listed as damaged";
}

TEST_F(EncryptedPapers, RefuseAnOlderHead) {
  Bytes older;
  const auto on_step = [&](std::string_view step) {
    if (step != "before_commit") return;
    for (const auto& file : files_below(root_ / "instances" / "b")) {
      if (file.filename() == "HEAD") older = read_file(file);
    }
  };
  const auto key = take_by(*open(on_step), some_chunks(1, 100), {}, "b");
  ASSERT_OK(key);
  ASSERT_FALSE(older.empty());
  write_file(folder(*key) / "HEAD", older);
  EXPECT_NAMES(repository_->open_backup(*key).error(), Errc::not_found,
               "backup b/" + key->id + ", whose HEAD says that it is not committed");
}

TEST_F(EncryptedPapers, KeepNotesToTheirPlace) {
  const Layout& layout = *repository_->shared_layout();
  {
    auto note = TargetNote::open(layout, name::restores, "one");
    ASSERT_OK(note);
    ASSERT_OK(note->write(R"({"failures":["user:1"]})"));
    EXPECT_EQ(**note->read(), R"({"failures":["user:1"]})");
  }
  fs::copy_file(root_ / "restores" / "one", root_ / "restores" / "two");
  EXPECT_NAMES(read_target_note(layout, name::restores, "two").error(), Errc::not_authentic,
               "restores/two");
}

}  // namespace
}  // namespace sluice::storage
