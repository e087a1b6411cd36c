// Manifests whose checksums are right and whose contents are not: an attacker can compute XXH3 too.

#include "storage/manifest.h"

#include <gtest/gtest.h>

#include <cstring>

#include "storage/checksum.h"
#include "tests/storage/scratch.h"

namespace sluice::storage {
namespace {

constexpr std::array<std::byte, 8> repository{};

class ManifestFile : public testing::Test {
 protected:
  ManifestFile() {
    backup_.key = {.instance = "a", .id = "20231114T221320123Z-deadbeef"};
    backup_.meta_json = "{}";
    const BackupId own = *parse_backup_id(backup_.key.id);
    const BackupId parent{.time_ms = own.time_ms - 5, .random = 7};
    backup_.parent = parent;
    for (const BackupId& id : {own, parent}) {
      backup_.packs.push_back({.id = {.backup = id, .sequence = 0},
                               .file_bytes = 1000,
                               .digest = xxh3_128(std::as_bytes(std::span(&id.random, 1)))});
    }
    backup_.blobs = {{.pack = 0, .stored_bytes = 100, .raw_bytes = 200, .type = 2, .offset = 64},
                     {.pack = 1, .stored_bytes = 50, .raw_bytes = 70, .type = 3, .offset = 228},
                     {.pack = 0,
                      .stored_bytes = 30,
                      .raw_bytes = 60,
                      .type = 3,
                      .flags = format::blob_flag_delta,
                      .offset = 228}};
    backup_.chunks = {{.first_blob = 0, .blob_count = 1, .type = 2, .raw_bytes = 200},
                      {.first_blob = 1,
                       .blob_count = 2,
                       .type = 3,
                       .raw_bytes = 75,
                       .label_bytes = 3,
                       .raw_offset = 200,
                       .tag = {7, 8, 9}}};
    backup_.labels.append({});
    backup_.labels.append(bytes_of("abc"));
    backup_.raw_bytes = 275;
    backup_.stored_bytes = 180;
    backup_.new_bytes = 130;
  }

  std::vector<std::byte> serialize() const {
    std::vector<std::byte> bytes;
    const auto sink = [&](std::span<const std::byte> part) -> Result<void> {
      bytes.insert(bytes.end(), part.begin(), part.end());
      return {};
    };
    EXPECT_OK(write_manifest(backup_, {.id = repository}, {}, sink));
    return bytes;
  }

  Result<Backup> read(std::span<const std::byte> bytes) const {
    write_file(scratch_.path() / "manifest", bytes);
    const auto directory = open_directory(scratch_.path().string());
    return read_manifest(*directory, "manifest",
                         {.instance = "a", .id = "20231114T221320123Z-deadbeef"},
                         {.id = repository});
  }

  /// Changes the header and makes both its own and the whole checksum right again.
  template <class Change>
  Errc with_header(Change change) const {
    auto bytes = serialize();
    format::ManifestHeader header;
    std::memcpy(&header, bytes.data(), sizeof header);
    change(header);
    header.checksum = xxh3_64(std::as_bytes(std::span(&header, 1)).first(120));
    std::memcpy(bytes.data(), &header, sizeof header);
    const auto digest = xxh3_128(std::span(bytes).first(bytes.size() - 16));
    std::memcpy(bytes.data() + bytes.size() - 16, digest.data(), 16);
    const auto result = read(bytes);
    return result ? Errc{} : static_cast<Errc>(result.error().code.value());
  }

  Errc verdict() const {
    const auto result = read(serialize());
    return result ? Errc{} : static_cast<Errc>(result.error().code.value());
  }

  ScratchDirectory scratch_;
  Backup backup_;
};

TEST_F(ManifestFile, ReadsBackWhatWasWritten) {
  const auto backup = read(serialize());
  ASSERT_OK(backup);
  EXPECT_EQ(backup->key, backup_.key);
  EXPECT_EQ(backup->meta_json, "{}");
  EXPECT_EQ(backup->parent, backup_.parent);
  EXPECT_EQ(backup->blobs, backup_.blobs);
  EXPECT_EQ(backup->chunks, backup_.chunks);
  EXPECT_EQ(backup->new_bytes, 130u);
  ASSERT_EQ(backup->labels.size(), 2u);
  EXPECT_TRUE(backup->label(0).empty());
  EXPECT_TRUE(std::ranges::equal(backup->label(1), bytes_of("abc")));
  EXPECT_EQ(backup->blobs_of(1).size(), 2u);
  ASSERT_EQ(backup->packs.size(), 2u);
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(backup->packs[i].id, backup_.packs[i].id);
    EXPECT_EQ(backup->packs[i].digest, backup_.packs[i].digest);
  }
}

TEST_F(ManifestFile, GivesItsPacksAlone) {
  auto bytes = serialize();
  const auto read_packs = [&] {
    write_file(scratch_.path() / "manifest", bytes);
    const auto directory = open_directory(scratch_.path().string());
    return read_manifest_packs(*directory, "manifest", backup_.key, {.id = repository});
  };
  const auto packs = read_packs();
  ASSERT_OK(packs);
  ASSERT_EQ(packs->packs.size(), 2u);
  EXPECT_EQ(packs->packs[1].id, backup_.packs[1].id);
  EXPECT_TRUE(std::ranges::equal(packs->manifest_digest, std::span(bytes).last(16)));
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    bytes[i] ^= std::byte{4};
    EXPECT_FALSE(read_packs()) << i;
    bytes[i] ^= std::byte{4};
  }
}

TEST_F(ManifestFile, TakesNoMemoryForCountsThatTheFileDoesNotHold) {
  EXPECT_EQ(with_header([](auto& h) { h.pack_count = 3; }), Errc::truncated);
  EXPECT_EQ(with_header([](auto& h) { h.chunk_count = 1U << 20; }), Errc::truncated);
  EXPECT_EQ(with_header([](auto& h) { h.chunk_count = UINT64_MAX; }), Errc::limit_exceeded);
  EXPECT_EQ(with_header([](auto& h) { h.chunk_count = UINT64_MAX / 64 + 1; }),
            Errc::limit_exceeded);
  EXPECT_EQ(with_header([](auto& h) { h.meta_bytes = UINT64_MAX; }), Errc::limit_exceeded);
  EXPECT_EQ(with_header([](auto& h) { h.chunk_count = 1; }), Errc::corrupt);
}

TEST_F(ManifestFile, RefusesMoreThanAWriterWrites) {
  EXPECT_EQ(with_header([](auto& h) { h.pack_count = UINT32_MAX; }), Errc::limit_exceeded);
  EXPECT_EQ(with_header([](auto& h) { h.chunk_count = 0; }), Errc::limit_exceeded);
  EXPECT_EQ(with_header([](auto& h) { h.chunk_count = format::backup_chunks_max; }),
            Errc::truncated);
  EXPECT_EQ(with_header([](auto& h) { h.chunk_count = format::backup_chunks_max + 1; }),
            Errc::limit_exceeded);
  EXPECT_EQ(with_header([](auto& h) { h.blob_count = 16; }), Errc::truncated);
  EXPECT_EQ(with_header([](auto& h) { h.blob_count = 17; }), Errc::limit_exceeded)
      << "more than eight a chunk";
  EXPECT_EQ(with_header([](auto& h) { h.blob_count = UINT64_MAX; }), Errc::limit_exceeded);
  EXPECT_EQ(with_header([](auto& h) { h.label_bytes = UINT64_MAX; }), Errc::limit_exceeded);
  EXPECT_EQ(with_header([](auto& h) { h.label_bytes = format::labels_bytes_max; }),
            Errc::truncated);
}

TEST_F(ManifestFile, RefusesWhatItDoesNotKnowAndWhatIsOfAnother) {
  EXPECT_EQ(with_header([](auto& h) { h.major = 1; }), Errc::unsupported_format);
  EXPECT_EQ(with_header([](auto& h) { h.minor = 1; }), Errc::unsupported_format);
  EXPECT_EQ(with_header([](auto& h) { h.minor = 9; }), Errc{});
  EXPECT_EQ(with_header([](auto& h) { h.flags = 1; }), Errc::unsupported_feature);
  EXPECT_EQ(with_header([](auto& h) { h.magic[0] = 'X'; }), Errc::corrupt);
  EXPECT_EQ(with_header([](auto& h) { h.backup_random = 1; }), Errc::corrupt);
  EXPECT_EQ(with_header([](auto& h) { h.repository[0] = std::byte{1}; }), Errc::corrupt);
  for (const std::uint64_t time_ms : {UINT64_MAX, UINT64_MAX / 2, std::uint64_t{253402300800000}})
    EXPECT_EQ(with_header([&](auto& h) { h.backup_time_ms = time_ms; }), Errc::corrupt);
}

TEST_F(ManifestFile, RefusesSumsThatAreNotThoseOfItsTables) {
  EXPECT_EQ(with_header([](auto& h) { h.raw_bytes = 1; }), Errc::corrupt);
  EXPECT_EQ(with_header([](auto& h) { h.stored_bytes = 1; }), Errc::corrupt);
  EXPECT_EQ(with_header([](auto& h) { h.new_bytes = 180; }), Errc::corrupt);
  backup_.chunks[0].label_bytes = 1;
  EXPECT_EQ(verdict(), Errc::corrupt) << "labels";
}

TEST_F(ManifestFile, RefusesABlobOfNoPack) {
  backup_.blobs[1].pack = 2;
  EXPECT_EQ(verdict(), Errc::corrupt);
}

TEST_F(ManifestFile, RefusesABlobOutsideItsPack) {
  backup_.blobs[1].offset = 1000 - 64 - 49;
  EXPECT_EQ(verdict(), Errc::corrupt);
  backup_.blobs[1].offset = UINT64_MAX - 10;
  EXPECT_EQ(verdict(), Errc::corrupt);
}

TEST_F(ManifestFile, RefusesABlobThatItDoesNotKnow) {
  const auto with_blob = [&](auto change) {
    const auto whole = backup_.blobs;
    change(backup_.blobs[0]);
    const Errc found = verdict();
    backup_.blobs = whole;
    return found;
  };
  EXPECT_EQ(with_blob([](auto& b) { b.type = 0; }), Errc::unsupported_feature);
  EXPECT_EQ(with_blob([](auto& b) { b.type = 5; }), Errc::unsupported_feature);
  EXPECT_EQ(with_blob([](auto& b) { b.codec = 3; }), Errc::unsupported_feature);
  EXPECT_EQ(with_blob([](auto& b) { b.flags = 1; }), Errc::corrupt) << "encrypted, alone";
  EXPECT_EQ(with_blob([](auto& b) { b.flags = 4; }), Errc::unsupported_feature);
  EXPECT_EQ(with_blob([](auto& b) { b.raw_bytes = format::chunk_raw_bytes_max + 1; }),
            Errc::limit_exceeded);
  EXPECT_EQ(with_blob([](auto& b) { b.stored_bytes = UINT32_MAX; }), Errc::limit_exceeded);
}

TEST_F(ManifestFile, RefusesBlobsThatAreNoChain) {
  const auto with = [&](auto change) {
    const Backup whole = backup_;
    change(backup_);
    const Errc found = verdict();
    backup_ = whole;
    return found;
  };
  const auto delta = format::blob_flag_delta;
  EXPECT_EQ(with([&](auto& b) { b.blobs[0].flags = delta; }), Errc::corrupt) << "no base";
  EXPECT_EQ(with([&](auto& b) { b.blobs[2].flags = 0; }), Errc::corrupt) << "two bases";
  EXPECT_EQ(with([&](auto& b) { b.blobs[2].type = 2; }), Errc::corrupt) << "of two types";
  EXPECT_EQ(with([&](auto& b) { b.chunks[1].type = 2; }), Errc::corrupt);
  EXPECT_EQ(with([&](auto& b) { b.chunks[0].raw_bytes = 199; }), Errc::corrupt);
  EXPECT_EQ(with([&](auto& b) { b.chunks[1].first_blob = 0; }), Errc::corrupt);
  EXPECT_EQ(with([&](auto& b) { b.chunks[1].blob_count = 1; }), Errc::corrupt);
  EXPECT_EQ(with([&](auto& b) { b.chunks[1].blob_count = 3; }), Errc::corrupt);
  EXPECT_EQ(with([&](auto& b) { b.chunks[1].blob_count = 0; }), Errc::limit_exceeded);
  EXPECT_EQ(with([&](auto& b) { b.chunks[1].blob_count = 9; }), Errc::limit_exceeded);
}

TEST_F(ManifestFile, RefusesAChunkAboveTheLimits) {
  backup_.chunks[1].raw_bytes = format::chunk_raw_bytes_max + 1;
  EXPECT_EQ(verdict(), Errc::limit_exceeded);
  backup_.chunks[1].raw_bytes = 75;
  backup_.chunks[1].label_bytes = format::label_bytes_max + 1;
  EXPECT_EQ(verdict(), Errc::limit_exceeded);
}

TEST_F(ManifestFile, RefusesAGapInTheLogicalStream) {
  backup_.chunks[1].raw_offset = 201;
  EXPECT_EQ(verdict(), Errc::corrupt);
}

}  // namespace
}  // namespace sluice::storage
