// sluice: backup, restore and inspection of Redis and Valkey servers from the command line.

#include <fmt/format.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <map>
#include <new>

#include "cli.h"
#include "key_options.h"
#include "signals.h"

namespace sluice::tools {
namespace {

/// $XDG_DATA_HOME/sluice, else ~/.local/share/sluice.
std::string default_repository() {
  if (const char* data = std::getenv("XDG_DATA_HOME"); data != nullptr && *data) {
    return (std::filesystem::path(data) / "sluice").string();
  }
  const char* home = std::getenv("HOME");
  return (std::filesystem::path(home != nullptr ? home : ".") / ".local/share/sluice").string();
}

void add_globals(CLI::App& app, Globals& globals) {
  app.add_option("--repo", globals.repository.path,
                 "Repository directory (default: SLUICE_REPO, else ~/.local/share/sluice)")
      ->type_name("DIR");
  add_key_options(app, globals.repository.key, "repo");
  app.add_flag("--json", globals.json, "Print one JSON value on stdout and nothing else there");
  app.add_flag("-q,--quiet", globals.quiet, "No progress");
  app.add_option("--io", globals.io, "How files are written and read")
      ->check(CLI::IsMember({"auto", "io_uring", "threads"}))
      ->capture_default_str();
}

/// CLI11 has a code for each kind of mistake; ours are 0 for help and version, 2 for the rest.
int usage_exit(const CLI::App& app, const CLI::ParseError& problem) {
  const int code = app.exit(problem);
  return code == static_cast<int>(CLI::ExitCodes::Success) ? exit_code::done : exit_code::usage;
}

int run(int argc, char** argv) {
  CLI::App app{"sluice backs up live Redis and Valkey servers as a replica, and puts them back."};
  app.set_version_flag("--version", std::string("sluice ") + SLUICE_VERSION);
  app.require_subcommand(1);
  app.fallthrough();
  Globals globals;
  globals.default_repository = default_repository();
  const char* repository = std::getenv("SLUICE_REPO");
  globals.repository.path =
      repository != nullptr && *repository != '\0' ? repository : globals.default_repository;
  add_globals(app, globals);

  const std::map<std::string, Verb> verbs{
      {"backup", add_backup(*app.add_subcommand("backup", "Take a backup now"), globals)},
      {"list", add_list(*app.add_subcommand("list", "List the backups of a repository"), globals)},
      {"show", add_show(*app.add_subcommand("show", "Show one backup in full"), globals)},
      {"verify", add_verify(*app.add_subcommand("verify", "Read backups back and check every byte"),
                            globals)},
      {"prune", add_prune(*app.add_subcommand(
                              "prune", "Remove backups that a retention policy does not keep"),
                          globals)},
      {"remove", add_remove(*app.add_subcommand("remove", "Remove backups by name"), globals)},
      {"pin", add_pin(*app.add_subcommand("pin", "Keep a backup from being removed"), globals)},
      {"unpin", add_unpin(*app.add_subcommand("unpin", "Take a pin off a backup"), globals)},
      {"trash",
       add_trash(*app.add_subcommand("trash", "List, bring back or empty what was removed"),
                 globals)},
      {"clone",
       add_clone(*app.add_subcommand("clone", "Copy a live server into another"), globals)},
      {"restore",
       add_restore(*app.add_subcommand("restore", "Put a backup into a live server"), globals)},
      {"feed",
       add_feed(*app.add_subcommand("feed", "Serve a backup to servers told REPLICAOF"), globals)},
      {"check", add_check(*app.add_subcommand("check", "Validate an RDB file"), globals)},
      {"export",
       add_export(*app.add_subcommand("export", "Write a dataset as JSON lines, commands or CSV"),
                  globals)},
      {"get", add_get(*app.add_subcommand("get", "Print the value of one key"), globals)},
      {"diff", add_diff(*app.add_subcommand("diff", "Compare the keys of two places"), globals)},
      {"history",
       add_history(*app.add_subcommand("history", "Tell what became of a key, backup by backup"),
                   globals)},
      {"digest",
       add_digest(*app.add_subcommand("digest", "Take the digest of a dataset"), globals)},
      {"init", add_init(*app.add_subcommand("init", "Make a repository"), globals)},
      {"key",
       add_key(*app.add_subcommand("key", "Manage what opens an encrypted repository"), globals)},
      {"doctor",
       add_doctor(*app.add_subcommand("doctor", "Look for what would keep backups from working"),
                  globals)},
      {"analyze",
       add_analyze(*app.add_subcommand("analyze", "Tell what a dataset is made of"), globals)},
      {"serve",
       add_serve(*app.add_subcommand("serve", "Run the service: policies, API, console"), globals)},
  };
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& problem) {
    return usage_exit(app, problem);
  }
  take_key_from_environment(globals.repository.key);
  return verbs.at(app.get_subcommands().front()->get_name())();
}

}  // namespace

IoBackend Globals::io_backend() const {
  if (io == "io_uring") return IoBackend::io_uring;
  if (io == "threads") return IoBackend::threads;
  return IoBackend::automatic;
}

int report(const Error& error, const Globals& globals) {
  fmt::print(stderr, "sluice: {}\n", error.message);
  if (globals.json) fmt::print("{}\n", to_json(error));
  if (error.code == "cancelled") {
    return signal_taken() == SIGTERM ? exit_code::terminated : exit_code::interrupted;
  }
  return error.stage == Stage::usage ? exit_code::usage : exit_code::failed;
}

}  // namespace sluice::tools

int main(int argc, char** argv) {
  try {
    const int code = sluice::tools::run(argc, argv);
    if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return code;
    fmt::print(stderr, "sluice: cannot write to standard output\n");
    return code == sluice::tools::exit_code::done ? sluice::tools::exit_code::failed : code;
  } catch (const std::bad_alloc&) {
    fmt::print(stderr, "sluice: out of memory\n");
  } catch (const std::exception& problem) {
    fmt::print(stderr, "sluice: {}; this is a fault of sluice, please report it\n", problem.what());
  }
  return sluice::tools::exit_code::failed;
}
