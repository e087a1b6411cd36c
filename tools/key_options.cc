#include "key_options.h"

#include <fmt/format.h>
#include <termios.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <optional>

namespace sluice::tools {
namespace {

/// A terminal that does not show what is typed, as long as this lives.
class HiddenInput {
 public:
  HiddenInput() {
    if (::tcgetattr(STDIN_FILENO, &before_) != 0) return;
    termios hidden = before_;
    hidden.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    changed_ = ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden) == 0;
  }
  HiddenInput(const HiddenInput&) = delete;
  HiddenInput& operator=(const HiddenInput&) = delete;
  ~HiddenInput() {
    if (changed_) ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
  }
  [[nodiscard]] bool works() const noexcept { return changed_; }

 private:
  termios before_{};
  bool changed_ = false;
};

std::optional<std::string> read_line(const char* prompt) {
  fmt::print(stderr, "{}", prompt);
  std::string line;
  for (int letter = std::getchar(); letter != '\n'; letter = std::getchar()) {
    if (letter == EOF) return std::nullopt;
    line += static_cast<char>(letter);
  }
  fmt::print(stderr, "\n");
  return line;
}

std::unexpected<Error> no_passphrase(std::string message) {
  return std::unexpected(
      Error{.stage = Stage::usage, .code = "no_passphrase", .message = std::move(message)});
}

}  // namespace

void add_key_options(CLI::App& app, RepositoryKey& key, const std::string& prefix) {
  auto* passphrase = app.add_option("--" + prefix + "-passphrase-file", key.passphrase_file,
                                    "File whose first line is the passphrase of the repository")
                         ->type_name("FILE");
  auto* file = app.add_option("--" + prefix + "-key-file", key.key_file,
                              "File of 32 bytes or more that is the key of the repository")
                   ->type_name("FILE");
  auto* command = app.add_option("--" + prefix + "-key-command", key.command,
                                 "Command that prints the passphrase of the repository")
                      ->type_name("CMD");
  passphrase->excludes(file)->excludes(command);
  file->excludes(command);
}

void take_key_from_environment(RepositoryKey& key) {
  if (key.is_given()) return;
  const auto value_of = [](const char* name) {
    const char* value = std::getenv(name);
    return std::string(value != nullptr ? value : "");
  };
  if (auto passphrase = value_of("SLUICE_REPOSITORY_PASSPHRASE"); !passphrase.empty())
    key.passphrase = std::move(passphrase);
  else if (auto file = value_of("SLUICE_REPO_PASSPHRASE_FILE"); !file.empty())
    key.passphrase_file = std::move(file);
  else if (auto key_file = value_of("SLUICE_REPO_KEY_FILE"); !key_file.empty())
    key.key_file = std::move(key_file);
  else
    key.command = value_of("SLUICE_REPO_KEY_COMMAND");
}

Result<std::string> ask_new_passphrase() {
  const HiddenInput hidden;
  if (!hidden.works()) {
    return no_passphrase(
        "no key was given, and there is no terminal to ask on: give --repo-passphrase-file, "
        "--repo-key-file or --repo-key-command");
  }
  auto first = read_line("New passphrase: ");
  const auto second = first ? read_line("The same again: ") : std::nullopt;
  if (!second || first->empty()) return no_passphrase("no passphrase was given");
  if (*first != *second) return no_passphrase("the two passphrases differ");
  return *std::move(first);
}

}  // namespace sluice::tools
