#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sluice/result.h"

namespace sluice {

/// Which backups of an instance are kept: those that any of these rules keeps. Periods are those of
/// the process's time zone (TZ); weeks begin on Monday.
struct RetentionPolicy {
  unsigned last = 0;  ///< The newest so many.
  /// Those that started within so many milliseconds before the newest one or before now, whichever
  /// is earlier, and the one before these, so that the state at the beginning of that time can be
  /// had. A clock that ran ahead for one backup does not cost those before it.
  std::int64_t within_ms = 0;
  unsigned hourly = 0;  ///< The newest of each of the last so many hours that have any.
  unsigned daily = 0;
  unsigned weekly = 0;
  unsigned monthly = 0;
  unsigned yearly = 0;
  /// At least so many whole ones are kept of each instance, the newest, whatever the rest says.
  unsigned minimum = 1;

  /// Whether no rule keeps anything; `minimum` is none.
  [[nodiscard]] bool is_empty() const noexcept;
};

/// A backup to be judged.
struct RetentionCandidate {
  std::string id;
  std::string instance;
  std::int64_t started_at_ms = 0;  ///< Unix milliseconds.
  bool whole = true;               ///< Nothing of it is known to be damaged or missing.
  bool pinned = false;
};

struct RetentionVerdict {
  std::string id;
  std::string instance;
  std::int64_t started_at_ms = 0;
  bool keep = false;
  std::vector<std::string> reasons;  ///< Names of the rules that keep it, as "daily"; or why not.
};

/// Judges backups, each instance for itself; in the order given.
///
/// A damaged one takes no whole one's place under any rule. It is kept itself until it is older
/// than every whole one that is kept: something of it may be needed. With no whole one, all are
/// kept. Errors: "empty_policy".
[[nodiscard]] Result<std::vector<RetentionVerdict>> judge_retention(
    const std::vector<RetentionCandidate>& backups, const RetentionPolicy& policy,
    std::int64_t now_ms);

}  // namespace sluice
