#include "engine/fragment_writer.h"

#include <algorithm>
#include <cstring>

#include "engine/errors.h"
#include "engine/key_order.h"

namespace sluice::engine {
namespace {

using storage::format::BlobType;

std::uint64_t first_word(std::span<const std::byte> identity) noexcept {
  std::uint64_t word = 0;
  std::memcpy(&word, identity.data(), sizeof word);
  return word;
}

}  // namespace

FragmentWriter::FragmentWriter(const Options& options)
    : options_(options), cutter_(options.repository->keys().cut) {}

void FragmentWriter::begin() {
  cutter_.restart();
  held_.clear();
  list_.terms.reset();
  list_.fragments.clear();
}

Result<void> FragmentWriter::feed(std::span<const std::byte> part) {
  if (error_) return std::unexpected(*error_);
  while (!part.empty()) {
    const auto [bytes, complete] = cutter_.feed(part);
    const auto taken = part.first(bytes);
    held_.insert(held_.end(), taken.begin(), taken.end());
    part = part.subspan(bytes);
    if (!complete) continue;
    if (auto stored = store(); !stored) return stored;
  }
  return {};
}

Result<FragmentList*> FragmentWriter::end() {
  if (!held_.empty()) {
    if (auto stored = store(); !stored) return std::unexpected(stored.error());
  }
  if (error_) return std::unexpected(*error_);
  return &list_;
}

Result<void> FragmentWriter::store() {
  if (!encoder_) encoder_.emplace(options_.repository->keys());
  const auto identity = encoder_->identify(BlobType::fragment, held_);
  const auto size = static_cast<std::uint32_t>(held_.size());
  list_.fragments.push_back({.identity = identity, .raw_bytes = size});

  const auto half = storage::first_half(identity);
  const auto [from, to] = known_.equal_range(first_word(identity));
  const bool known = std::any_of(
      from, to, [&](const auto& entry) { return chunks_[entry.second].identity == half; });
  if (!known) {
    storage::ChunkDraft draft{.type = BlobType::fragment,
                              .blobs = {},
                              .raw_bytes = size,
                              .identity = half,
                              .tag = {},
                              .label = {}};
    auto there = find_in_parent(identity);
    if (!there) return std::unexpected(error_.emplace(std::move(there.error())));
    if (*there) {
      draft.blobs = **std::move(there);
    } else {
      const auto blob = encoder_->encode(BlobType::fragment, held_, options_.compression, identity);
      if (!blob) return std::unexpected(error_.emplace(from_storage(blob.error())));
      const auto place = options_.writer->put(*blob);
      if (!place) return std::unexpected(error_.emplace(from_storage(place.error())));
      draft.blobs = {*place};
    }
    known_.emplace(first_word(identity), chunks_.size());
    chunks_.push_back(std::move(draft));
  }
  held_.clear();
  return {};
}

Result<std::optional<std::vector<storage::BlobPlace>>> FragmentWriter::find_in_parent(
    const storage::format::Identity& identity) {
  if (options_.parent == nullptr) return std::nullopt;
  const auto found = options_.parent->map->find_fragment(identity);
  if (!found) return std::nullopt;
  const storage::Backup& stored = options_.parent->backup.stored;
  if (!parent_reader_) {
    auto reader = storage::ChunkReader::open(*options_.repository, stored, 0, 0);
    if (!reader) return std::unexpected(from_storage(reader.error()));
    parent_reader_ = *std::move(reader);
  }
  // What is damaged there must not be relied on here.
  const auto chunk = parent_reader_->read(*found);
  if (!chunk || !same_bytes(chunk->raw, held_)) return std::nullopt;
  auto blobs = options_.writer->adopt(stored, *found);
  if (!blobs) return std::unexpected(from_storage(blobs.error()));
  return *std::move(blobs);
}

}  // namespace sluice::engine
