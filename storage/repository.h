#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "storage/backup.h"
#include "storage/backup_writer.h"
#include "storage/error.h"
#include "storage/io_queue.h"
#include "storage/key_slot.h"

namespace sluice::storage {

class FileLock;
class Layout;

struct OpenOptions {
  /// Makes a repository of a missing or empty directory (its parent must exist).
  bool create_if_missing = false;
  bool must_create = false;  ///< Errc::exists where there is a repository already.
  /// What opens a repository that is made, which then is encrypted. Must outlive open().
  const NewKeySlot* first_key = nullptr;
  /// What opens an encrypted one; asked only then. A repository that is not encrypted is refused:
  /// who gives a key relies on it.
  KeySource key = {};
  /// Opens an encrypted one without a key too, for what needs none: key slots, removal, list() and
  /// open_backup() as far as packs go, check_backup() below CheckLevel::decoded. All else is
  /// key_needed.
  bool keyless = false;
  IoOptions io;
  /// How long a writer may be silent before another may take its backup from it.
  std::chrono::milliseconds lease_term{std::chrono::minutes(5)};
  /// Whether removed backups and packs are kept in trash/ for a while. If not they are gone at
  /// once.
  bool keep_trash = true;
  /// Called at named steps, in the thread that takes them; tests stop the world there.
  /// Steps: init_directories, init_copy; head_created, pack_published, manifest_published,
  /// before_commit, head_committed; remove_marked, packs_removed, tombstone_written,
  /// tombstones_cleared, manifests_removed, directory_removed. May be empty; must not throw.
  std::function<void(std::string_view step)> on_step;
};

/// One thing that check_backup() found wrong.
struct Problem {
  Error error = {};         ///< Its detail names the object, the place and the chunk.
  std::string object = {};  ///< Path of the file, below the repository.
  /// Ordinals of the chunks that are lost by it; may be empty.
  std::vector<std::uint32_t> chunks = {};
  std::optional<PackId> pack = {};           ///< Set when the object is one.
  std::optional<std::uint64_t> offset = {};  ///< In it, of the blob, when it is about one.
};

/// How far check_backup() goes.
enum class CheckLevel : std::uint8_t {
  listed,  ///< FORMAT, HEAD, manifest and their copies; of packs only whether they have their size.
  stored,  ///< Every byte of every file, against the checksums: needs neither codec nor key.
  decoded,  ///< And every chunk: decoded, deltas applied, its identity computed.
};

struct CheckOptions {
  CheckLevel level = CheckLevel::decoded;
  unsigned threads = 2;  ///< That do the work; 1 or more.
  std::stop_token stop = {};
  /// Whether a pack need not be read, as its bytes were checked before. Chunks with deltas are
  /// checked all the same. Called from any of the threads; may be empty.
  std::function<bool(const PackRef&)> skip = {};
  /// Is told of each pack that was read to its end, and whether nothing was wrong with it. One call
  /// at a time; may be empty.
  std::function<void(const PackRef&, bool is_sound)> on_pack = {};
  /// Grows with the bytes read of packs, for who watches. May be null.
  std::atomic<std::uint64_t>* progress = nullptr;
};

struct CheckStats {
  std::uint64_t bytes = 0;      ///< Of packs, read and checked.
  std::uint64_t raw_bytes = 0;  ///< Of chunks, decoded and checked.
  std::uint64_t chunks = 0;
  std::uint32_t packs = 0;
  std::uint64_t problems = 0;
};

/// What remove_backups() did.
struct Removed {
  /// Pack files that are gone or in the trash, of these and earlier removed backups.
  std::uint64_t packs = 0;
  std::uint64_t bytes = 0;       ///< What they held.
  std::uint64_t kept_packs = 0;  ///< Packs of removed backups that stay, as others name them.
  /// Why no shared pack could be given up: what other backups need is not known. A later removal
  /// tries again.
  std::optional<Error> kept_because;
};

/// What empty_trash() did.
struct Emptied {
  std::uint64_t backups = 0;  ///< Gone for good.
  std::uint64_t packs = 0;
  std::uint64_t bytes = 0;          ///< What those packs held.
  std::uint64_t rescued_packs = 0;  ///< That a listed backup names after all: they are back.
  /// Why nothing went: what the listed backups need is not known.
  std::optional<Error> kept_because;
};

/// A removed backup that can be had back.
struct TrashedBackup {
  BackupKey key;
  std::uint64_t removed_at_ms = 0;  ///< Unix time.
};

struct Trash {
  std::vector<TrashedBackup> backups;  ///< Oldest removal first.
  std::uint64_t packs = 0;
  std::uint64_t bytes = 0;  ///< Of the packs.
};

/// What repack() is to do.
struct RepackOptions {
  /// A pack is thin when less than this part of it is named by backups.
  double live_part_max = 0.6;
  std::uint64_t bytes_max = 10ULL << 30;  ///< Of live bytes, to copy in one go.
  std::stop_token stop = {};
};

/// What repack() did.
struct Repacked {
  std::uint64_t packs = 0;            ///< Thin ones whose blobs now lie elsewhere.
  std::uint64_t bytes = 0;            ///< What those held.
  std::uint64_t copied_bytes = 0;     ///< Of it, what is needed.
  std::uint64_t backups = 0;          ///< Whose manifests were made anew.
  std::optional<Error> left_because;  ///< Why nothing was done: what is needed is not known.
  Removed removed;                    ///< What became of the thin packs, and of others.
};

/// A directory of backups. Format: docs/repository-format.md.
///
/// Durability: what list() shows was wholly on stable storage before it could be shown.
/// Memory:     list() and open_backup() hold one manifest (see Backup) at a time.
/// Threads:    every const function from any number of threads at once; begin_backup() and
///             remove_backup() too, and from other processes: they exclude each other by locks.
class Repository {
 public:
  /// Errors: not_a_repository, not_empty, unsupported_format, unsupported_feature, corrupt or
  /// checksum_mismatch (FORMAT and its copy), exists, key_needed, wrong_key, those of `key`, the
  /// system's. A half-made repository is completed
  /// when `create_if_missing`; one that holds backups and neither FORMAT nor its copy is corrupt.
  [[nodiscard]] static Result<std::unique_ptr<Repository>> open(const std::filesystem::path& path,
                                                                OpenOptions options = {});
  explicit Repository(std::shared_ptr<const Layout> layout, OpenOptions options);
  Repository(const Repository&) = delete;
  Repository& operator=(const Repository&) = delete;
  ~Repository();

  [[nodiscard]] const std::string& id() const noexcept;  ///< 32 hex digits.
  [[nodiscard]] const std::string& path() const noexcept;
  /// Set when FORMAT was bad or missing and its copy was used: for a person to be told.
  [[nodiscard]] const std::optional<Error>& mark_damage() const noexcept;
  [[nodiscard]] const RepositoryKeys& keys() const noexcept;
  [[nodiscard]] const IoOptions& io_options() const noexcept { return options_.io; }
  /// The path of a pack below the repository.
  [[nodiscard]] static std::string pack_name(const PackId& id);
  /// Encrypted, and opened without its key.
  [[nodiscard]] bool is_locked() const noexcept;
  /// For the readers of this layer.
  [[nodiscard]] const std::shared_ptr<const Layout>& shared_layout() const noexcept {
    return layout_;
  }

  /// Clears what dead writers left (all instances; BackupWriter::cleared() tells), then starts a
  /// backup of `instance`. The new id is greater than every id of that instance.
  /// Errors: bad_name; busy when a live writer backs up the same instance (the detail names its
  /// host and pid) or holds the repository's lock for more than 30 s; unsupported_feature;
  /// not_found when the parent is not a committed backup, HEAD's own error when it cannot be read.
  [[nodiscard]] Result<std::unique_ptr<BackupWriter>> begin_backup(std::string_view instance,
                                                                   const BeginOptions& begin = {});

  /// Committed backups, oldest first, of one instance or of all. Damaged ones are listed with what
  /// is wrong: HEAD and manifests are read, packs only looked for. Fails only when a directory
  /// cannot be read.
  [[nodiscard]] Result<std::vector<BackupInfo>> list(
      std::optional<std::string_view> instance = std::nullopt) const;

  /// The one committed backup whose id starts with `id_prefix` (at least one character).
  /// Errors: not_found; ambiguous (the detail lists the candidates); bad_name.
  [[nodiscard]] Result<BackupKey> find(
      std::string_view id_prefix, std::optional<std::string_view> instance = std::nullopt) const;

  /// The newest committed backup of `instance`. Errors: not_found, bad_name.
  [[nodiscard]] Result<BackupKey> newest(std::string_view instance) const;

  /// Reads and checks HEAD and the manifest, or its copy if the manifest is bad, or both of them if
  /// HEAD is bad.
  [[nodiscard]] Result<Backup> open_backup(const BackupKey& key) const;

  /// Reads every byte of every file of the backup: FORMAT and its copy, HEAD, manifest, copy, and
  /// all packs that it names, other backups' blobs in them too. At CheckLevel::decoded also decodes
  /// every chunk and computes its identity. Tells `on_problem` each thing that is wrong, from
  /// threads of its own, one at a time; any single flipped bit or cut is found.
  /// Memory: for each thread as a ChunkReader.
  /// Fails only when it cannot work at all (no I/O queue) or is stopped (ECANCELED); what it finds
  /// is no failure.
  [[nodiscard]] Result<CheckStats> check_backup(
      const Backup& backup, const std::function<void(const Problem&)>& on_problem,
      const CheckOptions& options = {}) const;

  /// What set_checked() has put beside the backup; nullopt when there is none. Errors: not_found
  /// for a backup that is not there; truncated, checksum_mismatch, limit_exceeded.
  [[nodiscard]] Result<std::optional<std::string>> checked(const BackupKey& key) const;

  /// Puts a text beside the backup that says how its last check went, in the place of the one
  /// before. Opaque here; of at most 63 KiB, printable. No part of the backup: lost or damaged, it
  /// is as if there had been no check.
  [[nodiscard]] Result<void> set_checked(const BackupKey& key, std::string_view text) const;

  /// Unlists the backups, then has those of their packs, and of those of backups removed earlier,
  /// that no other backup names, go to the trash, with their directories; for good unless
  /// OpenOptions::keep_trash. After a crash on the way the next begin_backup() finishes the work.
  /// Errors, before any is unlisted: not_found; pinned; busy while its writer lives, or while a
  /// backup that builds on it is being written.
  [[nodiscard]] Result<Removed> remove_backups(std::span<const BackupKey> keys,
                                               bool accept_shrinkage = false);
  [[nodiscard]] Result<Removed> remove_backup(const BackupKey& key) {
    return remove_backups({&key, 1});
  }

  /// Removes for good what went to the trash before `before_ms` (Unix time), once no manifest names
  /// any of its packs: those that one names go back.
  [[nodiscard]] Result<Emptied> empty_trash(std::uint64_t before_ms, bool accept_shrinkage = false);
  [[nodiscard]] Result<Trash> trash() const;
  /// Lists a removed backup again. Errors: not_found.
  [[nodiscard]] Result<void> restore_from_trash(const BackupKey& key);

  /// Copies what is named of thin packs to new ones, so that the thin ones can go. Only packs of
  /// removed backups are ever thin. Backups that a running one builds on are left as they are. The
  /// repository's lock is held while packs are chosen and while manifests are made anew, not while
  /// blobs are copied. After a crash on the way the next begin_backup() clears up.
  /// Errors: busy while another repacks; ECANCELED; nothing has changed then.
  [[nodiscard]] Result<Repacked> repack(const RepackOptions& options = {});

  /// While a backup is pinned it cannot be removed. `note` is for people. Errors: not_found.
  [[nodiscard]] Result<void> pin(const BackupKey& key, std::string_view note);
  /// Nothing when it has no pin. Errors: not_found.
  [[nodiscard]] Result<void> unpin(const BackupKey& key);

 private:
  [[nodiscard]] Result<FileLock> lock_for_collection() const;

  std::shared_ptr<const Layout> layout_;
  OpenOptions options_;
};

}  // namespace sluice::storage
