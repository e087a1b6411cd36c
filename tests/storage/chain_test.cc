// Chunks that are a base and deltas, of packs that several backups share.

#include <gtest/gtest.h>

#include <cstring>
#include <thread>

#include "storage/checksum.h"
#include "storage/chunk_reader.h"
#include "storage/pack_writer.h"
#include "storage/repository.h"
#include "tests/storage/chain_fixture.h"
#include "tests/storage/scratch.h"

namespace sluice::storage {
namespace {

namespace fs = std::filesystem;

IoOptions io_of(IoBackend backend) {
  return {.backend = backend, .depth = 4, .block_bytes = 64 << 10, .decorate = {}};
}

class ChainsOnEachBackend : public Chains, public testing::WithParamInterface<IoBackend> {
 protected:
  ChainsOnEachBackend() : Chains(io_of(GetParam())) {}
};

INSTANTIATE_TEST_SUITE_P(Io, ChainsOnEachBackend,
                         testing::Values(IoBackend::io_uring, IoBackend::threads),
                         [](const auto& chosen) {
                           return chosen.param == IoBackend::threads ? "threads" : "io_uring";
                         });

TEST_P(ChainsOnEachBackend, ABackupOnTopOfAnotherStoresOnlyWhatChanged) {
  const auto first = some_chunks(200, 20'000);
  const auto full = take(first);
  ASSERT_OK(full);
  const auto second = changed(first, 10, 1);
  const auto child = take(second, *full);
  ASSERT_OK(child);
  expect_whole(*full, first);
  expect_whole(*child, second);
  const auto backup = repository_->open_backup(*child);
  ASSERT_OK(backup);
  EXPECT_EQ(to_string(*backup->parent), full->id);
  EXPECT_EQ(backup->packs.size(), 2u);
  EXPECT_EQ(backup->blobs.size(), 220u);
  EXPECT_LT(backup->new_bytes, 20u * 200);
  EXPECT_GT(backup->stored_bytes, 20u * 20'000 / 2);
  for (std::size_t i = 0; i < 200; ++i)
    EXPECT_TRUE(std::ranges::equal(backup->label(i), bytes_of("label " + std::to_string(i))));
  const auto listed = repository_->list();
  ASSERT_EQ(listed->size(), 2u);
  EXPECT_EQ(listed->back().parent, backup->parent);
  EXPECT_EQ(listed->back().new_bytes, backup->new_bytes);
  EXPECT_LT(listed->back().pack_file_bytes, listed->front().pack_file_bytes);
}

TEST_P(ChainsOnEachBackend, AChainGrowsToEightBlobsAndBeginsAnew) {
  std::vector<std::vector<Bytes>> states{some_chunks(100, 5000)};
  std::vector<BackupKey> keys{*take(states[0])};
  for (unsigned i = 1; i <= 9; ++i) {
    states.push_back(changed(states.back(), 1 + i % 3, i));
    const auto key = take(states.back(), keys.back());
    ASSERT_OK(key);
    keys.push_back(*key);
  }
  for (std::size_t i = 0; i < keys.size(); ++i) {
    SCOPED_TRACE(i);
    expect_whole(keys[i], states[i]);
  }
  const auto blobs_of_first = [&](std::size_t at) {
    return repository_->open_backup(keys[at])->chunks[0].blob_count;
  };
  EXPECT_EQ(blobs_of_first(7), 8u);
  EXPECT_EQ(blobs_of_first(8), 1u);
  EXPECT_EQ(blobs_of_first(9), 2u);
}

TEST_P(ChainsOnEachBackend, APartOfAChainIsWhatTheChunkWas) {
  std::vector<std::vector<Bytes>> states{some_chunks(3, 5000)};
  BackupKey key = *take(states[0]);
  for (unsigned i = 1; i < 8; ++i) {
    states.push_back(changed(states.back(), 1, i));
    key = *take(states.back(), key);
  }
  const auto backup = repository_->open_backup(key);
  ASSERT_OK(backup);
  auto reader = ChunkReader::open(*repository_, *backup);
  BlobEncoder encoder(repository_->keys());
  for (unsigned blobs = 1; blobs <= 9; ++blobs) {
    const auto chunk = (*reader)->read(1, blobs);
    ASSERT_OK(chunk);
    const auto& state = states[std::min(blobs, 8U) - 1][1];
    EXPECT_TRUE(std::ranges::equal(chunk->raw, state)) << blobs;
    EXPECT_EQ(chunk->identity, encoder.identify(format::BlobType::records, state));
  }
}

TEST_P(ChainsOnEachBackend, AReaderCanBeginAgainAnywhere) {
  const auto first = some_chunks(150, 3000);
  const auto full = take(first);
  const auto second = changed(first, 2, 1);
  const auto child = take(second, *full);
  const auto backup = repository_->open_backup(*child);
  auto reader = ChunkReader::open(*repository_, *backup, 10, 100);
  ASSERT_OK(reader);
  for (const auto& [from, count] : {std::pair(10U, 100U), {0U, 150U}, {149U, 5U}, {77U, 1U}}) {
    (*reader)->reset(from, count);
    for (std::uint32_t i = from; i < std::min(from + count, 150U); ++i) {
      const auto chunk = (*reader)->next();
      ASSERT_OK(chunk);
      ASSERT_TRUE(chunk->has_value());
      EXPECT_EQ((*chunk)->ordinal, i);
      EXPECT_TRUE(std::ranges::equal((*chunk)->raw, second[i]));
      if (i == 20) break;  // in the middle of what is read ahead
    }
  }
  EXPECT_FALSE((*reader)->next()->has_value());
  (*reader)->reset(200);
  EXPECT_FALSE((*reader)->next()->has_value());
}

TEST_P(ChainsOnEachBackend, SeveralThreadsPutAtOnce) {
  constexpr std::size_t thread_count = 4;
  constexpr std::size_t each = 100;
  const auto chunks = some_chunks(thread_count * each, 50'000);
  auto writer = repository_->begin_backup("a");
  ASSERT_OK(writer);
  std::vector<ChunkDraft> drafts(chunks.size());
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < thread_count; ++t) {
    threads.emplace_back([&, t] {
      BlobEncoder encoder((*writer)->keys());
      for (std::size_t i = t * each; i < (t + 1) * each; ++i) {
        const auto blob = encoder.encode(format::BlobType::records, chunks[i], {});
        const auto place = (*writer)->put(*blob);
        ASSERT_OK(place);
        drafts[i] = {.type = format::BlobType::records,
                     .blobs = {*place},
                     .raw_bytes = place->raw_bytes,
                     .identity = first_half(blob->header.identity),
                     .tag = {i},
                     .label = {}};
      }
    });
  }
  for (std::thread& thread : threads) thread.join();  // those that put first are gone at commit
  for (const ChunkDraft& draft : drafts) ASSERT_OK((*writer)->append_chunk(draft));
  const auto committed = (*writer)->commit("{}");
  ASSERT_OK(committed);
  EXPECT_EQ(committed->stats.blobs, chunks.size());
  expect_whole(committed->key, chunks);
}

TEST_F(Chains, ChunksMayHaveAnyOrderShareBlobsAndLeaveSomeOut) {
  const auto chunks = some_chunks(50, 3000);
  auto writer = repository_->begin_backup("a");
  ASSERT_OK(writer);
  BlobEncoder encoder((*writer)->keys());
  std::vector<ChunkDraft> drafts;
  for (const Bytes& raw : chunks) {
    const auto blob = encoder.encode(format::BlobType::fragment, raw, {});
    drafts.push_back({.type = format::BlobType::fragment,
                      .blobs = {*(*writer)->put(*blob)},
                      .raw_bytes = static_cast<std::uint32_t>(raw.size()),
                      .identity = first_half(blob->header.identity),
                      .tag = {},
                      .label = {}});
  }
  std::vector<Bytes> expected;
  for (std::size_t i = 0; i < 120; ++i) {
    const std::size_t at = (i * 7) % 40;  // the last ten never
    ASSERT_OK((*writer)->append_chunk(drafts[at]));
    expected.push_back(chunks[at]);
  }
  const auto committed = (*writer)->commit("{}");
  ASSERT_OK(committed);
  const auto backup = repository_->open_backup(committed->key);
  ASSERT_OK(backup);
  auto reader = ChunkReader::open(*repository_, *backup);
  for (const Bytes& raw : expected) {
    const auto chunk = (*reader)->next();
    ASSERT_OK(chunk);
    EXPECT_TRUE(std::ranges::equal((*chunk)->raw, raw));
  }
  const auto checked = repository_->check_backup(
      *backup, [](const Problem& problem) { ADD_FAILURE() << to_string(problem.error); });
  EXPECT_EQ(checked->problems, 0u);
}

TEST_F(Chains, AnyCodecMayFollowAnyOther) {
  auto state = some_chunks(30, 40'000);
  BackupKey key;
  std::optional<Backup> parent;
  const std::array<Compression, 4> codecs{{{.codec = CompressionCodec::none},
                                           {.codec = CompressionCodec::zstd, .level = 1},
                                           {.codec = CompressionCodec::lz4},
                                           {.codec = CompressionCodec::zstd, .level = 9}}};
  for (unsigned i = 0; i < 8; ++i) {
    auto writer = repository_->begin_backup(
        "a", {.parent = parent ? std::optional(parent->key) : std::nullopt});
    ASSERT_OK(writer);
    ChainMaker maker(*repository_, **writer, parent ? &*parent : nullptr, codecs[i % 4]);
    for (std::size_t c = 0; c < state.size(); ++c) ASSERT_OK(maker.add(state[c], c));
    const auto committed = (*writer)->commit("{}");
    ASSERT_OK(committed);
    expect_whole(committed->key, state);
    parent = *repository_->open_backup(committed->key);
    state = changed(std::move(state), 1, i + 1);
  }
}

TEST_F(Chains, OnlyACommittedBackupIsBuiltUponAndOnlyItsBlobsAreAdopted) {
  const auto chunks = some_chunks(3, 1000);
  const auto full = take(chunks);
  const auto other = take(chunks, {}, "b");
  EXPECT_EQ(repository_->begin_backup("a", {.parent = BackupKey{"a", other->id}}).error().code,
            Errc::not_found);
  auto running = repository_->begin_backup("c");
  ASSERT_OK(running);
  EXPECT_EQ(repository_->begin_backup("a", {.parent = (*running)->key()}).error().code,
            Errc::not_found);
  auto writer = repository_->begin_backup("a", {.parent = *full});
  ASSERT_OK(writer);
  EXPECT_EQ((*writer)->adopt(*repository_->open_backup(*other), 0).error().code, Errc::bad_name);
  const auto adopted = (*writer)->adopt(*repository_->open_backup(*full), 0);
  ASSERT_OK(adopted);
  EXPECT_EQ((*adopted)[0].pack.backup, *parse_backup_id(full->id));
  EXPECT_OK((*writer)->adopt(*repository_->open_backup(*full), 2)) << "not sticky";
}

TEST_F(Chains, ADraftThatAReaderWouldRefuseIsRefused) {
  const auto verdict = [&](auto change) {
    auto writer = repository_->begin_backup("a");
    BlobEncoder encoder((*writer)->keys());
    const auto blob = encoder.encode(format::BlobType::records, bytes_of("text"), {});
    ChunkDraft draft{.type = format::BlobType::records,
                     .blobs = {*(*writer)->put(*blob)},
                     .raw_bytes = 4,
                     .identity = {},
                     .tag = {},
                     .label = {}};
    change(draft);
    const auto ordinal = (*writer)->append_chunk(draft);
    EXPECT_EQ((*writer)->commit("{}").has_value(), ordinal.has_value()) << "errors are sticky";
    return ordinal ? std::error_code() : ordinal.error().code;
  };
  EXPECT_EQ(verdict([](ChunkDraft&) {}), std::error_code());
  EXPECT_EQ(verdict([](ChunkDraft& d) { d.blobs.clear(); }), Errc::limit_exceeded);
  EXPECT_EQ(verdict([](ChunkDraft& d) { d.blobs.push_back(d.blobs[0]); }), Errc::corrupt);
  EXPECT_EQ(verdict([](ChunkDraft& d) { d.type = format::BlobType::stream; }), Errc::corrupt);
  EXPECT_EQ(verdict([](ChunkDraft& d) { d.raw_bytes = 5; }), Errc::corrupt);
  EXPECT_EQ(verdict([](ChunkDraft& d) { d.blobs[0].flags = format::blob_flag_delta; }),
            Errc::corrupt);
  EXPECT_EQ(verdict([](ChunkDraft& d) { d.blobs[0].pack.sequence = 7; }), Errc::corrupt);
  EXPECT_EQ(verdict([](ChunkDraft& d) { d.label.resize(format::label_bytes_max); }),
            std::error_code());
  EXPECT_EQ(verdict([](ChunkDraft& d) { d.label.resize(format::label_bytes_max + 1); }),
            Errc::limit_exceeded);
}

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

TEST_F(DamagedChain, EveryFlippedByteCostsTheChunksThatNeedItAndNoOther) {
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

TEST_F(DamagedChain, AMissingPackOfAnotherBackupIsToldWithAllThatDependsOnIt) {
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

TEST_F(ForgedChain, ABaseThatWasExchangedIsFoundByItsIdentity) {
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
