#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/job.h"
#include "sluice/repository.h"
#include "sluice/result.h"
#include "sluice/server.h"

namespace sluice {

struct DoctorOptions {
  /// URI of a live server, else the directory of a repository, or one that is to become one.
  std::string place;
  ServerAddress server;  ///< Used when `place` is a URI; `server.uri` is ignored.
  IoBackend io = IoBackend::automatic;
  /// Measures the disk: some seconds, at most 64 MiB at a time, in files without a name. In a
  /// repository, what is found out is kept for the backups to come.
  bool bench = true;
  /// Of a live server: a repository that may have a note of a restore into it (mode feed). One that
  /// is not there is no error. Of a repository: its key, if it is encrypted and that is known.
  RepositoryPlace repository;
  /// Undoes what such a restore has left at the server. Nothing else is ever changed there.
  bool repair = false;
};

/// One thing that was looked at.
struct Finding {
  enum class Level : std::uint8_t {
    ok,
    warn,  ///< Works, but not as it should, or not for long.
    fail,  ///< Something that backups or restores need does not work.
  };

  Level level = Level::ok;
  std::string about;   ///< Stable name for programs: "space", "io_uring", …
  std::string text;    ///< One line: what was found.
  std::string remedy;  ///< One line: what mends it. Empty when all is well.
};

[[nodiscard]] std::string_view to_string(Finding::Level level) noexcept;

/// How fast one way to write and read files is, in megabytes (10^6) a second.
struct DiskSpeed {
  std::string backend;  ///< "io_uring" or "threads".
  bool direct = false;  ///< Past the page cache.
  double write_mb_s = 0;
  double read_mb_s = 0;
};

struct DiskBench {
  std::vector<DiskSpeed> speeds;
  double sync_median_ms = 0;  ///< Of an fdatasync of 4 KiB.
  double sync_max_ms = 0;
  bool direct = false;  ///< What backups will do.
  bool kept = false;    ///< In the repository, for them to know.
};

struct DoctorResult {
  std::string place;  ///< Without secrets.
  std::string kind;   ///< "server" or "repository".
  std::vector<Finding> findings;
  std::optional<DiskBench> bench;
  double seconds = 0;

  /// Whether nothing fails.
  [[nodiscard]] bool ok() const;
};

/// Looks for what would keep backups and restores from working, and says what mends it. What is
/// wrong with the place is a finding, not an error.
/// Errors: an address that is none; "cancelled".
[[nodiscard]] Result<DoctorResult> doctor(const DoctorOptions& options, const JobContext& job);

[[nodiscard]] std::string to_json(const DoctorResult& result);

}  // namespace sluice
