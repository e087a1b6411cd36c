#include "engine/stream_check.h"

#include <utility>

#include "engine/errors.h"

namespace sluice::engine {

void StreamCheck::tell(std::uint32_t chunk, const std::string& what, bool is_readable) {
  auto finding = context_.about(chunk, context_.place_of(chunk) + ": " + what);
  finding.is_readable = is_readable;
  context_.findings->add(std::move(finding));
}

Result<void> StreamCheck::run() {
  const storage::Backup& stored = context_.backup->stored;
  auto reader = storage::ChunkReader::open(*context_.repository, stored);
  if (!reader) return std::unexpected(from_storage(reader.error()));
  if (context_.level == VerifyLevel::digest) digest_ = std::make_unique<BackgroundDigest>();
  for (std::uint32_t i = 0; i < stored.chunks.size(); ++i) {
    if (context_.stop.stop_requested()) return std::unexpected(cancelled());
    const auto chunk = (*reader)->next();
    *context_.bytes += stored.chunks[i].raw_bytes;
    if (chunk) {
      check_chunk(i, **chunk);
    } else {
      context_.findings->add(context_.about(i, from_storage(chunk.error()).message));
      is_whole_ = false;
    }
    *context_.keys = facts_.keys();
  }
  sums_.keys = facts_.keys();
  if (is_whole_) finish();
  return {};
}

void StreamCheck::check_chunk(std::uint32_t ordinal, const storage::ChunkView& chunk) {
  if (identifier_.identify(chunk.type, chunk.raw) != chunk.identity) {
    tell(ordinal, "its identity is another", false);
    is_whole_ = false;
    return;
  }
  ++sums_.chunks;
  sums_.raw_bytes += chunk.raw.size();
  if (is_whole_) parse(ordinal, chunk);
}

void StreamCheck::parse(std::uint32_t ordinal, const storage::ChunkView& chunk) {
  const auto taken = parser_.feed(chunk.raw);
  if (!taken || *taken < chunk.raw.size()) {
    tell(ordinal, taken ? "bytes after the end of the RDB" : rdb::to_string(taken.error()));
    is_whole_ = false;
    return;
  }
  if (digest_) digest_->feed(chunk.raw);
}

void StreamCheck::finish() {
  const auto tell_of_all = [this](const std::string& what) {
    context_.findings->add({.message = "backup " + context_.backup->stored.key.id + ": " + what});
  };
  if (auto ended = parser_.finish(); !ended) return tell_of_all(rdb::to_string(ended.error()));
  const Manifest& manifest = context_.backup->manifest;
  for (const std::string& what : differences(manifest, facts_)) tell_of_all(what);
  if (!digest_) return;
  digest_->finish();
  if (const auto what = difference(manifest, digest_->reader())) tell_of_all(*what);
}

std::optional<std::string> StreamCheck::digest() const {
  if (!digest_ || !is_whole_ || !parser_.done()) return std::nullopt;
  return digest_->reader().digest();
}

}  // namespace sluice::engine
