#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "storage/backup.h"
#include "storage/error.h"
#include "storage/format.h"
#include "storage/secret.h"

namespace sluice::storage {

/// A fenced backup was being written when another took it over: its writer cannot commit any more.
/// `packs`: not a backup, but packs that repacking wrote, which other backups name.
enum class HeadState : std::uint8_t { running, committed, fenced, packs };
inline constexpr std::array head_states{HeadState::running, HeadState::committed, HeadState::fenced,
                                        HeadState::packs};

/// Who writes a backup. For people and messages: whether the writer lives, its lock tells.
struct Owner {
  std::string host;
  std::int64_t pid = 0;
  std::string boot_id;  ///< /proc/sys/kernel/random/boot_id; empty where there is none.
};

[[nodiscard]] Owner this_process();

/// The file HEAD of a backup: lease and commit mark in one, and replaced only by compare-and-swap
/// (swap_head()).
struct Head {
  HeadState state = HeadState::running;
  std::uint64_t generation = 1;  ///< One more at each replacement.
  std::string repository_id;
  BackupKey key;
  Owner owner;
  std::uint64_t started_at_ms = 0;   ///< Unix time.
  format::Digest manifest_digest{};  ///< Zero while running.
  std::optional<BackupId> parent;    ///< What it builds on, which must not go meanwhile.
  /// Of the parent, as this writer reads it. None where an older program wrote HEAD.
  std::optional<format::Digest> parent_manifest_digest = {};
  /// Unix time at which the writer may be taken to be gone unless it has renewed HEAD. It only
  /// decides when to try to fence it: nothing is safe because of a clock. 0: no lease, its lock
  /// alone tells; so older programs write it.
  std::uint64_t lease_until_ms = 0;
  std::optional<Owner> fenced_by = {};  ///< Who took it from its writer.
  /// Which of its manifests counts: 0 is `manifest`, n is `manifest.n`, as repacking makes them.
  std::uint32_t manifest_number = 0;
};

/// The sealed text. `mac_key` (Layout::head_key()) is null where the repository is not encrypted;
/// else the text has a line with its HMAC.
[[nodiscard]] std::string serialize(const Head& head, const SecretKey* mac_key = nullptr);
/// Reads a sealed HEAD. Unknown fields are ignored, an unknown state is unsupported_format.
/// `mac_key`: null where there is no key, and then nothing tells whose it is.
/// Errors: truncated, checksum_mismatch, corrupt; not_authentic without that key's HMAC.
[[nodiscard]] Result<Head> parse_head(std::string_view sealed, std::string_view object,
                                      const SecretKey* mac_key = nullptr);

}  // namespace sluice::storage
