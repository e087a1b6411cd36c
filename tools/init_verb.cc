// sluice init

#include <fmt/format.h>

#include <filesystem>
#include <memory>

#include "cli.h"
#include "key_options.h"
#include "sluice/repository.h"

namespace sluice::tools {
namespace {

struct Options {
  std::string repository;
  bool encrypt = false;
};

Result<RepositoryPlace> place_of(const Options& options, const Globals& globals) {
  RepositoryPlace place = globals.repository;
  if (!options.repository.empty()) place.path = options.repository;
  if (!options.encrypt && place.key.is_given()) {
    return std::unexpected(Error{.stage = Stage::usage,
                                 .code = "bad_option",
                                 .message = "a key was given: add --encrypt, or leave it out"});
  }
  if (!options.encrypt || place.key.is_given()) return place;
  auto passphrase = ask_new_passphrase();
  if (!passphrase) return std::unexpected(passphrase.error());
  place.key.passphrase = *std::move(passphrase);
  return place;
}

int run(const Options& options, const Globals& globals) {
  const auto place = place_of(options, globals);
  if (!place) return report(place.error(), globals);
  if (place->path == globals.default_repository) {
    std::error_code ignored;  // making the repository tells what is wrong
    std::filesystem::create_directories(std::filesystem::path(place->path).parent_path(), ignored);
  }
  const auto made = init_repository(*place);
  if (!made) return report(made.error(), globals);
  if (globals.json) {
    fmt::print("{}\n", to_json(*made));
  } else if (made->encrypted) {
    fmt::print("{} is an encrypted repository now; its first key is {}\n", made->path, made->slot);
    fmt::print("whoever loses all keys loses all backups: sluice key add makes another one\n");
  } else {
    fmt::print("{} is a repository now\n", made->path);
  }
  return exit_code::done;
}

}  // namespace

Verb add_init(CLI::App& app, const Globals& globals) {
  auto options = std::make_shared<Options>();
  app.add_option("REPO", options->repository,
                 "Directory, missing or empty (default: the one of --repo)");
  app.add_flag("--encrypt", options->encrypt,
               "Encrypt what is kept there; without a key a passphrase is asked for");
  return [options, &globals] { return run(*options, globals); };
}

}  // namespace sluice::tools
