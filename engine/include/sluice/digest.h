#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "sluice/job.h"
#include "sluice/place.h"
#include "sluice/result.h"

namespace sluice {

/// The digest of a dataset: equal for two places exactly when they hold the same data, whatever the
/// servers, their versions, the order of the keys and the encodings (docs/digest.md).
struct DigestResult {
  std::uint64_t keys = 0;
  std::string digest;
  /// Of a backup: what its manifest says; absent when it has none, or one of another definition.
  std::optional<std::string> recorded;

  [[nodiscard]] bool differs() const noexcept { return recorded && *recorded != digest; }
};

/// Reads a place to its end and takes its digest; a live server is attached to as a replica. Of a
/// backup the data are read, not only what its manifest says.
///
/// Errors: those of reading the place; "undecodable" when a value cannot be decoded.
/// Threads: blocks the calling thread; one more receives from a live server.
[[nodiscard]] Result<DigestResult> digest(const Place& place, const JobContext& job);

[[nodiscard]] std::string to_json(const DigestResult& result);

}  // namespace sluice
