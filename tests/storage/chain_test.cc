// Chunks that are a base and deltas, of packs that several backups share.

#include <gtest/gtest.h>

#include <thread>

#include "storage/chunk_reader.h"
#include "storage/repository.h"
#include "tests/storage/chain_fixture.h"
#include "tests/storage/scratch.h"

namespace sluice::storage {
namespace {

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

}  // namespace
}  // namespace sluice::storage
