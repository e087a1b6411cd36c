// The example in docs/repository-format.md is what this program writes, byte for byte.

#include <gtest/gtest.h>

#include <charconv>
#include <fstream>
#include <iterator>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "storage/chunk_codec.h"
#include "storage/identity.h"
#include "storage/manifest.h"
#include "storage/pack_writer.h"
#include "storage/repository_cipher.h"
#include "tests/storage/chain_fixture.h"
#include "tests/storage/scratch.h"

namespace sluice::storage {
namespace {

using format::BlobType;

/// The dumps of the page, in order. A line of one: offset, bytes ("00 x 16": sixteen zeros), two
/// spaces or more and a '|', words.
std::vector<std::vector<std::byte>> dumps_of_page() {
  std::ifstream page(SLUICE_DOCS "/repository-format.md");
  std::vector<std::vector<std::byte>> dumps;
  for (std::string line; std::getline(page, line);) {
    std::size_t offset = 0;
    const auto parsed = std::from_chars(line.data(), line.data() + line.size(), offset, 16);
    const std::size_t bar = line.find('|');
    if (parsed.ptr != line.data() + 4 || bar == std::string::npos) continue;
    if (offset == 0) dumps.emplace_back();
    EXPECT_EQ(dumps.back().size(), offset) << line;
    std::istringstream words(line.substr(4, bar - 4));
    for (std::string word; words >> word;) {
      if (word == "x") {
        std::size_t count = 0;
        words >> count;
        dumps.back().resize(dumps.back().size() + count - 1);
      } else {
        std::byte byte{};
        EXPECT_TRUE(from_hex(word, std::span(&byte, 1))) << line;
        dumps.back().push_back(byte);
      }
    }
  }
  return dumps;
}

class Example : public testing::Test {
 protected:
  explicit Example(bool encrypted = false) {
    std::array<std::byte, 16> id{};
    RepositorySecret secret;
    for (std::size_t i = 0; i < id.size(); ++i) id[i] = static_cast<std::byte>(i);
    for (std::size_t i = 0; i < secret.size(); ++i) secret[i] = static_cast<std::byte>(0xe0 + i);
    keys_ = *derive_keys(secret, id);
    std::copy_n(id.begin(), stamp_.id.size(), stamp_.id.begin());
    if (encrypted) {
      cipher_ = *RepositoryCipher::make(secret, id);
      stamp_.minor = 3;
      stamp_.encrypted = true;
      stamp_.cipher = &*cipher_;
      for (std::size_t i = 0; i < pack_salt_.size(); ++i) pack_salt_[i] = std::byte(0xa0 + i);
      for (std::size_t i = 0; i < manifest_salt_.size(); ++i)
        manifest_salt_[i] = std::byte(0xb0 + i);
    }
    backup_.key = {.instance = "cache", .id = "20261122T111841163Z-38e337c9"};
    write_pack();
    fill_manifest();
  }

  void write_pack() {
    auto queue =
        IoQueue::open({.backend = IoBackend::threads, .decorate = {}}, scratch_.path().string());
    const PackId id{.backup = *parse_backup_id(backup_.key.id), .sequence = 0};
    auto pack = PackWriter::create(**queue, *open_directory(scratch_.path().string()), id, stamp_,
                                   pack_salt_);
    BlobEncoder encoder(keys_);
    const auto base = encoder.encode(BlobType::records, before_, {});
    add(**pack, *base);
    const DeltaBase against{.identity = first_half(base->header.identity), .raw = before_};
    const auto delta =
        encoder.encode_delta(BlobType::records, against, after_, simple_delta(before_, after_), {});
    add(**pack, *delta);
    identity_ = first_half(delta->header.identity);
    EXPECT_OK((*pack)->begin_finish());
    EXPECT_OK((*pack)->finish());
    backup_.packs.push_back((*pack)->ref());
    pack_ = read_file(scratch_.path() / to_string(id));
  }

  void add(PackWriter& pack, const EncodedBlob& blob) {
    format::BlobHeader header = blob.header;
    header.ordinal = static_cast<std::uint32_t>(backup_.blobs.size());
    const auto place = pack.append(header, blob.stored);
    backup_.blobs.push_back({.pack = 0,
                             .stored_bytes = place->stored_bytes,
                             .raw_bytes = place->raw_bytes,
                             .type = place->type,
                             .codec = place->codec,
                             .flags = place->flags,
                             .reserved = 0,
                             .offset = place->offset,
                             .checksum = place->checksum});
    backup_.stored_bytes += place->stored_bytes;
  }

  void fill_manifest() {
    backup_.meta_json = "{}";
    backup_.raw_bytes = after_.size();
    backup_.new_bytes = backup_.stored_bytes;
    backup_.chunks.push_back({.first_blob = 0,
                              .blob_count = 2,
                              .type = static_cast<std::uint8_t>(BlobType::records),
                              .reserved = 0,
                              .raw_bytes = static_cast<std::uint32_t>(after_.size()),
                              .label_bytes = 3,
                              .raw_offset = 0,
                              .identity = identity_,
                              .tag = {1, 2, 3}});
    backup_.labels.append(bytes_of("key"));
    EXPECT_OK(
        write_manifest(backup_, stamp_, manifest_salt_, [this](std::span<const std::byte> part) {
          manifest_.insert(manifest_.end(), part.begin(), part.end());
          return Result<void>();
        }));
  }

  ScratchDirectory scratch_;
  RepositoryKeys keys_;
  RepositoryStamp stamp_{.id = {}, .minor = 2};
  std::optional<RepositoryCipher> cipher_;
  format::PackSalt pack_salt_{};
  format::ManifestSalt manifest_salt_{};
  const Bytes before_ = bytes_of("hello, hello, hello, hello, hello, hello, hello, hello!");
  const Bytes after_ = bytes_of("hello, hello, world, hello, hello, hello, hello, hello!");
  IdentityHalf identity_{};
  Backup backup_;
  Bytes pack_;
  Bytes manifest_;
};

TEST_F(Example, IsWhatThePageSays) {
  const auto dumps = dumps_of_page();
  ASSERT_EQ(dumps.size(), 4u) << "a pack and a manifest, and the same encrypted";
  EXPECT_EQ(to_hex(dumps[0]), to_hex(pack_));
  EXPECT_EQ(to_hex(dumps[1]), to_hex(manifest_));
}

class EncryptedExample : public Example {
 protected:
  EncryptedExample() : Example(true) {}
};

TEST_F(EncryptedExample, IsWhatThePageSays) {
  const auto dumps = dumps_of_page();
  ASSERT_EQ(dumps.size(), 4u);
  EXPECT_EQ(to_hex(dumps[2]), to_hex(pack_));
  EXPECT_EQ(to_hex(dumps[3]), to_hex(manifest_));
}

TEST_F(EncryptedExample, HasTheKeysOfThePage) {
  const PackId pack{.backup = *parse_backup_id(backup_.key.id), .sequence = 0};
  std::ifstream page(SLUICE_DOCS "/repository-format.md");
  const std::string text(std::istreambuf_iterator<char>(page), {});
  const auto says = [&](const SecretKey& key) { return text.contains(to_hex(key)); };
  EXPECT_TRUE(says(*cipher_->pack_key(pack, pack_salt_)))
      << to_hex(*cipher_->pack_key(pack, pack_salt_));
  EXPECT_TRUE(says(*cipher_->manifest_key(pack.backup, manifest_salt_)))
      << to_hex(*cipher_->manifest_key(pack.backup, manifest_salt_));
  EXPECT_TRUE(says(cipher_->head_key())) << to_hex(cipher_->head_key());
}

TEST_F(Example, HasTheKeysOfThePage) {
  std::ifstream page(SLUICE_DOCS "/repository-format.md");
  std::stringstream text;
  text << page.rdbuf();
  for (const std::string& key : {to_hex(keys_.chunk_id), to_hex(keys_.cut)})
    EXPECT_NE(text.str().find(key), std::string::npos) << key;
}

}  // namespace
}  // namespace sluice::storage
