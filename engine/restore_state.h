#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "engine/transfer.h"
#include "sluice/restore.h"

namespace sluice::engine {

/// How far a restore has come, as it is noted while it goes on: enough for another one to go on.
/// docs/repository-format.md, restores.
struct RestoreState {
  std::string target;  ///< Address without secrets.
  std::string backup;
  std::string instance;
  std::uint64_t keys = 0;  ///< Of the backup.
  std::string server;      ///< Which run of the target it was: identity_of().
  std::string options;     ///< That decide what is written: options_text().

  std::int64_t started_at_ms = 0;  ///< Unix time; of the first of the restores that make one.

  std::uint64_t records = 0;  ///< All before this one are accounted for in `so_far`.
  /// Offset in the RDB stream of the backup: no record that begins there or later was sent.
  std::uint64_t sent_end = 0;
  TransferState so_far;
};

/// Below what a storage::TargetNote takes: of failures and losses there are only the first few
/// then.
[[nodiscard]] std::string encode(const RestoreState& state);
/// Nullopt for what is no such text.
[[nodiscard]] std::optional<RestoreState> decode_restore_state(std::string_view text);

/// Whoever goes on with a restore has to have the same text.
[[nodiscard]] std::string options_text(const RestoreOptions& options);

/// Another text once the target, or a primary of it, was started anew.
[[nodiscard]] std::string identity_of(const ReadyTarget& target);

}  // namespace sluice::engine
