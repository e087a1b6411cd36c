#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "sluice/result.h"

namespace sluice {

/// What opens an encrypted repository. At most one of these is set. Files that others could read,
/// or own, are refused.
struct RepositoryKey {
  std::string passphrase_file;            ///< Its first line.
  std::string key_file;                   ///< All of it: 32 bytes at least, 1 MiB at most.
  std::string command;                    ///< For /bin/sh; what it prints is the passphrase.
  std::optional<std::string> passphrase;  ///< From the environment or a terminal.
  std::optional<std::string> key_bytes;   ///< As what is in a key file.

  [[nodiscard]] bool is_given() const noexcept {
    return !passphrase_file.empty() || !key_file.empty() || !command.empty() || passphrase ||
           key_bytes;
  }
};

/// A repository and how to get in. A key for one that is not encrypted is refused: who gives one
/// relies on it.
struct RepositoryPlace {
  RepositoryPlace() = default;
  RepositoryPlace(std::string directory) : path(std::move(directory)) {}  // NOLINT: most need none
  RepositoryPlace(const char* directory) : path(directory) {}             // NOLINT
  RepositoryPlace(std::string directory, RepositoryKey opener)
      : path(std::move(directory)), key(std::move(opener)) {}

  std::string path;
  RepositoryKey key;
};

struct InitResult {
  std::string path;
  std::string id;  ///< 32 hex digits.
  bool encrypted = false;
  std::string slot;  ///< Of its first key; empty when it is not encrypted.
};

/// Makes a repository of a missing or empty directory; encrypted when the place has a key, which
/// then opens it. Errors: "exists", "not_empty"; what is wrong with the key; the system's.
[[nodiscard]] Result<InitResult> init_repository(const RepositoryPlace& place);

/// A way into an encrypted repository.
struct KeySlotInfo {
  std::string id;
  std::string kind;  ///< "passphrase", "key-file" or "command"; empty when it is damaged.
  std::string label;
  std::int64_t created_at_ms = 0;
  std::optional<std::string> damage;
};

/// The key slots, by the time they were made. Needs no key. Errors: "unsupported_feature" for a
/// repository that is not encrypted.
[[nodiscard]] Result<std::vector<KeySlotInfo>> list_keys(const RepositoryPlace& place);
/// Makes another way in and gives the id of its slot; no data are written anew. The place's own key
/// has to be one that opens it.
[[nodiscard]] Result<std::string> add_key(const RepositoryPlace& place, const RepositoryKey& added,
                                          const std::string& label);
/// Closes a way in. It does not help against who has a copy of the slot and what opens it: the
/// keys of the data stay what they are. Errors: "not_found", "last_key"; as add_key().
[[nodiscard]] Result<void> remove_key(const RepositoryPlace& place, const std::string& slot);

[[nodiscard]] std::string to_json(const InitResult& result);
[[nodiscard]] std::string to_json(const std::vector<KeySlotInfo>& slots);

}  // namespace sluice
