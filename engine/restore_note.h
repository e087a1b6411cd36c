#pragma once

#include <optional>
#include <string>

#include "engine/progress_meter.h"
#include "engine/repository_access.h"
#include "engine/restore_state.h"
#include "engine/server_link.h"
#include "sluice/restore.h"
#include "sluice/result.h"
#include "storage/repository.h"
#include "storage/target_note.h"

namespace sluice::engine {

/// The note of a restore into one target, in the repository of the backup. One restore holds it at
/// a time. Where it cannot be kept the restore goes on without: a notice says so.
///
/// Lifetime: what it is opened with outlives it. Threads: one at a time.
class RestoreNote {
 public:
  /// Errors: "busy" when another restore into the target is under way; "bad_note".
  [[nodiscard]] static Result<RestoreNote> open(const storage::Repository& repository,
                                                const ServerLink& link, ProgressMeter& meter);

  /// What an interrupted restore left.
  [[nodiscard]] const std::optional<RestoreState>& left() const noexcept { return left_; }
  /// Whether what was left is of this backup and of these options.
  /// Errors: "nothing_to_resume", "resume_differs", "bad_option".
  [[nodiscard]] Result<void> check(const OpenBackup& backup, const RestoreOptions& options) const;

  [[nodiscard]] bool is_kept() const noexcept { return note_.has_value(); }
  void write(const RestoreState& state);
  /// The restore came to its end.
  void clear();

 private:
  RestoreNote(const ServerLink& link, ProgressMeter& meter) : link_(link), meter_(meter) {}
  void give_up(const std::string& why);

  const ServerLink& link_;
  ProgressMeter& meter_;
  std::optional<storage::TargetNote> note_;
  std::optional<RestoreState> left_;
};

}  // namespace sluice::engine
