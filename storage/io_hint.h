#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "storage/error.h"
#include "storage/file.h"

namespace sluice::storage {

/// What was measured of the disk below a repository: the file IO, a sealed text. Nothing depends on
/// it but speed. Whoever finds it missing or damaged goes on without.
struct IoHint {
  bool direct = false;  ///< Whether DirectIo::automatic writes past the page cache.
  std::uint64_t measured_at_ms = 0;
  double direct_mb_s = 0;  ///< 0: the file system has no direct I/O.
  double buffered_mb_s = 0;
  std::string kernel;  ///< `uname -r` then.
};

[[nodiscard]] std::string serialize(const IoHint& hint);
/// nullopt for what is no such text, or damaged.
[[nodiscard]] std::optional<IoHint> parse_io_hint(std::string_view sealed);

/// nullopt when it is missing, unreadable or damaged.
[[nodiscard]] std::optional<IoHint> read_io_hint(const Directory& root);
/// Puts it in the place of what is there.
[[nodiscard]] Result<void> write_io_hint(const Directory& root, const IoHint& hint);

/// Direct I/O leaves the page cache to the database and costs less CPU: it is taken when it is no
/// more than 5 % slower.
[[nodiscard]] bool prefers_direct(double direct_mb_s, double buffered_mb_s) noexcept;

}  // namespace sluice::storage
