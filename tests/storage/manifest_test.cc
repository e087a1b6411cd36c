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
    backup_.packs.push_back(
        {.id = backup_.key.id + "-00000000", .file_bytes = 1000, .digest = xxh3_128({})});
    backup_.chunks.push_back({.stored_bytes = 100, .raw_bytes = 200, .offset = 64});
    backup_.chunks.push_back(
        {.stored_bytes = 50, .raw_bytes = 70, .offset = 228, .raw_offset = 200, .tag = {7, 8, 9}});
    backup_.raw_bytes = 270;
    backup_.stored_bytes = 150;
  }

  std::vector<std::byte> serialize() const {
    std::vector<std::byte> bytes;
    const auto sink = [&](std::span<const std::byte> part) -> Result<void> {
      bytes.insert(bytes.end(), part.begin(), part.end());
      return {};
    };
    EXPECT_OK(write_manifest(backup_, repository, sink));
    return bytes;
  }

  Result<Backup> read(std::span<const std::byte> bytes) const {
    write_file(scratch_.path() / "manifest", bytes);
    const auto directory = open_directory(scratch_.path().string());
    return read_manifest(*directory, "manifest",
                         {.instance = "a", .id = "20231114T221320123Z-deadbeef"}, repository);
  }

  /// Changes the header and makes both its own and the whole checksum right again.
  template <class Change>
  Errc with_header(Change change) const {
    auto bytes = serialize();
    format::ManifestHeader header;
    std::memcpy(&header, bytes.data(), sizeof header);
    change(header);
    header.checksum = xxh3_64(std::as_bytes(std::span(&header, 1)).first(88));
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
  EXPECT_EQ(backup->chunks, backup_.chunks);
  ASSERT_EQ(backup->packs.size(), 1u);
  EXPECT_EQ(backup->packs[0].id, backup_.packs[0].id);
  EXPECT_EQ(backup->packs[0].digest, backup_.packs[0].digest);
}

TEST_F(ManifestFile, TakesNoMemoryForCountsThatTheFileDoesNotHold) {
  EXPECT_EQ(with_header([](auto& h) { h.pack_count = 2; }), Errc::truncated);
  EXPECT_EQ(with_header([](auto& h) { h.chunk_count = 1U << 20; }), Errc::truncated);
  EXPECT_EQ(with_header([](auto& h) { h.chunk_count = UINT64_MAX; }), Errc::limit_exceeded);
  EXPECT_EQ(with_header([](auto& h) { h.chunk_count = UINT64_MAX / 64 + 1; }),
            Errc::limit_exceeded);
  EXPECT_EQ(with_header([](auto& h) { h.meta_bytes = UINT64_MAX; }), Errc::limit_exceeded);
  EXPECT_EQ(with_header([](auto& h) { h.chunk_count = 1; }), Errc::corrupt);
}

TEST_F(ManifestFile, RefusesMorePacksThanChunksAndMoreChunksThanAWriterWrites) {
  EXPECT_EQ(with_header([](auto& h) { h.pack_count = UINT32_MAX; }), Errc::limit_exceeded);
  EXPECT_EQ(with_header([](auto& h) { h.pack_count = 3; }), Errc::limit_exceeded);
  EXPECT_EQ(with_header([](auto& h) { h.chunk_count = 0; }), Errc::limit_exceeded);
  EXPECT_EQ(with_header([](auto& h) { h.chunk_count = format::backup_chunks_max; }),
            Errc::truncated);
  EXPECT_EQ(with_header([](auto& h) { h.chunk_count = format::backup_chunks_max + 1; }),
            Errc::limit_exceeded);
}

TEST_F(ManifestFile, RefusesWhatItDoesNotKnowAndWhatIsOfAnother) {
  EXPECT_EQ(with_header([](auto& h) { h.major = 1; }), Errc::unsupported_format);
  EXPECT_EQ(with_header([](auto& h) { h.minor = 9; }), Errc{});
  EXPECT_EQ(with_header([](auto& h) { h.flags = 1; }), Errc::unsupported_feature);
  EXPECT_EQ(with_header([](auto& h) { h.magic[0] = 'X'; }), Errc::corrupt);
  EXPECT_EQ(with_header([](auto& h) { h.backup_random = 1; }), Errc::corrupt);
  EXPECT_EQ(with_header([](auto& h) { h.repository[0] = std::byte{1}; }), Errc::corrupt);
  for (const std::uint64_t time_ms : {UINT64_MAX, UINT64_MAX / 2, std::uint64_t{253402300800000}})
    EXPECT_EQ(with_header([&](auto& h) { h.backup_time_ms = time_ms; }), Errc::corrupt);
}

TEST_F(ManifestFile, RefusesSumsThatAreNotThoseOfItsChunks) {
  EXPECT_EQ(with_header([](auto& h) { h.raw_bytes = 1; }), Errc::corrupt);
  EXPECT_EQ(with_header([](auto& h) { h.stored_bytes = 1; }), Errc::corrupt);
}

TEST_F(ManifestFile, RefusesAChunkOfNoPack) {
  backup_.chunks[1].pack = 1;
  EXPECT_EQ(verdict(), Errc::corrupt);
}

TEST_F(ManifestFile, RefusesAChunkOutsideItsPack) {
  backup_.chunks[1].offset = 1000 - 64 - 49;
  EXPECT_EQ(verdict(), Errc::corrupt);
  backup_.chunks[1].offset = UINT64_MAX - 10;
  EXPECT_EQ(verdict(), Errc::corrupt);
}

TEST_F(ManifestFile, RefusesAChunkAboveTheLimits) {
  backup_.chunks[1].raw_bytes = format::chunk_raw_bytes_max + 1;
  EXPECT_EQ(verdict(), Errc::limit_exceeded);
}

TEST_F(ManifestFile, RefusesAGapInTheLogicalStream) {
  backup_.chunks[1].raw_offset = 201;
  EXPECT_EQ(verdict(), Errc::corrupt);
}

}  // namespace
}  // namespace sluice::storage
