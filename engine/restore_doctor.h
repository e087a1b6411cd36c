#pragma once

#include "engine/findings.h"
#include "sluice/doctor.h"
#include "storage/layout.h"

namespace sluice::engine {

/// Looks for a restore into a server that was cut short, by the note in the repository. With
/// `options.repair` it is forgotten when the server is empty.
/// Errors: none of its own: what cannot be done is a finding.
void examine_restore(const DoctorOptions& options, const ServerAddress& address, Findings& findings,
                     const JobContext& job);

/// Tells of the servers that a repository has such notes of.
void examine_restore_notes(const storage::Layout& layout, Findings& findings);

}  // namespace sluice::engine
