#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>

#include "sluice/job.h"
#include "sluice/repository.h"
#include "sluice/result.h"

namespace sluice::tools {

/// What scripts may rely on; see docs/cli.md.
namespace exit_code {
inline constexpr int done = 0;
inline constexpr int failed = 1;
inline constexpr int usage = 2;
inline constexpr int incomplete = 3;  ///< Done, but some keys were skipped or failed.
inline constexpr int different = 4;   ///< Verification found a difference.
inline constexpr int interrupted = 130;
inline constexpr int terminated = 143;
}  // namespace exit_code

/// Options that every verb takes.
struct Globals {
  RepositoryPlace repository;      ///< Resolved: --repo, SLUICE_REPO, or the default place.
  std::string default_repository;  ///< The default place, whose parents may be made.
  bool json = false;
  bool quiet = false;
  std::string io = "auto";

  [[nodiscard]] IoBackend io_backend() const;
};

/// One verb: adds its options to `app` and says what to run once they are parsed. The returned
/// callable gives the exit code.
using Verb = std::function<int()>;
Verb add_backup(CLI::App& app, const Globals& globals);
Verb add_list(CLI::App& app, const Globals& globals);
Verb add_show(CLI::App& app, const Globals& globals);
Verb add_verify(CLI::App& app, const Globals& globals);
Verb add_restore(CLI::App& app, const Globals& globals);
Verb add_clone(CLI::App& app, const Globals& globals);
Verb add_analyze(CLI::App& app, const Globals& globals);
Verb add_serve(CLI::App& app, const Globals& globals);
Verb add_check(CLI::App& app, const Globals& globals);
Verb add_export(CLI::App& app, const Globals& globals);
Verb add_get(CLI::App& app, const Globals& globals);
Verb add_digest(CLI::App& app, const Globals& globals);
Verb add_diff(CLI::App& app, const Globals& globals);
Verb add_history(CLI::App& app, const Globals& globals);
Verb add_feed(CLI::App& app, const Globals& globals);
Verb add_prune(CLI::App& app, const Globals& globals);
Verb add_remove(CLI::App& app, const Globals& globals);
Verb add_pin(CLI::App& app, const Globals& globals);
Verb add_unpin(CLI::App& app, const Globals& globals);
Verb add_trash(CLI::App& app, const Globals& globals);
Verb add_init(CLI::App& app, const Globals& globals);
Verb add_key(CLI::App& app, const Globals& globals);
Verb add_doctor(CLI::App& app, const Globals& globals);

/// Says on stderr why a job failed, as JSON on stdout too when that was asked for, and gives the
/// exit code.
int report(const Error& error, const Globals& globals);

}  // namespace sluice::tools
