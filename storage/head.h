#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "storage/backup.h"
#include "storage/error.h"
#include "storage/format.h"

namespace sluice::storage {

enum class HeadState : std::uint8_t { running, committed };

/// Who writes a backup. For people and messages: whether the writer lives, its lock tells.
struct Owner {
  std::string host;
  std::int64_t pid = 0;
  std::string boot_id;  ///< /proc/sys/kernel/random/boot_id; empty where there is none.
};

[[nodiscard]] Owner this_process();

/// The file HEAD of a backup: lease and commit mark in one, the only file that is ever replaced.
struct Head {
  HeadState state = HeadState::running;
  std::uint64_t generation = 1;  ///< One more at each replacement.
  std::string repository_id;
  BackupKey key;
  Owner owner;
  std::uint64_t started_at_ms = 0;   ///< Unix time.
  format::Digest manifest_digest{};  ///< Zero while running.
  std::optional<BackupId> parent;    ///< What it builds on, which must not go meanwhile.
};

/// The sealed text.
[[nodiscard]] std::string serialize(const Head& head);
/// Reads a sealed HEAD. Unknown fields are ignored, an unknown state is unsupported_format.
/// Errors: truncated, checksum_mismatch, corrupt.
[[nodiscard]] Result<Head> parse_head(std::string_view sealed, std::string_view object);

}  // namespace sluice::storage
