#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "storage/cipher.h"
#include "storage/error.h"
#include "storage/secret.h"

namespace sluice::storage {

/// The encrypted part of a manifest, which may have gigabytes: segments of
/// format::manifest_segment_bytes, each with a tag. With each are authenticated what stands in
/// clear before them (its SHA-256), the segment's position, and whether it is the last: none can be
/// left out, moved, or taken for the end.
/// Memory: a segment.

/// Bytes that a part of `plain` bytes takes. Even an empty one has a segment.
[[nodiscard]] std::uint64_t sealed_part_bytes(std::uint64_t plain) noexcept;

/// Writes it.
class ManifestSealer {
 public:
  using Sink = std::function<Result<void>(std::span<const std::byte>)>;

  ManifestSealer(const SecretKey& key, const Sha256::Digest& clear, Sink sink);
  /// Errors: the sink's.
  [[nodiscard]] Result<void> append(std::span<const std::byte> plain);
  [[nodiscard]] Result<void> finish() { return flush(true); }

 private:
  Result<void> flush(bool is_last);

  SecretKey key_;
  Sha256::Digest clear_;
  Sink sink_;
  std::uint64_t next_ = 0;  // segment
  std::vector<std::byte> plain_;
  std::vector<std::byte> sealed_;
};

/// Reads it.
class ManifestOpener {
 public:
  using Source = std::function<Result<void>(std::span<std::byte>)>;

  /// `plain_bytes`: of all of it. `object` opens the detail.
  ManifestOpener(const SecretKey& key, const Sha256::Digest& clear, std::uint64_t plain_bytes,
                 Source source, std::string object);
  /// Fills `into` with what comes next. Errors: not_authentic; the source's.
  /// Precondition: so much is left.
  [[nodiscard]] Result<void> read(std::span<std::byte> into);
  /// Reads a segment though nobody wants its bytes yet: proves what stands before it.
  [[nodiscard]] Result<void> next_segment();
  [[nodiscard]] std::uint64_t segments_left() const noexcept { return segments_ - next_; }

 private:
  SecretKey key_;
  Sha256::Digest clear_;
  std::uint64_t plain_left_ = 0;  // in segments that were not read
  std::uint64_t segments_ = 0;
  Source source_;
  std::string object_;
  std::uint64_t next_ = 0;
  std::size_t taken_ = 0;  // of plain_
  std::vector<std::byte> plain_;
  std::vector<std::byte> sealed_;
};

}  // namespace sluice::storage
