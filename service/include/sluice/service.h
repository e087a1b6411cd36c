#pragma once

#include <atomic>
#include <functional>
#include <stop_token>
#include <string>
#include <string_view>

#include "sluice/result.h"

namespace sluice {

struct ServeOptions {
  std::string config;   ///< Path of the TOML file (docs/service.md).
  std::string version;  ///< Of the program.
  /// Set by the caller, at any time, to have the file read anew; taken back once that was done.
  std::atomic<bool>* reload = nullptr;
  /// Takes lines for the operator; never a secret but the one-time token of the first start.
  std::function<void(std::string_view line)> log;
};

/// Runs the service: schedules, jobs, the HTTP API and the console, until asked to stop. Jobs that
/// run then are cancelled, and done again at the next start.
/// Errors:  "bad_config" with all mistakes of the file, one a line; "listen_failed";
///          "bad_certificate"; "state_failed"; "state_in_use" by another service.
/// Threads: blocks the calling thread. SIGPIPE has to be ignored.
[[nodiscard]] Result<void> serve(const ServeOptions& options, std::stop_token stop);

/// Only reads the configuration, and says what is wrong with it. Errors: as serve().
[[nodiscard]] Result<void> check_service_config(const std::string& config);

/// A configuration to start with: every setting, with its default, explained.
[[nodiscard]] std::string starting_service_config();

}  // namespace sluice
