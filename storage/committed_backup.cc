#include "storage/committed_backup.h"

#include <algorithm>
#include <string>
#include <utility>

namespace sluice::storage {
namespace {

/// A manifest of either kind, and what was wrong on the way to it.
template <class Manifest>
struct Witnessed {
  Manifest manifest;
  std::optional<Error> manifest_damage;
  std::optional<Error> head_damage;
};

/// The manifest that HEAD names, from the copy if need be.
template <class Manifest, class Read>
Result<Witnessed<Manifest>> read_either(const Directory& directory, const Head& head, Read read) {
  const ManifestNames names = manifest_names(head.manifest_number);
  const format::Digest& digest = head.manifest_digest;
  const auto read_named = [&](std::string_view file) -> Result<Manifest> {
    Result<Manifest> manifest = read(file);
    if (manifest && manifest->manifest_digest != digest) {
      return std::unexpected(
          Error{.code = Errc::corrupt,
                .detail = directory.path_of(file) + ": not the manifest that HEAD names"});
    }
    return manifest;
  };
  auto first = read_named(names.manifest);
  if (first) return Witnessed<Manifest>{*std::move(first), {}, {}};
  auto copy = read_named(names.copy);
  if (copy) return Witnessed<Manifest>{*std::move(copy), std::move(first.error()), {}};
  first.error().detail += "; and " + to_string(copy.error());
  return std::unexpected(std::move(first.error()));
}

/// For a HEAD that cannot be read: two manifests, each whole and of this backup, that are the same
/// are as good a witness. HEAD's own error otherwise.
template <class Manifest, class Read>
Result<Witnessed<Manifest>> read_both(const Directory& directory, Error head_error, Read read) {
  const auto last = last_manifest_number(directory);  // repacking removes those before
  if (!last) return std::unexpected(last.error());
  const ManifestNames names = manifest_names(*last);
  Result<Manifest> manifest = read(names.manifest);
  Result<format::Digest> copy_digest = format::Digest{};
  {
    const Result<Manifest> copy = read(names.copy);
    if (copy)
      copy_digest = copy->manifest_digest;
    else
      copy_digest = std::unexpected(copy.error());
  }
  if (!manifest) head_error.detail += "; and " + to_string(manifest.error());
  if (!copy_digest) head_error.detail += "; and " + to_string(copy_digest.error());
  const bool agree = manifest && copy_digest && manifest->manifest_digest == *copy_digest;
  // A state that is unknown here is no damage: a newer program knows what it means.
  // One that is not authentic was not damaged but made.
  if (!agree || head_error.code == Errc::unsupported_format ||
      head_error.code == Errc::not_authentic)
    return std::unexpected(std::move(head_error));
  return Witnessed<Manifest>{*std::move(manifest), {}, std::move(head_error)};
}

/// `read_file` is read_manifest() or what reads less of it.
template <class Manifest, class ReadFile>
Result<std::optional<Witnessed<Manifest>>> read_witnessed(const Layout& layout,
                                                          const BackupKey& key,
                                                          ReadFile read_file) {
  const auto head = visible_head(layout, key);
  if (head && !*head) return std::nullopt;
  const auto directory = layout.backup(key);
  if (!directory) return std::unexpected(directory.error());
  const auto read = [&](std::string_view file) {
    return read_file(*directory, std::string(file), key, layout.stamp());
  };
  auto found = head ? read_either<Manifest>(*directory, **head, read)
                    : read_both<Manifest>(*directory, head.error(), read);
  if (!found) return std::unexpected(std::move(found.error()));
  return std::optional(*std::move(found));
}

}  // namespace

Result<std::uint32_t> last_manifest_number(const Directory& directory) {
  const auto entries = list_directory(directory);
  if (!entries) return std::unexpected(entries.error());
  std::uint32_t last = 0;
  for (const std::string& entry : *entries)
    last = std::max(last, manifest_number(entry).value_or(0));
  return last;
}

Result<bool> has_manifest(const Directory& directory) {
  const auto entries = list_directory(directory);
  if (!entries) return std::unexpected(entries.error());
  return std::ranges::any_of(
      *entries, [](const std::string& entry) { return manifest_number(entry).has_value(); });
}

namespace {

/// What can be read without the key: which packs it has.
Result<std::optional<Backup>> read_locked_backup(const Layout& layout, const BackupKey& key) {
  auto found = read_witnessed<ManifestPacks>(layout, key, read_manifest_packs);
  if (!found) return std::unexpected(std::move(found.error()));
  if (!*found) return std::nullopt;
  Backup backup;
  backup.key = key;
  backup.packs = std::move((*found)->manifest.packs);
  backup.manifest_digest = (*found)->manifest.manifest_digest;
  backup.manifest_damage = std::move((*found)->manifest_damage);
  backup.head_damage = std::move((*found)->head_damage);
  return std::optional(std::move(backup));
}

}  // namespace

Result<std::optional<Head>> visible_head(const Layout& layout, const BackupKey& key) {
  const auto directory = layout.backup(key);
  if (!directory && directory.error().code == Errc::not_found) return std::nullopt;
  if (!directory) return std::unexpected(directory.error());
  if (exists(*directory, std::string(name::removed_head)).value_or(false)) return std::nullopt;
  auto head = layout.head(key);
  if (!head && head.error().code == Errc::not_found) return std::nullopt;  // removed meanwhile
  if (!head || (*head && (*head)->state == HeadState::committed)) return head;
  if (*head) return std::nullopt;
  // Again, for HEAD may have got that name since.
  if (exists(*directory, std::string(name::removed_head)).value_or(true)) return std::nullopt;
  if (!has_manifest(*directory).value_or(false)) return std::nullopt;
  return std::unexpected(
      Error{.code = Errc::corrupt, .detail = directory->path_of(name::head) + " is missing"});
}

Result<std::optional<Backup>> read_backup(const Layout& layout, const BackupKey& key) {
  if (layout.is_locked()) return read_locked_backup(layout, key);
  auto found = read_witnessed<Backup>(layout, key, read_manifest);
  if (!found) return std::unexpected(std::move(found.error()));
  if (!*found) return std::nullopt;
  Backup backup = std::move((*found)->manifest);
  backup.manifest_damage = std::move((*found)->manifest_damage);
  backup.head_damage = std::move((*found)->head_damage);
  return std::optional(std::move(backup));
}

Result<std::optional<ManifestPacks>> read_backup_packs(const Layout& layout, const BackupKey& key) {
  auto found = read_witnessed<ManifestPacks>(layout, key, read_manifest_packs);
  if (!found) return std::unexpected(std::move(found.error()));
  if (!*found) return std::nullopt;
  return std::optional(std::move((*found)->manifest));
}

}  // namespace sluice::storage
