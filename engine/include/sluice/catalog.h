#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "sluice/backup.h"
#include "sluice/repository.h"
#include "sluice/result.h"

namespace sluice {

struct ListOptions {
  RepositoryPlace repository;
  std::optional<std::string> instance;
  std::optional<std::int64_t> from_ms;  ///< Started at or after, Unix milliseconds.
  std::optional<std::int64_t> to_ms;    ///< Started at or before.
};

/// The committed backups, oldest first. Reads manifests only.
[[nodiscard]] Result<std::vector<BackupSummary>> list(const ListOptions& options);

/// One backup in full.
struct BackupDetail {
  BackupSummary summary;
  std::uint64_t chunks = 0;
  std::uint64_t runs = 0;       ///< Chunks that hold keys; in canonical layout. So with the next.
  std::uint64_t fragments = 0;  ///< Chunks that hold pieces of long values.
  /// How many chunks are stored as one blob, as one and a delta against it, and so on.
  std::vector<std::uint64_t> chain_depths;
  std::vector<std::string> packs;         ///< All that it needs, those of earlier backups too.
  std::uint64_t pack_file_bytes = 0;      ///< Of all of these.
  std::uint64_t own_packs = 0;            ///< Of these, what this backup wrote.
  std::uint64_t own_pack_file_bytes = 0;  ///< Of its own.
  std::vector<std::string> used_by;       ///< Ids of the other backups that need some of its own.
  std::map<std::uint64_t, std::uint64_t> databases;      ///< Keys by DB index.
  std::uint64_t functions = 0;                           ///< Function libraries.
  std::vector<std::pair<std::string, std::string>> aux;  ///< Aux fields, escaped, in order.
};

/// `backup`: an id, a unique prefix of one, LATEST, INSTANCE@LATEST or INSTANCE@<RFC 3339 time>
/// (the newest at or before). Errors: "not_found", "ambiguous".
[[nodiscard]] Result<BackupDetail> show(const RepositoryPlace& repository,
                                        const std::string& backup);

[[nodiscard]] std::string to_json(const std::vector<BackupSummary>& backups);
[[nodiscard]] std::string to_json(const BackupDetail& detail);

/// Parses an RFC 3339 time; "2026-11-22", "2026-11-22T09:00:00Z", with offset or fraction.
[[nodiscard]] Result<std::int64_t> parse_time(const std::string& text);
/// RFC 3339 in UTC with milliseconds. That has four digits for a year: times before or after come
/// as the first or last that it can write.
[[nodiscard]] std::string format_time(std::int64_t unix_ms);

}  // namespace sluice
