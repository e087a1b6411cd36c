#include "engine/side_reader.h"

#include <fmt/format.h>

#include "engine/errors.h"
#include "rdb/escape.h"

namespace sluice::engine {

Result<std::span<const std::byte>> SideReader::read(std::uint32_t ordinal) {
  if (!reader_) {
    auto reader = storage::ChunkReader::open_single(repository_, backup_);
    if (!reader) return std::unexpected(from_storage(reader.error()));
    reader_ = *std::move(reader);
  }
  ++reads_;
  const auto chunk = reader_->read(ordinal);
  if (!chunk) return std::unexpected(from_storage(chunk.error()));
  return chunk->raw;
}

Result<std::span<const std::byte>> SideReader::read(const CanonicalMap& map,
                                                    const Fragment& fragment,
                                                    std::span<const std::byte> key) {
  constexpr std::size_t shown_key_bytes = 64;
  if (const auto ordinal = map.find_fragment(fragment.identity)) {
    auto raw = read(*ordinal);
    if (!raw || raw->size() == fragment.raw_bytes) return raw;
  }
  return std::unexpected(
      Error{.stage = Stage::storage,
            .code = "corrupt",
            .message = fmt::format("repository: backup {}: a piece of the value of key \"{}\" is "
                                   "not there",
                                   backup_.key.id, rdb::escape(key, shown_key_bytes))});
}

}  // namespace sluice::engine
