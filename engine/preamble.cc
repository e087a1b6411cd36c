#include "engine/preamble.h"

#include <algorithm>

#include "engine/errors.h"

namespace sluice::engine {

void PreambleWriter::add(std::span<const std::byte> bytes) {
  while (!bytes.empty() && !error_) {
    const auto taken = bytes.first(std::min(bytes.size(), chunk_bytes - held_.size()));
    held_.insert(held_.end(), taken.begin(), taken.end());
    bytes = bytes.subspan(taken.size());
    if (held_.size() == chunk_bytes) store();
  }
}

Result<void> PreambleWriter::finish() {
  store();
  if (error_) return std::unexpected(*error_);
  return {};
}

void PreambleWriter::store() {
  if (held_.empty() || error_) return;
  storage::BlobEncoder encoder(repository_.keys());
  const auto blob = encoder.encode(storage::format::BlobType::preamble, held_, compression_);
  if (!blob) {
    error_ = from_storage(blob.error());
    return;
  }
  const auto place = writer_.put(*blob);
  if (!place) {
    error_ = from_storage(place.error());
    return;
  }
  chunks_.push_back({.type = storage::format::BlobType::preamble,
                     .blobs = {*place},
                     .raw_bytes = static_cast<std::uint32_t>(held_.size()),
                     .identity = storage::first_half(blob->header.identity),
                     .tag = {static_cast<std::uint64_t>(part_), 0, 0},
                     .label = {}});
  held_.clear();
}

}  // namespace sluice::engine
