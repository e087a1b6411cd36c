#include "storage/repository.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "storage/begin_backup.h"
#include "storage/check_backup.h"
#include "storage/collection.h"
#include "storage/committed_backup.h"
#include "storage/file_lock.h"
#include "storage/io_hint.h"
#include "storage/layout.h"
#include "storage/needed_packs.h"
#include "storage/pin.h"
#include "storage/private_text.h"
#include "storage/removal.h"
#include "storage/repack.h"
#include "storage/repository_lock.h"
#include "storage/trash.h"

namespace sluice::storage {
namespace {

BackupInfo describe(Backup backup) {
  const auto own = parse_backup_id(backup.key.id);
  BackupInfo info{.key = std::move(backup.key),
                  .parent = backup.parent,
                  .started_at_ms = 0,
                  .raw_bytes = backup.raw_bytes,
                  .stored_bytes = backup.stored_bytes,
                  .new_bytes = backup.new_bytes,
                  .pack_file_bytes = 0,
                  .packs = static_cast<std::uint32_t>(backup.packs.size()),
                  .chunks = backup.chunks.size(),
                  .meta_json = std::move(backup.meta_json),
                  .damage = {},
                  .manifest_damage = std::move(backup.manifest_damage),
                  .head_damage = std::move(backup.head_damage),
                  .pin = {}};
  for (const PackRef& pack : backup.packs) {
    if (pack.id.backup == own) info.pack_file_bytes += pack.file_bytes;
  }
  return info;
}

/// The first pack that is missing or not of its size. Its bytes are not looked at.
Result<void> check_packs_exist(const Layout& layout, const Backup& backup) {
  for (const PackRef& pack : backup.packs) {
    const std::string name = Layout::pack_name(pack.id);
    const std::string object = layout.root().path_of(name);
    const auto size = file_size(layout.root(), name);
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
  info.pin = read_pin(layout, key).value_or(Pin());  // rather pinned than removed
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
  auto layout = Layout::open(path.string(), {.create_if_missing = options.create_if_missing,
                                             .must_create = options.must_create,
                                             .first_key = options.first_key,
                                             .key = options.key,
                                             .keyless = options.keyless,
                                             .at_step = options.on_step});
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

const std::optional<Error>& Repository::mark_damage() const noexcept {
  return layout_->mark_damage();
}
std::string Repository::pack_name(const PackId& id) { return Layout::pack_name(id); }
bool Repository::is_locked() const noexcept { return layout_->is_locked(); }
const RepositoryKeys& Repository::keys() const noexcept { return layout_->keys(); }

Result<std::unique_ptr<BackupWriter>> Repository::begin_backup(std::string_view instance,
                                                               const BeginOptions& begin) {
  return storage::begin_backup(layout_, options_, instance, begin);
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
  Error error{.code = Errc::not_found, .detail = fmt::format("backup {}/{}", key.instance, key.id)};
  const auto head = layout_->head(key);
  if (head && *head && (*head)->state == HeadState::running)
    error.detail += ", whose HEAD says that it is not committed,";
  return std::unexpected(std::move(error));
}

Result<CheckStats> Repository::check_backup(const Backup& backup,
                                            const std::function<void(const Problem&)>& on_problem,
                                            const CheckOptions& options) const {
  if (auto ok = layout_->allows(Operation::check); !ok)
    return std::unexpected(std::move(ok.error()));
  return storage::check_backup(layout_, options_.io, backup, on_problem, options);
}

Result<std::optional<std::string>> Repository::checked(const BackupKey& key) const {
  const auto directory = layout_->backup(key);
  if (!directory) return std::unexpected(directory.error());
  const std::string file(name::checked);
  const auto sealed = read_text(*directory, file, private_bytes_max(*layout_));
  if (!sealed && sealed.error().code == Errc::not_found) return std::nullopt;
  if (!sealed) return std::unexpected(sealed.error());
  auto text = unseal_private(*layout_, Layout::backup_name(key, file), *sealed);
  if (!text) return std::unexpected(std::move(text.error()));
  return std::optional(*std::move(text));
}

Result<void> Repository::set_checked(const BackupKey& key, std::string_view text) const {
  const auto directory = layout_->backup(key);
  if (!directory) return std::unexpected(directory.error());
  const auto sealed = seal_private(*layout_, Layout::backup_name(key, name::checked), text);
  if (!sealed) return std::unexpected(sealed.error());
  return replace_text(*directory, std::string(name::checked), *sealed);
}

namespace {

/// Whether nothing keeps the backup from being removed.
Result<void> check_removable(const Layout& layout, const BackupKey& key,
                             const std::map<BackupId, BackupKey>& children) {
  const auto refuse = [&](Errc code, std::string why) {
    return std::unexpected(
        Error{.code = code, .detail = fmt::format("backup {}/{} {}", key.instance, key.id, why)});
  };
  const auto directory = layout.backup(key);
  if (!directory) return std::unexpected(directory.error());
  const auto head = layout.head(key);
  if (head && *head && (*head)->state == HeadState::running)
    return refuse(Errc::busy, "is not committed");
  const auto pin = read_pin(layout, key);
  if (!pin) return std::unexpected(pin.error());
  if (*pin) return refuse(Errc::pinned, fmt::format("({})", (*pin)->note));
  const auto child = children.find(parse_backup_id(key.id).value_or(BackupId{}));
  if (child == children.end()) return {};
  return refuse(Errc::busy, fmt::format("is what {}/{} builds on, which is being written",
                                        child->second.instance, child->second.id));
}

}  // namespace

Result<FileLock> Repository::lock_for_collection() const {
  if (auto ok = layout_->allows(Operation::gc); !ok) return std::unexpected(std::move(ok.error()));
  return lock_repository(*layout_);
}

Result<Removed> Repository::remove_backups(std::span<const BackupKey> keys, bool accept_shrinkage) {
  const auto lock = lock_for_collection();
  if (!lock) return std::unexpected(lock.error());
  const auto children = live_children(*layout_, keys);
  if (!children) return std::unexpected(children.error());
  for (const BackupKey& key : keys) {
    if (auto ok = check_removable(*layout_, key, *children); !ok)
      return std::unexpected(std::move(ok.error()));
  }
  for (const BackupKey& key : keys) {
    if (auto ok = mark_removed(*layout_, key); !ok) return std::unexpected(std::move(ok.error()));
    if (options_.on_step) options_.on_step("remove_marked");
  }
  const auto cleared = remove_backup_files(
      *layout_, {keys.begin(), keys.end()},
      {.keep_trash = options_.keep_trash, .accept_shrinkage = accept_shrinkage}, options_.on_step);
  if (!cleared) return std::unexpected(cleared.error());
  return removed_of(*cleared);
}

Result<Emptied> Repository::empty_trash(std::uint64_t before_ms, bool accept_shrinkage) {
  const auto lock = lock_for_collection();
  if (!lock) return std::unexpected(lock.error());
  return storage::empty_trash(*layout_, before_ms, {.accept_shrinkage = accept_shrinkage},
                              options_.on_step);
}

Result<Repacked> Repository::repack(const RepackOptions& options) {
  if (auto ok = layout_->allows(Operation::gc); !ok) return std::unexpected(std::move(ok.error()));
  return storage::repack(layout_, options_, options);
}

Result<Trash> Repository::trash() const {
  const auto heaps = list_trash(*layout_);
  if (!heaps) return std::unexpected(heaps.error());
  Trash trash;
  for (const TrashListing& heap : *heaps) {
    for (const BackupKey& key : heap.backups)
      trash.backups.push_back({.key = key, .removed_at_ms = heap.heap.time_ms});
    trash.packs += heap.packs.size();
    trash.bytes += heap.bytes;
  }
  return trash;
}

Result<void> Repository::restore_from_trash(const BackupKey& key) {
  const auto lock = lock_for_collection();
  if (!lock) return std::unexpected(lock.error());
  return storage::restore_from_trash(*layout_, key);
}

Result<void> Repository::pin(const BackupKey& key, std::string_view note) {
  const auto lock = lock_for_collection();
  if (!lock) return std::unexpected(lock.error());
  const auto head = visible_head(*layout_, key);
  if (head && !*head) {
    return std::unexpected(Error{.code = Errc::not_found,
                                 .detail = fmt::format("backup {}/{}", key.instance, key.id)});
  }
  return write_pin(*layout_, key, note);
}

Result<void> Repository::unpin(const BackupKey& key) {
  const auto lock = lock_for_collection();
  if (!lock) return std::unexpected(lock.error());
  return remove_pin(*layout_, key);
}

}  // namespace sluice::storage
