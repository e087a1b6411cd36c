#pragma once

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "storage/backup.h"
#include "storage/backup_id.h"
#include "storage/error.h"
#include "storage/file.h"
#include "storage/head.h"
#include "storage/key_slot.h"
#include "storage/repository_cipher.h"
#include "storage/repository_mark.h"
#include "storage/repository_stamp.h"

namespace sluice::storage {

/// Names below the root of a repository.
namespace name {
inline constexpr std::string_view mark = "FORMAT";
inline constexpr std::string_view mark_copy = "FORMAT.copy";
inline constexpr std::string_view lock = "LOCK";
inline constexpr std::string_view io_hint = "IO";
inline constexpr std::string_view feeds = "feeds";
inline constexpr std::string_view restores = "restores";
inline constexpr std::string_view packs = "packs";
inline constexpr std::string_view instances = "instances";
inline constexpr std::string_view tmp = "tmp";
inline constexpr std::string_view gc = "gc";
inline constexpr std::string_view keys = "keys";
inline constexpr std::string_view head = "HEAD";
inline constexpr std::string_view removed_head = "HEAD.removed";
inline constexpr std::string_view writer_lock = "LOCK";
inline constexpr std::string_view manifest = "manifest";
inline constexpr std::string_view manifest_copy = "manifest.copy";
inline constexpr std::string_view checked = "CHECKED";
inline constexpr std::string_view pinned = "PINNED";
inline constexpr std::string_view trash = "trash";
}  // namespace name

/// The names of one manifest and its copy.
struct ManifestNames {
  std::string manifest;
  std::string copy;
};
/// `number` as HEAD has it: `manifest`, `manifest.copy`; then `manifest.1`, `manifest.1.copy`, ….
[[nodiscard]] ManifestNames manifest_names(std::uint32_t number);
/// The number of what has such a name; nullopt for other names.
[[nodiscard]] std::optional<std::uint32_t> manifest_number(std::string_view file);

/// How a repository is opened or made.
struct LayoutOptions {
  bool create_if_missing = false;
  bool must_create = false;  ///< Errc::exists where there is a repository already.
  /// What opens a repository that is made, which then is encrypted. Must outlive the call.
  const NewKeySlot* first_key = nullptr;
  KeySource key = {};    ///< Asked when the repository is encrypted. One that is not is refused.
  bool keyless = false;  ///< Opens an encrypted one without a key too: for what needs none.
  /// Is told "init_directories" before FORMAT.copy is written, "init_copy" before FORMAT.
  std::function<void(std::string_view)> at_step = {};
};

/// An open repository as directories: where each object lies. Knows nothing of their contents but
/// FORMAT and HEAD.
/// Threads: any number at once.
class Layout {
 public:
  /// Opens the directory `path`, or makes a repository of it. Errors: as Repository::open().
  [[nodiscard]] static Result<Layout> open(const std::string& path, const LayoutOptions& options);
  Layout(Directory root, RepositoryMark mark) noexcept;

  [[nodiscard]] const Directory& root() const noexcept { return root_; }
  [[nodiscard]] const RepositoryMark& mark() const noexcept { return mark_; }
  [[nodiscard]] const RepositoryKeys& keys() const noexcept { return keys_; }
  /// Set when FORMAT was bad or missing and its copy was used.
  [[nodiscard]] const std::optional<Error>& mark_damage() const noexcept { return mark_damage_; }
  [[nodiscard]] const std::string& path() const noexcept { return root_.path; }
  /// What packs and manifests say of the repository. Not longer valid than this.
  [[nodiscard]] RepositoryStamp stamp() const noexcept;
  /// What encrypts. Null when nothing is encrypted. Errors: key_needed when it was opened without.
  [[nodiscard]] Result<const RepositoryCipher*> need_cipher() const;
  /// Of the MAC of each HEAD; null where nothing is encrypted, or while locked.
  [[nodiscard]] const SecretKey* head_key() const noexcept;
  /// Encrypted and opened without a key.
  [[nodiscard]] bool is_locked() const noexcept { return mark_.encrypted && !cipher_; }
  [[nodiscard]] Result<void> allows(Operation operation) const;

  [[nodiscard]] Result<Directory> directory(std::string_view name) const;
  [[nodiscard]] Result<Directory> shard(unsigned shard) const;
  [[nodiscard]] Result<Directory> instance(std::string_view instance) const;
  [[nodiscard]] Result<Directory> backup(const BackupKey& key) const;
  /// Path below the root, for messages and problems.
  [[nodiscard]] static std::string pack_name(const PackId& id);
  [[nodiscard]] static std::string backup_name(const BackupKey& key, std::string_view file);
  /// Reads FORMAT or FORMAT.copy as it is now.
  [[nodiscard]] Result<RepositoryMark> read_mark(std::string_view file) const;

  /// Instances that have a directory, sorted.
  [[nodiscard]] Result<std::vector<std::string>> instances() const;
  /// Ids that have a directory, committed or not, oldest first. Empty for an unknown instance.
  [[nodiscard]] Result<std::vector<BackupId>> backup_ids(std::string_view instance) const;
  /// The backups of all instances, in that order.
  [[nodiscard]] Result<std::vector<BackupKey>> all_keys() const;
  /// Reads HEAD and checks that it is of this backup in this repository. nullopt: there is none.
  [[nodiscard]] Result<std::optional<Head>> head(const BackupKey& key) const;

 private:
  [[nodiscard]] Result<void> unlock(const LayoutOptions& options);

  Directory root_;
  RepositoryMark mark_;
  RepositoryKeys keys_;  // zeros while locked
  std::shared_ptr<const RepositoryCipher> cipher_;
  std::optional<Error> mark_damage_;
};

}  // namespace sluice::storage
