#pragma once

#include <optional>

#include "service/job.h"
#include "service/job_store.h"
#include "sluice/clone.h"
#include "sluice/restore.h"

namespace sluice::service {

/// What is wrong with a restore that came to its end; none when every key is where it should be.
[[nodiscard]] std::optional<Error> fault_of(const RestoreResult& result);

/// The end of a job that was a restore, or a dry run of one.
[[nodiscard]] JobOutcome outcome_of(const RestoreResult& result);

}  // namespace sluice::service
