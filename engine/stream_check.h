#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "engine/background_digest.h"
#include "engine/chunk_check.h"
#include "engine/chunk_sums.h"
#include "engine/stream_facts.h"
#include "rdb/parser.h"
#include "sluice/result.h"

namespace sluice::engine {

/// Reads the chunks of a backup in layout stream in order: the identity of each, and as far as
/// nothing is missing the RDB that they are, its framing, CRC64 and, at level digest, its values.
///
/// Memory:  that of a ChunkReader, a Parser and a BackgroundDigest.
/// Threads: one at a time; another takes the digest.
class StreamCheck {
 public:
  explicit StreamCheck(const CheckContext& context)
      : context_(context), identifier_(context.repository->keys()), parser_(facts_) {}

  /// Tells what it finds, in the end also what differs from the manifest.
  /// Errors: "cancelled"; the archive's, when it cannot read at all.
  [[nodiscard]] Result<void> run();

  [[nodiscard]] const ChunkSums& sums() const noexcept { return sums_; }
  /// After run(), at level digest, when there is one.
  [[nodiscard]] std::optional<std::string> digest() const;

 private:
  void check_chunk(std::uint32_t ordinal, const storage::ChunkView& chunk);
  void parse(std::uint32_t ordinal, const storage::ChunkView& chunk);
  void finish();
  void tell(std::uint32_t chunk, const std::string& what, bool is_readable = true);

  CheckContext context_;
  storage::Identifier identifier_;
  StreamFacts facts_;
  rdb::Parser parser_;
  std::unique_ptr<BackgroundDigest> digest_;
  bool is_whole_ = true;  // so far: what follows can be parsed
  ChunkSums sums_;
};

}  // namespace sluice::engine
