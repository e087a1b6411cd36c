#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "storage/chunk_reader.h"
#include "storage/repository.h"
#include "tests/storage/scratch.h"

namespace sluice::storage {

using Bytes = std::vector<std::byte>;

/// What is common at the front and at the back is copied, what is between is not.
inline DeltaOps simple_delta(std::span<const std::byte> base, std::span<const std::byte> result) {
  const std::size_t least = std::min(base.size(), result.size());
  std::size_t front = 0;
  while (front < least && base[front] == result[front]) ++front;
  std::size_t back = 0;
  while (back < least - front && base[base.size() - 1 - back] == result[result.size() - 1 - back])
    ++back;
  DeltaOps ops;
  ops.copy(0, static_cast<std::uint32_t>(front));
  ops.literal(result.subspan(front, result.size() - front - back));
  ops.copy(static_cast<std::uint32_t>(base.size() - back), static_cast<std::uint32_t>(back));
  return ops;
}

/// Adds chunks to a backup that builds on another: what is the same is adopted, what is not becomes
/// a delta while the chain may grow, else a new base.
class ChainMaker {
 public:
  ChainMaker(const Repository& repository, BackupWriter& writer, const Backup* parent,
             Compression compression = {})
      : writer_(writer), parent_(parent), encoder_(writer.keys()), compression_(compression) {
    if (parent == nullptr) return;
    auto reader = ChunkReader::open(repository, *parent);
    EXPECT_OK(reader);
    reader_ = *std::move(reader);
  }

  Result<void> add(const Bytes& raw, std::uint64_t tag = 0) {
    const auto ordinal = next_++;
    constexpr auto type = format::BlobType::records;
    const auto identity = encoder_.identify(type, raw);
    ChunkDraft draft{.type = type,
                     .blobs = {},
                     .raw_bytes = static_cast<std::uint32_t>(raw.size()),
                     .identity = first_half(identity),
                     .tag = {tag},
                     .label = bytes_of("label " + std::to_string(ordinal))};
    Result<EncodedBlob> blob = EncodedBlob{};
    if (parent_ != nullptr && ordinal < parent_->chunks.size()) {
      auto adopted = writer_.adopt(*parent_, ordinal);
      if (!adopted) return std::unexpected(std::move(adopted.error()));
      const auto base = reader_->read(ordinal);
      if (!base) return std::unexpected(base.error());
      draft.blobs = *std::move(adopted);
      if (base->identity != identity && draft.blobs.size() < format::chain_blobs_max) {
        blob =
            encoder_.encode_delta(type, {.identity = first_half(base->identity), .raw = base->raw},
                                  raw, simple_delta(base->raw, raw), compression_, identity);
      } else if (base->identity != identity) {
        draft.blobs.clear();
      } else {
        return append(draft);
      }
    }
    if (draft.blobs.empty()) blob = encoder_.encode(type, raw, compression_, identity);
    if (!blob) return std::unexpected(std::move(blob.error()));
    const auto place = writer_.put(*blob);
    if (!place) return std::unexpected(place.error());
    draft.blobs.push_back(*place);
    return append(draft);
  }

 private:
  Result<void> append(const ChunkDraft& draft) {
    const auto ordinal = writer_.append_chunk(draft);
    if (!ordinal) return std::unexpected(ordinal.error());
    return {};
  }

  BackupWriter& writer_;
  const Backup* parent_;
  BlobEncoder encoder_;
  Compression compression_;
  std::unique_ptr<ChunkReader> reader_;
  std::uint32_t next_ = 0;
};

/// What opens a repository, and a slot for it that costs next to nothing.
inline KeySource key_of(std::string passphrase) {
  return [passphrase = std::move(passphrase)]() -> Result<KeyMaterial> {
    return KeyMaterial{.kind = KeyKind::passphrase, .bytes = SecretBytes(passphrase)};
  };
}
inline NewKeySlot cheap_slot(std::string_view passphrase, KeyKind kind = KeyKind::passphrase) {
  return {.material = {.kind = kind, .bytes = SecretBytes(passphrase)},
          .label = "a label",
          .cost = {.n = 16, .r = 1, .p = 1}};
}

/// A repository of backups that build on one another.
class Chains : public testing::Test {
 protected:
  /// A passphrase makes it encrypted.
  explicit Chains(IoOptions io = {.depth = 4, .block_bytes = 64 << 10, .decorate = {}},
                  std::string passphrase = {})
      : io_(std::move(io)), passphrase_(std::move(passphrase)) {
    repository_ = open();
  }

  std::unique_ptr<Repository> open(std::function<void(std::string_view)> on_step = {}) const {
    OpenOptions options{.create_if_missing = true,
                        .io = io_,
                        .lease_term = lease_term_,
                        .keep_trash = keep_trash_,
                        .on_step = std::move(on_step)};
    const NewKeySlot slot = cheap_slot(passphrase_);
    if (!passphrase_.empty()) {
      if (!std::filesystem::exists(root_ / "FORMAT")) options.first_key = &slot;
      options.key = key_of(passphrase_);
    }
    auto opened = Repository::open(root_, options);
    EXPECT_OK(opened);
    return *std::move(opened);
  }

  Result<BackupKey> take(const std::vector<Bytes>& chunks, std::optional<BackupKey> parent = {},
                         std::string instance = "a") {
    return take_by(*repository_, chunks, std::move(parent), std::move(instance));
  }

  static Result<BackupKey> take_by(Repository& repository, const std::vector<Bytes>& chunks,
                                   std::optional<BackupKey> parent = {},
                                   const std::string& instance = "a") {
    std::optional<Backup> base;
    if (parent) {
      auto opened = repository.open_backup(*parent);
      if (!opened) return std::unexpected(std::move(opened.error()));
      base = *std::move(opened);
    }
    auto writer = repository.begin_backup(instance, {.parent = parent});
    if (!writer) return std::unexpected(std::move(writer.error()));
    ChainMaker maker(repository, **writer, base ? &*base : nullptr);
    for (std::size_t i = 0; i < chunks.size(); ++i) {
      if (auto ok = maker.add(chunks[i], i); !ok) return std::unexpected(std::move(ok.error()));
    }
    auto committed = (*writer)->commit("{}");
    if (!committed) return std::unexpected(std::move(committed.error()));
    return committed->key;
  }

  /// All chunks, in order and by themselves, and nothing wrong with any file of it.
  void expect_whole(const BackupKey& key, const std::vector<Bytes>& chunks) const {
    const auto backup = repository_->open_backup(key);
    ASSERT_OK(backup);
    ASSERT_EQ(backup->chunks.size(), chunks.size());
    auto reader = ChunkReader::open(*repository_, *backup);
    ASSERT_OK(reader);
    for (std::uint32_t i = 0; i < chunks.size(); ++i) {
      const auto chunk = (*reader)->next();
      ASSERT_OK(chunk);
      ASSERT_TRUE(chunk->has_value());
      EXPECT_EQ((*chunk)->tag[0], i);
      EXPECT_TRUE(std::ranges::equal((*chunk)->raw, chunks[i])) << "chunk " << i;
    }
    EXPECT_FALSE((*reader)->next()->has_value());
    for (const std::uint32_t i : {0U, static_cast<std::uint32_t>(chunks.size() - 1)}) {
      const auto chunk = (*reader)->read(i);
      ASSERT_OK(chunk);
      EXPECT_TRUE(std::ranges::equal(chunk->raw, chunks[i]));
    }
    const auto checked = repository_->check_backup(
        *backup, [](const Problem& problem) { ADD_FAILURE() << to_string(problem.error); });
    ASSERT_OK(checked);
    EXPECT_EQ(checked->problems, 0u);
    EXPECT_EQ(checked->raw_bytes, backup->raw_bytes);
  }

  [[nodiscard]] std::size_t pack_count() const { return files_below(root_ / "packs").size(); }
  [[nodiscard]] std::vector<std::filesystem::path> tombstones() const {
    if (!std::filesystem::exists(root_ / "gc")) return {};  // files_below() leaves out LAST
    return files_below(root_ / "gc");
  }

  ScratchDirectory scratch_;
  std::filesystem::path root_ = scratch_.path() / "r";
  IoOptions io_;
  std::chrono::milliseconds lease_term_{std::chrono::minutes(5)};
  bool keep_trash_ = false;  // for what is opened from now on
  std::string passphrase_;
  std::unique_ptr<Repository> repository_;
};

inline std::vector<Bytes> some_chunks(std::size_t count, std::size_t size) {
  std::vector<Bytes> chunks;
  for (std::size_t i = 0; i < count; ++i) chunks.push_back(compressible_bytes(size + i, i));
  return chunks;
}

/// Changes a few bytes of every `nth` chunk, so that `seed` makes a difference.
inline std::vector<Bytes> changed(std::vector<Bytes> chunks, std::size_t nth, unsigned seed) {
  for (std::size_t i = 0; i < chunks.size(); i += nth) {
    const auto text = bytes_of("change " + std::to_string(seed) + " of " + std::to_string(i));
    const std::size_t at = (seed * 977) % (chunks[i].size() / 2);
    chunks[i].insert(chunks[i].begin() + static_cast<std::ptrdiff_t>(at), text.begin(), text.end());
  }
  return chunks;
}

}  // namespace sluice::storage
