#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>
#include <vector>

#include "cli.h"
#include "sluice/restore.h"

namespace sluice::tools {

/// What restore and clone have in common: how keys get into a target.
struct TransferOptions {
  std::string mode = "auto";
  unsigned connections = 2;
  std::uint64_t rate = 0;
  double latency_ms_max = 0;
  std::string on_conflict = "refuse";
  bool flush = false;
  bool yes = false;
  bool verify = false;
  bool no_verify = false;
};

/// `modes`: those that the verb has.
void add_transfer_options(CLI::App& app, TransferOptions& options,
                          const std::vector<std::string>& modes);

[[nodiscard]] OnConflict policy_of(const TransferOptions& options);
[[nodiscard]] RestoreMode mode_of(const TransferOptions& options);
[[nodiscard]] Proof proof_of(const TransferOptions& options);

/// Whether the target may be emptied, if that is asked for: asks on the terminal; without one,
/// --yes is needed.
[[nodiscard]] bool may_flush(const TransferOptions& options);
/// What is said when it may not.
[[nodiscard]] Error not_confirmed();

/// How keys are written, for RestoreOptions or CloneOptions; not what happens to those that are
/// there.
template <typename Job>
void apply(const TransferOptions& options, Job& job) {
  job.mode = mode_of(options);
  job.verify = proof_of(options);
  job.connections = options.connections;
  job.bytes_per_second = options.rate;
  job.latency_ms_max = options.latency_ms_max;
}

}  // namespace sluice::tools
