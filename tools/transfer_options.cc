#include "transfer_options.h"

#include <fmt/format.h>
#include <unistd.h>

#include <iostream>

namespace sluice::tools {

void add_transfer_options(CLI::App& app, TransferOptions& options,
                          const std::vector<std::string>& modes) {
  app.add_option("--mode", options.mode, "How keys are written")
      ->check(CLI::IsMember(modes))
      ->capture_default_str();
  app.add_option("--connections", options.connections, "To the target, at a time")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  app.add_option("--rate", options.rate, "Bytes a second that are sent at most, e.g. 20MB")
      ->transform(CLI::AsSizeValue(true));
  app.add_option("--max-latency", options.latency_ms_max,
                 "Send less while a PING takes longer than so many milliseconds")
      ->check(CLI::Range(0.1, 60000.0))
      ->type_name("MS");
  app.add_option("--on-conflict", options.on_conflict,
                 "When the target holds keys: refuse to start, replace or skip those that exist")
      ->check(CLI::IsMember({"refuse", "replace", "skip"}))
      ->capture_default_str();
  app.add_flag("--flush", options.flush, "Empty the target first: all databases, and functions");
  app.add_flag("--yes", options.yes, "Do not ask before --flush");
  auto* verify =
      app.add_flag("--verify", options.verify,
                   "Read back what the target holds and compare; on by default when it was empty");
  app.add_flag("--no-verify", options.no_verify, "Do not")->excludes(verify);
}

OnConflict policy_of(const TransferOptions& options) {
  if (options.on_conflict == "replace") return OnConflict::replace;
  if (options.on_conflict == "skip") return OnConflict::skip;
  return OnConflict::refuse;
}

RestoreMode mode_of(const TransferOptions& options) {
  for (const RestoreMode mode : {RestoreMode::feed, RestoreMode::restore, RestoreMode::commands}) {
    if (options.mode == to_string(mode)) return mode;
  }
  return RestoreMode::automatic;
}

Proof proof_of(const TransferOptions& options) {
  if (options.no_verify) return Proof::never;
  return options.verify ? Proof::always : Proof::automatic;
}

bool may_flush(const TransferOptions& options) {
  if (!options.flush || options.yes) return true;
  if (isatty(STDIN_FILENO) == 0) return false;
  fmt::print(stderr,
             "Delete every key of all databases of the target, and its functions? Type yes: ");
  std::string answer;
  return std::getline(std::cin, answer) && answer == "yes";
}

Error not_confirmed() {
  return {.stage = Stage::usage,
          .code = "not_confirmed",
          .message =
              "--flush deletes every key of all databases of the target, and its "
              "functions: confirm with --yes"};
}

}  // namespace sluice::tools
