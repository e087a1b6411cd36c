#include "storage/repository.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "storage/begin_backup.h"
#include "storage/check_backup.h"
#include "storage/file_lock.h"
#include "storage/io_hint.h"
#include "storage/layout.h"
#include "storage/leftovers.h"
#include "storage/manifest.h"

namespace sluice::storage {
namespace {

/// Reads the manifest that HEAD names, from the copy if need be.
Result<Backup> read_either_manifest(const Layout& layout, const BackupKey& key,
                                    const format::Digest& digest) {
  const auto directory = layout.backup(key);
  if (!directory) return std::unexpected(directory.error());
  const auto read = [&](std::string_view file) -> Result<Backup> {
    auto backup = read_manifest(*directory, std::string(file), key, layout.id_prefix());
    if (backup && backup->manifest_digest != digest) {
      return std::unexpected(
          Error{.code = Errc::corrupt,
                .detail = directory->path_of(file) + ": not the manifest that HEAD names"});
    }
    return backup;
  };
  auto first = read(name::manifest);
  if (first) return first;
  auto copy = read(name::manifest_copy);
  if (copy) {
    copy->manifest_damage = std::move(first.error());
    return copy;
  }
  first.error().detail += "; and " + to_string(copy.error());
  return first;
}

/// For a HEAD that cannot be read: two manifests, each whole and of this backup, that are the same
/// are as good a witness. HEAD's own error otherwise.
Result<Backup> read_both_manifests(const Layout& layout, const BackupKey& key, Error head_error) {
  const auto directory = layout.backup(key);
  if (!directory) return std::unexpected(directory.error());
  const auto read = [&](std::string_view file) {
    return read_manifest(*directory, std::string(file), key, layout.id_prefix());
  };
  auto backup = read(name::manifest);
  const auto copy = read(name::manifest_copy);
  for (const Result<Backup>* each : {&std::as_const(backup), &copy}) {
    if (!*each) head_error.detail += "; and " + to_string(each->error());
  }
  const bool agree = backup && copy && backup->manifest_digest == copy->manifest_digest;
  // A state that is unknown here is no damage: a newer program knows what it means.
  if (!agree || head_error.code == Errc::unsupported_format)
    return std::unexpected(std::move(head_error));
  backup->head_damage = std::move(head_error);
  return backup;
}

BackupInfo describe(Backup backup) {
  BackupInfo info{.key = std::move(backup.key),
                  .started_at_ms = 0,
                  .raw_bytes = backup.raw_bytes,
                  .stored_bytes = backup.stored_bytes,
                  .pack_file_bytes = 0,
                  .packs = static_cast<std::uint32_t>(backup.packs.size()),
                  .chunks = backup.chunks.size(),
                  .meta_json = std::move(backup.meta_json),
                  .damage = {},
                  .manifest_damage = std::move(backup.manifest_damage),
                  .head_damage = std::move(backup.head_damage)};
  for (const PackRef& pack : backup.packs) info.pack_file_bytes += pack.file_bytes;
  return info;
}

/// HEAD of a backup that is, or may be, committed. nullopt: it is running, or garbage.
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
  const bool whole = exists(*directory, std::string(name::manifest)).value_or(false) ||
                     exists(*directory, std::string(name::manifest_copy)).value_or(false);
  if (!whole) return std::nullopt;
  return std::unexpected(
      Error{.code = Errc::corrupt, .detail = directory->path_of(name::head) + " is missing"});
}

/// The backup, if it is committed or seems to be. nullopt: it is running, or garbage.
Result<std::optional<Backup>> read_backup(const Layout& layout, const BackupKey& key) {
  const auto head = visible_head(layout, key);
  if (head && !*head) return std::nullopt;
  auto backup = head ? read_either_manifest(layout, key, (*head)->manifest_digest)
                     : read_both_manifests(layout, key, head.error());
  if (backup) return std::optional(*std::move(backup));
  return std::unexpected(std::move(backup.error()));
}

/// The first pack that is missing or not of its size. Its bytes are not looked at.
Result<void> check_packs_exist(const Layout& layout, const Backup& backup) {
  for (const PackRef& pack : backup.packs) {
    const auto id = parse_pack_id(pack.id).value_or(PackId{});
    const std::string object = layout.root().path_of(Layout::pack_name(id));
    const auto size = file_size(layout.root(), Layout::pack_name(id));
    if (!size) return std::unexpected(size.error());
    if (*size == pack.file_bytes) continue;
    return std::unexpected(
        Error{.code = *size < pack.file_bytes ? Errc::truncated : Errc::corrupt,
              .detail = fmt::format("{}: {} bytes, expected {}", object, *size, pack.file_bytes)});
  }
  return {};
}

/// nullopt: not to be listed.
std::optional<BackupInfo> inspect(const Layout& layout, const BackupKey& key,
                                  std::uint64_t started_at_ms) {
  BackupInfo info;
  auto backup = read_backup(layout, key);
  if (!backup) {
    info.damage = std::move(backup.error());
  } else if (!*backup) {
    return std::nullopt;
  } else {
    auto packs = check_packs_exist(layout, **backup);
    info = describe(**std::move(backup));
    info.damage = info.head_damage;
    if (!packs) info.damage = std::move(packs.error());
  }
  if (info.damage) {
    const auto now = visible_head(layout, key);
    if (now && !*now) return std::nullopt;  // it was being removed while we read
  }
  info.key = key;
  info.started_at_ms = started_at_ms;
  return info;
}

Result<std::vector<std::string>> chosen_instances(const Layout& layout,
                                                  std::optional<std::string_view> instance) {
  if (!instance) return layout.instances();
  if (auto ok = check_instance_name(*instance); !ok) return std::unexpected(std::move(ok.error()));
  return std::vector<std::string>{std::string(*instance)};
}

/// Committed or damaged backups whose id starts with `prefix`, oldest first in each instance.
Result<std::vector<BackupKey>> keys_with_prefix(const Layout& layout, std::string_view prefix,
                                                std::optional<std::string_view> instance) {
  const auto instances = chosen_instances(layout, instance);
  if (!instances) return std::unexpected(instances.error());
  std::vector<BackupKey> keys;
  for (const std::string& name : *instances) {
    const auto ids = layout.backup_ids(name);
    if (!ids) return std::unexpected(ids.error());
    for (const BackupId& id : *ids) {
      BackupKey key{.instance = name, .id = to_string(id)};
      if (!key.id.starts_with(prefix)) continue;
      const auto head = visible_head(layout, key);
      if (!head || *head) keys.push_back(std::move(key));
    }
  }
  return keys;
}

}  // namespace

Result<std::unique_ptr<Repository>> Repository::open(const std::filesystem::path& path,
                                                     OpenOptions options) {
  auto layout = Layout::open(path.string(), options.create_if_missing, options.on_step);
  if (!layout) return std::unexpected(std::move(layout.error()));
  if (auto ok = layout->allows(Operation::read); !ok) return std::unexpected(std::move(ok.error()));
  if (const auto hint = read_io_hint(layout->root())) options.io.direct_is_faster = hint->direct;
  return std::make_unique<Repository>(std::make_shared<const Layout>(*std::move(layout)),
                                      std::move(options));
}

Repository::Repository(std::shared_ptr<const Layout> layout, OpenOptions options)
    : layout_(std::move(layout)), options_(std::move(options)) {}
Repository::~Repository() = default;

const std::string& Repository::id() const noexcept { return layout_->mark().repository_id; }
const std::string& Repository::path() const noexcept { return layout_->path(); }

Result<std::unique_ptr<BackupWriter>> Repository::begin_backup(std::string_view instance) {
  return storage::begin_backup(layout_, options_, instance);
}

Result<std::vector<BackupInfo>> Repository::list(std::optional<std::string_view> instance) const {
  const auto instances = chosen_instances(*layout_, instance);
  if (!instances) return std::unexpected(instances.error());
  std::vector<BackupInfo> backups;
  for (const std::string& name : *instances) {
    const auto ids = layout_->backup_ids(name);
    if (!ids) return std::unexpected(ids.error());
    for (const BackupId& id : *ids) {
      auto info = inspect(*layout_, {.instance = name, .id = to_string(id)}, id.time_ms);
      if (info) backups.push_back(*std::move(info));
    }
  }
  std::ranges::sort(backups, {},
                    [](const BackupInfo& info) -> const std::string& { return info.key.id; });
  return backups;
}

Result<BackupKey> Repository::find(std::string_view id_prefix,
                                   std::optional<std::string_view> instance) const {
  if (id_prefix.empty())
    return std::unexpected(Error{.code = Errc::bad_name, .detail = "an empty backup id"});
  auto keys = keys_with_prefix(*layout_, id_prefix, instance);
  if (!keys) return std::unexpected(std::move(keys.error()));
  if (keys->size() == 1) return std::move(keys->front());
  if (keys->empty()) {
    return std::unexpected(
        Error{.code = Errc::not_found, .detail = fmt::format("backup {}", id_prefix)});
  }
  std::string candidates;
  for (const BackupKey& key : *keys) candidates += fmt::format(" {}/{}", key.instance, key.id);
  return std::unexpected(Error{.code = Errc::ambiguous,
                               .detail = fmt::format("{} is one of{}", id_prefix, candidates)});
}

Result<BackupKey> Repository::newest(std::string_view instance) const {
  auto keys = keys_with_prefix(*layout_, "", instance);
  if (!keys) return std::unexpected(std::move(keys.error()));
  if (!keys->empty()) return std::move(keys->back());
  return std::unexpected(
      Error{.code = Errc::not_found, .detail = fmt::format("a backup of {}", instance)});
}

Result<Backup> Repository::open_backup(const BackupKey& key) const {
  auto backup = read_backup(*layout_, key);
  if (!backup) return std::unexpected(std::move(backup.error()));
  if (*backup) return **std::move(backup);
  return std::unexpected(
      Error{.code = Errc::not_found, .detail = fmt::format("backup {}/{}", key.instance, key.id)});
}

Result<CheckStats> Repository::check_backup(
    const Backup& backup, const std::function<void(const Problem&)>& on_problem) const {
  if (auto ok = layout_->allows(Operation::check); !ok)
    return std::unexpected(std::move(ok.error()));
  auto queue = IoQueue::open(options_.io, layout_->root().path_of(name::packs));
  if (!queue) return std::unexpected(std::move(queue.error()));
  return storage::check_backup(*layout_, **queue, backup, on_problem);
}

Result<void> Repository::remove_backup(const BackupKey& key) {
  if (auto ok = layout_->allows(Operation::gc); !ok) return ok;
  const auto lock =
      FileLock::acquire(layout_->root(), std::string(name::lock), repository_lock_patience);
  if (!lock) return std::unexpected(lock.error());
  const auto directory = layout_->backup(key);
  if (!directory) return std::unexpected(directory.error());
  const auto head = layout_->head(key);
  if (head && *head && (*head)->state == HeadState::running) {
    return std::unexpected(
        Error{.code = Errc::busy,
              .detail = fmt::format("backup {}/{} is not committed", key.instance, key.id)});
  }
  if (auto ok = mark_removed(*layout_, key); !ok) return ok;
  if (options_.on_step) options_.on_step("remove_marked");
  return remove_backup_files(*layout_, key);
}

}  // namespace sluice::storage
