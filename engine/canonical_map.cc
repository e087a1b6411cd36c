#include "engine/canonical_map.h"

#include <algorithm>
#include <cstring>

#include "storage/format.h"

namespace sluice::engine {
namespace {

using storage::format::BlobType;

constexpr std::uint64_t no_digest = std::uint64_t{1} << 63;
constexpr std::uint64_t db_mask = (std::uint64_t{1} << RunTag::db_bits) - 1;
constexpr std::size_t half_identity = 16;

Error corrupt(const storage::Backup& stored, std::string_view what) {
  return {.stage = Stage::storage,
          .code = "corrupt",
          .message = "repository: backup " + stored.key.id + ": " + std::string(what)};
}

std::uint64_t first_word(std::span<const std::byte> identity) noexcept {
  std::uint64_t word = 0;
  std::memcpy(&word, identity.data(), sizeof word);
  return word;
}

}  // namespace

storage::ChunkTag RunTag::to_words() const noexcept {
  std::uint64_t first = std::uint64_t{db} << 32 | records;
  if (!has_digest) first |= no_digest;
  return {first, digest.low, digest.high};
}

RunTag RunTag::of(const storage::ChunkTag& words) noexcept {
  return {.db = static_cast<std::uint32_t>(words[0] >> 32 & db_mask),
          .records = static_cast<std::uint32_t>(words[0]),
          .has_digest = (words[0] & no_digest) == 0,
          .digest = {.low = words[1], .high = words[2]}};
}

Result<CanonicalMap> CanonicalMap::of(const storage::Backup& stored) {
  CanonicalMap map(stored);
  if (auto divided = map.divide(); !divided) return std::unexpected(divided.error());
  return map;
}

Result<void> CanonicalMap::divide() {
  const auto& chunks = stored_->chunks;
  const auto size = static_cast<std::uint32_t>(chunks.size());
  std::uint32_t at = 0;
  const auto take = [&](BlobType type, std::optional<PreamblePart> part) {
    ChunkRange range{.first = at, .end = at};
    while (at < size && chunks[at].type == static_cast<std::uint8_t>(type) &&
           (!part || chunks[at].tag[0] == static_cast<std::uint64_t>(*part))) {
      ++at;
    }
    range.end = at;
    return range;
  };
  head_ = take(BlobType::preamble, PreamblePart::head);
  runs_ = take(BlobType::records, std::nullopt);
  fragments_ = take(BlobType::fragment, std::nullopt);
  tail_ = take(BlobType::preamble, PreamblePart::tail);
  if (at != size)
    return std::unexpected(corrupt(*stored_, "chunk " + std::to_string(at) + " is out of place"));
  if (head_.size() == 0) return std::unexpected(corrupt(*stored_, "it has no preamble"));
  if (!runs_ascend()) return std::unexpected(corrupt(*stored_, "its runs are not in order"));
  for (std::uint32_t i = fragments_.first; i < fragments_.end; ++i) {
    by_identity_.emplace(first_word(chunks[i].identity), i);
  }
  return {};
}

bool CanonicalMap::runs_ascend() const {
  for (std::uint32_t i = runs_.first + 1; i < runs_.end; ++i) {
    const std::uint32_t before = run(i - 1).db;
    const std::uint32_t db = run(i).db;
    if (db < before) return false;
    if (db != before) continue;
    const auto order = compare_labels(label(i - 1), label(i));
    // Of keys that agree further than a label goes, the labels say nothing.
    if (order > 0 || (order == 0 && !is_cut(label(i)))) return false;
  }
  return true;
}

ChunkRange CanonicalMap::runs_of(std::uint64_t db) const {
  const auto& chunks = stored_->chunks;
  const auto db_of = [](const storage::ChunkRef& chunk) -> std::uint64_t {
    return RunTag::of(chunk.tag).db;
  };
  const auto found = std::ranges::equal_range(
      chunks.begin() + runs_.first, chunks.begin() + runs_.end, db, std::ranges::less(), db_of);
  return {.first = static_cast<std::uint32_t>(found.begin() - chunks.begin()),
          .end = static_cast<std::uint32_t>(found.end() - chunks.begin())};
}

std::vector<std::uint64_t> CanonicalMap::databases() const {
  std::vector<std::uint64_t> databases;
  for (std::uint32_t i = runs_.first; i < runs_.end; ++i) {
    if (databases.empty() || databases.back() != run(i).db) databases.push_back(run(i).db);
  }
  return databases;
}

std::optional<std::uint32_t> CanonicalMap::find_run(std::uint64_t db,
                                                    std::span<const std::byte> label) const {
  const ChunkRange range = runs_of(db);
  std::uint32_t low = range.first;  // the first that begins after `label`
  std::uint32_t high = range.end;
  while (low < high) {
    const std::uint32_t middle = low + (high - low) / 2;
    if (compare_labels(this->label(middle), label) <= 0) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  if (low == range.first) return std::nullopt;
  return low - 1;
}

std::optional<std::uint32_t> CanonicalMap::find_fragment(
    std::span<const std::byte> identity) const {
  if (identity.size() < half_identity) return std::nullopt;
  const auto [from, to] = by_identity_.equal_range(first_word(identity));
  for (auto found = from; found != to; ++found) {
    const auto& own = stored_->chunks[found->second].identity;
    if (std::memcmp(own.data(), identity.data(), half_identity) == 0) return found->second;
  }
  return std::nullopt;
}

}  // namespace sluice::engine
