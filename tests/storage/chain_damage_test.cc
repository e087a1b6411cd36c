// Damage and forgery in packs that several backups share: what depends on it is named, and no more.

#include <gtest/gtest.h>

#include <cstring>

#include "storage/checksum.h"
#include "storage/chunk_reader.h"
#include "storage/pack_writer.h"
#include "storage/repository.h"
#include "tests/storage/chain_fixture.h"
#include "tests/storage/scratch.h"

namespace sluice::storage {
namespace {

namespace fs = std::filesystem;

/// Flips every byte of every pack of a chain of three backups, and reads the newest.
class DamagedChain : public Chains {
 protected:
  DamagedChain()
      : Chains({.backend = IoBackend::threads, .depth = 2, .block_bytes = 4096, .decorate = {}}) {
    auto state = some_chunks(4, 300);
    auto key = take(state);
    for (unsigned i = 1; i < 3; ++i) {
      state = changed(std::move(state), 2, i);  // chunks 0 and 2
      key = take(state, *key);
    }
    chunks_ = state;
    backup_ = *repository_->open_backup(*key);
  }

  [[nodiscard]] std::string pack_file(std::uint32_t pack) const {
    const PackId& id = backup_.packs[pack].id;
    return "packs/" + shard_name(shard_of(id)) + "/" + to_string(id);
  }

  /// Chunks that use a blob in which that byte lies.
  [[nodiscard]] std::vector<std::uint32_t> hit_by(std::uint32_t pack, std::size_t at) const {
    std::vector<std::uint32_t> hit;
    for (std::uint32_t i = 0; i < backup_.chunks.size(); ++i) {
      for (const BlobRef& blob : backup_.blobs_of(i)) {
        if (blob.pack == pack && at >= blob.offset && at < blob.offset + 64 + blob.stored_bytes)
          hit.push_back(i);
      }
    }
    return hit;
  }

  std::vector<Problem> check(CheckLevel level, unsigned threads) const {
    std::vector<Problem> problems;
    const auto stats = repository_->check_backup(
        backup_, [&](const Problem& problem) { problems.push_back(problem); },
        {.level = level, .threads = threads});
    EXPECT_OK(stats);
    EXPECT_EQ(stats->problems, problems.size());
    return problems;
  }

  std::vector<Bytes> chunks_;
  Backup backup_;
};

TEST_F(DamagedChain, C1_EveryFlippedByteCostsTheChunksThatNeedItAndNoOther) {
  ASSERT_EQ(backup_.packs.size(), 3u);
  for (std::uint32_t pack = 0; pack < 3; ++pack) {
    const fs::path file = root_ / pack_file(pack);
    const auto whole = read_file(file);
    for (std::size_t at = 0; at < whole.size(); ++at) {
      SCOPED_TRACE(pack_file(pack) + " byte " + std::to_string(at));
      auto bad = whole;
      bad[at] ^= static_cast<std::byte>(1U << (at % 8));
      write_file(file, bad);
      const auto hit = hit_by(pack, at);
      auto reader = ChunkReader::open(*repository_, backup_);
      for (std::uint32_t i = 0; i < chunks_.size(); ++i) {
        const bool lost = std::ranges::find(hit, i) != hit.end();
        const auto chunk = (*reader)->next();
        ASSERT_EQ(chunk.has_value(), !lost) << i;
        if (lost) {
          EXPECT_TRUE(chunk.error().detail.contains("chunk " + std::to_string(i) + " at byte"));
          EXPECT_TRUE(chunk.error().detail.contains(to_string(backup_.packs[pack].id)));
        } else {
          EXPECT_TRUE(std::ranges::equal((*chunk)->raw, chunks_[i]));
        }
        ASSERT_EQ((*reader)->read(i).has_value(), !lost);
      }
      for (const CheckLevel level : {CheckLevel::stored, CheckLevel::decoded}) {
        if (level == CheckLevel::decoded && at % 5 != 0) continue;  // for the time that it takes
        const auto problems = check(level, 1 + at % 2);
        ASSERT_FALSE(problems.empty());
        std::vector<std::uint32_t> lost;
        for (const Problem& problem : problems) {
          EXPECT_EQ(problem.object, pack_file(pack)) << problem.error.detail;
          lost.insert(lost.end(), problem.chunks.begin(), problem.chunks.end());
        }
        EXPECT_EQ(lost, hit) << "each is told of once";
      }
    }
    write_file(file, whole);
  }
  EXPECT_TRUE(check(CheckLevel::decoded, 3).empty());
}

TEST_F(DamagedChain, C3_AMissingPackOfAnotherBackupIsToldWithAllThatDependsOnIt) {
  const PackId oldest = std::ranges::min(backup_.packs, {}, &PackRef::id).id;
  fs::remove(root_ / ("packs/" + shard_name(shard_of(oldest)) + "/" + to_string(oldest)));
  const auto problems = check(CheckLevel::decoded, 2);
  ASSERT_EQ(problems.size(), 1u);
  EXPECT_EQ(problems[0].error.code, Errc::not_found);
  EXPECT_EQ(problems[0].chunks, (std::vector<std::uint32_t>{0, 1, 2, 3}));
  EXPECT_TRUE(repository_->list()->back().damage.has_value());
}

/// Rewrites a pack with `change` made to the header and the bytes of one blob, every checksum of
/// the pack and of the manifest made right again: what an attacker without the secret can do.
class ForgedChain : public DamagedChain {
 protected:
  template <class Change>
  void forge(std::uint32_t chunk, std::size_t link, Change change) {
    BlobRef& ref = backup_.blobs[backup_.chunks[chunk].first_blob + link];
    const fs::path file = root_ / pack_file(ref.pack);
    auto bytes = read_file(file);
    format::BlobHeader header;
    std::memcpy(&header, bytes.data() + ref.offset, sizeof header);
    const auto stored = std::span(bytes).subspan(ref.offset + 64, ref.stored_bytes);
    change(header, stored);
    header.checksum = xxh3_64(stored);
    header.header_checksum = checksum_of(header);
    std::memcpy(bytes.data() + ref.offset, &header, sizeof header);
    ref.checksum = header.checksum;
    ref.type = header.type;
    seal_pack(bytes, ref.pack);
    write_file(file, bytes);
  }

  void seal_pack(std::vector<std::byte>& bytes, std::uint32_t pack) {
    format::PackTrailer trailer;
    std::memcpy(&trailer, bytes.data() + bytes.size() - 32, 32);
    std::size_t at = trailer.footer_offset + 8;
    for (; at + 8 < bytes.size() - 32; at += 64) {
      format::FooterEntry entry;
      std::memcpy(&entry, bytes.data() + at, 64);
      format::BlobHeader header;
      std::memcpy(&header, bytes.data() + entry.offset, 64);
      entry = footer_entry(header, entry.offset);
      std::memcpy(bytes.data() + at, &entry, 64);
    }
    const std::uint64_t checksum =
        xxh3_64(std::span(bytes).subspan(trailer.footer_offset, at - trailer.footer_offset));
    std::memcpy(bytes.data() + at, &checksum, 8);
    const auto digest = xxh3_128(std::span(bytes).first(bytes.size() - 16));
    std::memcpy(bytes.data() + bytes.size() - 16, digest.data(), 16);
    backup_.packs[pack].digest = digest;
  }

  void expect_only(std::uint32_t chunk, Errc code, std::string_view what, bool reader_sees = true) {
    auto reader = ChunkReader::open(*repository_, backup_);
    const auto read = (*reader)->read(chunk);
    EXPECT_EQ(read.has_value(), !reader_sees);
    if (reader_sees) {
      EXPECT_TRUE(read.error().detail.contains(what)) << read.error().detail;
    }
    const auto problems = check(CheckLevel::decoded, 2);
    ASSERT_EQ(problems.size(), 1u);
    EXPECT_EQ(problems[0].error.code, code);
    EXPECT_TRUE(problems[0].error.detail.contains(what)) << problems[0].error.detail;
    EXPECT_EQ(problems[0].chunks, std::vector{chunk});
  }
};

TEST_F(ForgedChain, C4_ABaseThatWasExchangedIsFoundByItsIdentity) {
  forge(1, 0, [](auto&, auto stored) { stored.back() ^= std::byte{1}; });
  expect_only(1, Errc::checksum_mismatch, "identity", false);
}

TEST_F(ForgedChain, ADeltaThatMakesSomethingElseIsFoundByItsDigest) {
  forge(2, 2, [](auto&, auto stored) { stored.back() ^= std::byte{1}; });
  expect_only(2, Errc::checksum_mismatch, "blob 3 of 3): what the delta makes");
}

TEST_F(ForgedChain, ADeltaAgainstAnotherBaseIsFound) {
  forge(2, 1, [](auto& header, auto) { header.identity[0] ^= std::byte{1}; });
  expect_only(2, Errc::corrupt, "blob 3 of 3): delta against another chunk");
}

TEST_F(ForgedChain, ALastBlobOfAnotherIdentityIsFound) {
  forge(2, 2, [](auto& header, auto) { header.identity[0] ^= std::byte{1}; });
  expect_only(2, Errc::corrupt, "not the one that the manifest names");
}

TEST_F(ForgedChain, ALastBlobWhoseIdentityIsHalfRightIsFound) {
  forge(2, 2, [](auto& header, auto) { header.identity[20] ^= std::byte{1}; });
  expect_only(2, Errc::checksum_mismatch, "identity", false);
}

}  // namespace
}  // namespace sluice::storage
