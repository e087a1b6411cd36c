#pragma once

#include <string>

#include "engine/findings.h"
#include "sluice/doctor.h"
#include "storage/layout.h"

namespace sluice::engine {

/// Looks for what a restore in mode feed has left at a server, by the note in the repository and by
/// what the server says of itself; undoes it if `options.repair`.
/// Errors: none of its own: what cannot be done is a finding.
void examine_feed(const DoctorOptions& options, const ServerAddress& address, Findings& findings,
                  const JobContext& job);

/// Tells of the servers that a repository has such notes of.
void examine_feed_notes(const storage::Layout& layout, Findings& findings);

}  // namespace sluice::engine
