#include "engine/stream_ingest.h"

#include <utility>

#include "engine/errors.h"

namespace sluice::engine {
namespace {

constexpr storage::Compression uncompressed{.codec = storage::CompressionCodec::none};

}  // namespace

StreamIngest::StreamIngest(storage::BackupWriter& writer, const storage::Compression& compression,
                           std::string what)
    : writer_(writer), compression_(compression), what_(std::move(what)), parser_(handler_) {
  held_.reserve(ChunkCutter::max_bytes);
}

Result<void> StreamIngest::feed(std::span<const std::byte> bytes) {
  const auto taken = parser_.feed(bytes);
  if (!taken) return std::unexpected(from_rdb(taken.error(), what_));
  trailing_bytes_ += bytes.size() - *taken;
  digest_.feed(bytes.first(*taken));
  handler_.cutter.on_progress(parser_.offset());
  return store(bytes.first(*taken));
}

Result<void> StreamIngest::finish(const OnProgress& /*on_progress*/,
                                  const std::stop_token& /*stop*/) {
  if (auto ended = parser_.finish(); !ended) return std::unexpected(from_rdb(ended.error(), what_));
  digest_.finish();
  handler_.cutter.on_end(parser_.offset());
  return store({});
}

Result<void> StreamIngest::store(std::span<const std::byte> bytes) {
  // Together, held_ and `bytes` are the stream from the end of the last stored chunk on.
  for (const ChunkCutter::Chunk& chunk : handler_.cutter.complete()) {
    const std::size_t size = chunk.end - chunk.begin;
    if (!held_.empty() && held_.size() < size) hold(bytes, size - held_.size());
    const auto raw =
        held_.empty() ? bytes.first(size) : std::span<const std::byte>(held_).first(size);
    const storage::ChunkTag tag{chunk.start.record, chunk.start.db,
                                chunk.start.inside_record ? 1U : 0U};
    if (auto stored = writer_.append_chunk(raw, tag, is_behind_ ? uncompressed : compression_);
        !stored) {
      return std::unexpected(from_storage(stored.error()));
    }
    if (held_.empty()) {
      bytes = bytes.subspan(size);
    } else {
      held_.erase(held_.begin(), held_.begin() + static_cast<std::ptrdiff_t>(size));
    }
  }
  handler_.cutter.clear();
  hold(bytes, bytes.size());
  return {};
}

void StreamIngest::hold(std::span<const std::byte>& bytes, std::size_t size) {
  const auto part = bytes.first(size);
  held_.insert(held_.end(), part.begin(), part.end());
  bytes = bytes.subspan(size);
}

}  // namespace sluice::engine
