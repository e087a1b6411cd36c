#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "storage/backup.h"
#include "storage/error.h"
#include "storage/layout.h"

namespace sluice::storage {

/// Some of the things of a kind, and how many there are.
struct Sample {
  static constexpr std::size_t names_max = 5;

  std::uint64_t count = 0;
  std::vector<std::string> names;  ///< Paths below the repository; the first few.

  void add(const std::string& name) {
    if (++count <= names_max) names.push_back(name);
  }
};

/// What a repository's directories show of how it fares, beside its backups.
struct Inspection {
  std::optional<Error> mark_damage;       ///< What is wrong with FORMAT.
  std::optional<Error> mark_copy_damage;  ///< The same of its twin, where the format has one.

  Sample unwritable;     ///< Directories that this process may not write to.
  Sample foreign;        ///< Files and directories of another owner.
  Sample open_to_read;   ///< What others than the owner can read or search.
  Sample open_to_write;  ///< What others than the owner can write to.
  Sample live_writers;   ///< Backups being written: "<instance>/<backup id>".
  Sample dead_writers;   ///< Backups that nobody writes any more, and that were not finished.
  Sample stray_packs;    ///< Of a backup that has no directory.
  std::uint64_t stray_bytes = 0;
  Sample temporary;  ///< Scratch of writers, live or dead.
};

/// Looks at every directory and file by its name and status; reads FORMAT and HEADs. Changes
/// nothing. What is made or removed meanwhile may be seen or not.
/// Errors: a directory that cannot be listed.
[[nodiscard]] Result<Inspection> inspect(const Layout& layout);

}  // namespace sluice::storage
