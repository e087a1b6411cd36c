#include "storage/begin_backup.h"

#include <fmt/format.h>

#include "storage/backup_writer_state.h"
#include "storage/committed_backup.h"
#include "storage/lease.h"
#include "storage/leftovers.h"
#include "storage/repository_lock.h"
#include "storage/tombstone.h"

namespace sluice::storage {
namespace {

/// An id above all of its instance, that no other instance has: packs are owned by id alone.
Result<BackupId> unused_id(const Layout& layout, std::string_view instance) {
  const auto ids = layout.backup_ids(instance);
  if (!ids) return std::unexpected(ids.error());
  const auto instances = layout.instances();
  if (!instances) return std::unexpected(instances.error());
  std::optional<BackupId> floor;
  if (!ids->empty()) floor = ids->back();
  for (;;) {
    const auto id = make_backup_id(floor);
    if (!id) return id;
    auto buried = is_buried(layout, *id);
    if (!buried) return std::unexpected(std::move(buried.error()));
    bool taken = *buried;
    for (const std::string& other : *instances) {
      const auto there =
          exists(layout.root(), fmt::format("{}/{}/{}", name::instances, other, to_string(*id)));
      if (!there) return std::unexpected(there.error());
      taken = taken || *there;
    }
    if (!taken) return id;
  }
}

/// The parent, if it is there for good: committed, and nobody has begun to remove it. Nobody can
/// while the repository's lock is held, nor later while HEAD of the new backup names it.
Result<Parent> committed_parent(const Layout& layout, const BackupKey& key) {
  const auto head = visible_head(layout, key);
  if (!head) return std::unexpected(head.error());
  if (!*head) {
    return std::unexpected(
        Error{.code = Errc::not_found,
              .detail = fmt::format("backup {}/{}, to build on", key.instance, key.id)});
  }
  // Its writer may be between the two: HEAD has its name, and a power cut could still take it back.
  const auto directory = layout.backup(key);
  if (!directory) return std::unexpected(directory.error());
  if (auto ok = sync_directory(*directory); !ok) return std::unexpected(std::move(ok.error()));
  return Parent{.key = key, .manifest_digest = (*head)->manifest_digest};
}

/// Makes the backup's directory, durably. Until HEAD is in it, it is garbage to everyone.
Result<Directory> make_backup_directory(const Layout& layout, const BackupKey& key) {
  const auto instances = layout.directory(name::instances);
  if (!instances) return std::unexpected(instances.error());
  if (auto ok = make_directory(*instances, key.instance); !ok)
    return std::unexpected(std::move(ok.error()));
  if (auto ok = sync_directory(*instances); !ok) return std::unexpected(std::move(ok.error()));
  const auto instance = layout.instance(key.instance);
  if (!instance) return std::unexpected(instance.error());
  if (auto ok = make_directory(*instance, key.id); !ok)
    return std::unexpected(std::move(ok.error()));
  if (auto ok = sync_directory(*instance); !ok) return std::unexpected(std::move(ok.error()));
  return layout.backup(key);
}

Error parent_changed(const BackupKey& parent) {
  return {.code = Errc::changed,
          .detail = fmt::format("backup {}/{}, to build on", parent.instance, parent.id)};
}

/// HEAD of the new backup protects its parent from now on; a remover that was faster, or a
/// repacker, is seen here. (The repository's lock keeps them away where it reaches.)
Result<void> check_parent_again(const Layout& layout, const Parent& parent) {
  const auto head = visible_head(layout, parent.key);
  if (!head) return std::unexpected(head.error());
  if (*head && (*head)->manifest_digest == parent.manifest_digest) return {};
  return std::unexpected(parent_changed(parent.key));
}

Result<std::unique_ptr<BackupWriter::State>> make_state(std::shared_ptr<const Layout> layout,
                                                        std::unique_ptr<IoQueue> queue,
                                                        std::string_view instance,
                                                        const BeginOptions& begin,
                                                        std::chrono::milliseconds lease_term) {
  std::optional<Parent> parent;
  if (begin.parent) {
    auto found = committed_parent(*layout, *begin.parent);
    if (!found) return std::unexpected(std::move(found.error()));
    if (begin.parent_manifest_digest && *begin.parent_manifest_digest != found->manifest_digest)
      return std::unexpected(parent_changed(found->key));
    parent = *std::move(found);
  }
  const auto id = unused_id(*layout, instance);
  if (!id) return std::unexpected(id.error());
  Head head{.state = HeadState::running,
            .generation = 1,
            .repository_id = layout->mark().repository_id,
            .key = {.instance = std::string(instance), .id = to_string(*id)},
            .owner = this_process(),
            .started_at_ms = id->time_ms,
            .manifest_digest = {},
            .parent = {},
            .lease_until_ms = lease_end_ms(lease_term)};
  if (parent) {
    head.parent = parse_backup_id(parent->key.id);
    head.parent_manifest_digest = parent->manifest_digest;
  }
  const auto directory = make_backup_directory(*layout, head.key);
  if (!directory) return std::unexpected(directory.error());
  auto lock = FileLock::acquire(*directory, std::string(name::writer_lock), {});
  if (!lock) return std::unexpected(std::move(lock.error()));
  if (auto ok =
          create_text(*directory, std::string(name::head), serialize(head, layout->head_key()));
      !ok)
    return std::unexpected(std::move(ok.error()));
  auto lease = std::make_unique<Lease>(layout, head, lease_term);
  auto state = std::make_unique<BackupWriter::State>(std::move(layout), std::move(queue),
                                                     *std::move(lock), std::move(lease),
                                                     std::move(head), *id, std::move(parent));
  if (!state->parent) return state;
  if (auto ok = check_parent_again(*state->layout, *state->parent); !ok) {
    (void)state->abandon_locked();
    return std::unexpected(std::move(ok.error()));
  }
  return state;
}

}  // namespace

Result<std::unique_ptr<BackupWriter>> begin_backup(std::shared_ptr<const Layout> layout,
                                                   const OpenOptions& options,
                                                   std::string_view instance,
                                                   const BeginOptions& begin) {
  if (auto ok = check_instance_name(instance); !ok) return std::unexpected(std::move(ok.error()));
  if (auto ok = layout->allows(Operation::write); !ok)
    return std::unexpected(std::move(ok.error()));
  if (const auto cipher = layout->need_cipher(); !cipher) return std::unexpected(cipher.error());
  IoOptions io = options.io;
  io.thread_bound = false;  // whoever puts a blob writes
  auto queue = IoQueue::open(io, layout->root().path_of(name::packs));
  if (!queue) return std::unexpected(std::move(queue.error()));

  // Held until HEAD exists: a directory without one would look like a leftover to another writer.
  const auto repository_lock = lock_repository(*layout);
  if (!repository_lock) return std::unexpected(repository_lock.error());
  auto cleared =
      clear_leftovers(*layout, instance, {.keep_trash = options.keep_trash}, options.on_step);
  if (!cleared) return std::unexpected(std::move(cleared.error()));
  auto state =
      make_state(std::move(layout), *std::move(queue), instance, begin, options.lease_term);
  if (!state) return std::unexpected(std::move(state.error()));
  (*state)->cleared = *std::move(cleared);
  (*state)->at_step = options.on_step;
  if (options.on_step) options.on_step("head_created");
  return std::make_unique<BackupWriter>(*std::move(state));
}

}  // namespace sluice::storage
