// Of an encrypted repository every stored byte is looked at: nothing of the data is there, and no
// nonce comes twice under one key.

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <unordered_set>

#include "storage/checksum.h"
#include "storage/target_note.h"
#include "tests/storage/encrypted_fixture.h"
#include "tests/storage/faulty_driver.h"

namespace sluice::storage {
namespace {

/// Backups with keys and values that are easily recognised, and everything else that is ever kept.
class EncryptedBytes : public Encrypted {
 protected:
  static Bytes recognisable(std::size_t i, unsigned version) {
    std::string text;
    for (std::size_t n = 0; n < 40; ++n) {
      text += "user:" + std::to_string(1'000'000 + i * 40 + n) + ":session=";
      text += n == 7 ? "VALUE-" + std::to_string(version * 7'777'777) : "the-value-of-it";
    }
    return bytes_of(text);
  }
  static std::vector<Bytes> data(unsigned version) {
    std::vector<Bytes> chunks;
    for (std::size_t i = 0; i < 8; ++i) chunks.push_back(recognisable(i, version));
    chunks.push_back(random_bytes(3000, 77));  // what no codec hides
    return chunks;
  }
  /// Every run of 8 bytes of the data.
  static std::unordered_set<std::uint64_t> runs_of(const std::vector<Bytes>& chunks) {
    std::unordered_set<std::uint64_t> runs;
    for (const Bytes& chunk : chunks) {
      for (std::size_t i = 0; i + 8 <= chunk.size(); ++i)
        runs.insert(struct_at<std::uint64_t>(chunk, i));
    }
    return runs;
  }
  [[nodiscard]] std::vector<std::string> finds(const fs::path& root) const {
    auto runs = runs_of(data(1));
    runs.merge(runs_of(data(2)));
    std::vector<std::string> found;
    for (const auto& file : files_below(root)) {
      const auto bytes = read_file(file);
      for (std::size_t i = 0; i + 8 <= bytes.size(); ++i) {
        if (!runs.contains(struct_at<std::uint64_t>(bytes, i))) continue;
        found.push_back(file.string() + " byte " + std::to_string(i));
        break;
      }
    }
    return found;
  }
  /// Two backups of which the second has deltas, in either kind of compression; a check; a note of
  /// a restore with failures; a backup that was interrupted, as a crash would leave it.
  static void fill(Repository& repository, Compression compression) {
    const auto first = take_by(repository, data(1));
    ASSERT_OK(first);
    const auto second = take_by(repository, data(2), *first);
    ASSERT_OK(second);
    ASSERT_OK(repository.set_checked(*first, "user:1000001:session=the-value-of-it"));
    for (const auto shelf : {name::restores, name::feeds}) {
      auto note = TargetNote::open(*repository.shared_layout(), shelf, "127.0.0.1-6379");
      ASSERT_OK(note);
      ASSERT_OK(note->write("user:1000002:session=the-value-of-it"));
    }
    auto writer = repository.begin_backup("interrupted");
    ASSERT_OK(writer);
    BlobEncoder encoder((*writer)->keys());
    for (unsigned i = 0; i < 3; ++i) {
      for (const Bytes& chunk : data(i + 1)) {
        const auto blob = encoder.encode(format::BlobType::records, chunk, compression);
        ASSERT_OK((*writer)->put(*blob));
      }
    }
  }
};

TEST_F(EncryptedBytes, HoldNoRunOfEightOfTheData) {
  for (const auto codec : {CompressionCodec::lz4, CompressionCodec::none}) {
    fill(*repository_, {.codec = codec});
    if (HasFatalFailure()) return;
  }
  EXPECT_EQ(finds(root_), std::vector<std::string>());
}

TEST_F(EncryptedBytes, AreSoughtInAWayThatFindsThem) {  // the same without encryption
  const auto plain = scratch_.path() / "plain";
  auto opened = Repository::open(plain, {.create_if_missing = true, .io = {}, .on_step = {}});
  ASSERT_OK(opened);
  fill(**opened, {.codec = CompressionCodec::none});
  const auto found = finds(plain);
  const auto holds = [&](std::string_view part) {
    return std::ranges::any_of(
        found, [&](const std::string& place) { return place.find(part) != std::string::npos; });
  };
  for (const auto* part : {"/packs/", "/CHECKED", "/restores/", "/feeds/"})
    EXPECT_TRUE(holds(part)) << part;
}

/// Walks every pack and manifest and notes with which key and which nonce its parts are encrypted.
class NonceAudit {
 public:
  explicit NonceAudit(const RepositoryCipher& cipher) : cipher_(cipher) {}

  void add_pack(const Bytes& pack, const BackupId& backup) {
    const auto header = struct_at<format::PackHeader>(pack, 0);
    const auto key = cipher_.pack_key({.backup = backup, .sequence = header.sequence}, header.salt);
    EXPECT_TRUE(salts_.insert(to_hex(header.salt)).second) << "a salt twice";
    const auto trailer =
        struct_at<format::PackTrailer>(pack, pack.size() - sizeof(format::PackTrailer));
    for (std::size_t at = sizeof header; at < trailer.footer_offset;) {
      add(*key, at, {});
      at += sizeof(format::BlobHeader) + struct_at<format::BlobHeader>(pack, at).stored_bytes;
    }
  }
  /// A twin has the same bytes, and nothing else may have its keys.
  void add_manifest(const Bytes& manifest) {
    const auto header = struct_at<format::ManifestHeader>(manifest, 0);
    const auto key = cipher_.manifest_key(
        {.time_ms = header.backup_time_ms, .random = header.backup_random}, header.salt);
    const std::uint64_t clear =
        sizeof header + header.instance_bytes + header.pack_count * sizeof(format::ManifestPack);
    const std::uint64_t sealed = manifest.size() - clear - sizeof(format::Digest);
    const std::uint64_t segment = format::manifest_segment_bytes + format::tag_bytes;
    for (std::uint64_t i = 0; i * segment < sealed; ++i) add(*key, i, xxh3_128(manifest));
  }
  [[nodiscard]] std::size_t pairs() const { return seen_.size(); }

 private:
  void add(const SecretKey& key, std::uint64_t nonce, const format::Digest& twin) {
    const auto [at, is_new] = seen_.emplace(std::pair(to_hex(key), nonce), twin);
    if (is_new) return;
    EXPECT_NE(twin, format::Digest{}) << "a blob under a key and a nonce that were used";
    EXPECT_EQ(at->second, twin) << "another manifest under the same key";
  }

  const RepositoryCipher& cipher_;
  std::map<std::pair<std::string, std::uint64_t>, format::Digest> seen_;
  std::set<std::string> salts_;
};

class EncryptedNonces : public Encrypted {
 protected:
  explicit EncryptedNonces(std::shared_ptr<Faults> faults = std::make_shared<Faults>())
      : Encrypted({.depth = 4, .block_bytes = 4096, .decorate = inject(faults)}),
        faults_(std::move(faults)) {}
  [[nodiscard]] std::size_t audit() const {
    const auto cipher = repository_->shared_layout()->need_cipher();
    NonceAudit audit(**cipher);
    for (const auto& file : files_below(root_ / "packs"))
      audit.add_pack(read_file(file), parse_pack_id(file.filename().string())->backup);
    for (const auto& file : files_below(root_ / "instances")) {
      if (file.filename().string().starts_with("manifest")) audit.add_manifest(read_file(file));
    }
    return audit.pairs();
  }

  std::shared_ptr<Faults> faults_;
};

TEST_F(EncryptedNonces, DoNotRepeatInManyBackupsNorAfterAFailedSync) {
  std::optional<BackupKey> parent;
  std::size_t blobs = 0;
  for (unsigned i = 0; i < 30; ++i) {
    SCOPED_TRACE(i);
    // The first data sync fails, of the pack; or the third, of a manifest: each is written anew.
    faults_->fail_data_sync = i % 3 == 0 ? 0 : faults_->data_syncs + (i % 3 == 1 ? 1 : 3);
    const auto chunks = changed(some_chunks(20, 900), 2, i);
    const auto key = take(chunks, i % 5 == 0 ? std::nullopt : parent);
    ASSERT_OK(key);
    parent = *key;
    expect_whole(*key, chunks);
    if (HasFatalFailure()) return;
    const auto backup = repository_->open_backup(*key);
    const BackupId own = *parse_backup_id(key->id);
    for (const BlobRef& blob : backup->blobs)
      blobs += backup->packs[blob.pack].id.backup == own ? 1U : 0U;
  }
  EXPECT_EQ(audit(), blobs + 30) << "each blob, and a segment for each manifest and its copy";
}

TEST_F(EncryptedNonces, StayTheSameBytesInAPackThatIsWrittenAnew) {
  const auto chunks = some_chunks(5, 9000);
  faults_->fail_data_sync = faults_->data_syncs + 1;
  auto writer = repository_->begin_backup("a");
  ASSERT_OK(writer);
  for (const Bytes& chunk : chunks) ASSERT_OK((*writer)->append_chunk(chunk, {}));
  const auto done = (*writer)->commit("{}");
  ASSERT_OK(done);
  EXPECT_EQ(done->stats.rewritten_files, 1u);
  EXPECT_EQ(errors_of_check(done->key).size(), 0u);
  EXPECT_EQ(audit(), 6u);
}

}  // namespace
}  // namespace sluice::storage
