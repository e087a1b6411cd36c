#pragma once

#include <expected>
#include <filesystem>
#include <optional>
#include <string>

namespace sluice::service {

/// What is wrong with a setting, and what to write or do instead. Never a secret.
struct Refusal {
  std::string what;
  std::string instead;
};
template <class T>
using Setting = std::expected<T, Refusal>;

/// Where files that a configuration names are looked for.
struct FilePlaces {
  std::filesystem::path directory;                   ///< Of the configuration file.
  std::optional<std::filesystem::path> credentials;  ///< $CREDENTIALS_DIRECTORY, of systemd.

  /// Beside the configuration file, unless absolute; in normal form.
  [[nodiscard]] std::filesystem::path file(const std::string& path) const;
  /// Of a secret: below the credentials where there are any, else as file().
  [[nodiscard]] std::filesystem::path secret(const std::string& path) const;
  [[nodiscard]] bool is_credential(const std::filesystem::path& path) const;
};

/// All of a file that only this user can read or write; up to 1 MiB. A credential may belong to
/// root and have an access list, which shows as rights of the group.
[[nodiscard]] Setting<std::string> read_secret(const FilePlaces& places, const std::string& path);
/// Its first line, which must not be empty.
[[nodiscard]] Setting<std::string> read_secret_line(const FilePlaces& places,
                                                    const std::string& path);

}  // namespace sluice::service
