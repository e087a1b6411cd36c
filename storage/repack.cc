#include "storage/repack.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "storage/begin_backup.h"
#include "storage/checksum.h"
#include "storage/collection.h"
#include "storage/committed_backup.h"
#include "storage/lease.h"
#include "storage/manifest_files.h"
#include "storage/needed_packs.h"
#include "storage/pack_key.h"
#include "storage/pack_reader.h"
#include "storage/removal.h"
#include "storage/repack_plan.h"
#include "storage/repository_lock.h"

namespace sluice::storage {
namespace {

/// Under which its new packs are written: two of them exclude each other as two backups of one
/// instance do.
constexpr std::string_view instance = "sluice-repack";

/// Where the blobs of thin packs lie now.
class Moves {
 public:
  void add(const PackId& pack, std::uint64_t offset, const BlobPlace& place) {
    places_[pack].emplace(offset, place);
  }
  [[nodiscard]] bool has(const PackId& pack) const { return places_.contains(pack); }
  /// nullptr when it was not moved.
  [[nodiscard]] const BlobPlace* find(const PackId& pack, std::uint64_t offset) const {
    const auto blobs = places_.find(pack);
    if (blobs == places_.end()) return nullptr;
    const auto place = blobs->second.find(offset);
    return place == blobs->second.end() ? nullptr : &place->second;
  }

 private:
  std::map<PackId, std::map<std::uint64_t, BlobPlace>> places_;
};

/// Reads a blob as it lies in its pack, and proves that it is the one that is named.
Result<EncodedBlob> read_blob(const ReadFile& file, const BlobRef& ref,
                              std::vector<std::byte>& buffer) {
  buffer.resize(blob_bytes(ref));
  if (auto ok = read_exactly(file.fd, buffer, ref.offset, file.object); !ok)
    return std::unexpected(std::move(ok.error()));
  EncodedBlob blob;
  std::memcpy(&blob.header, buffer.data(), sizeof(blob.header));
  blob.stored = std::span(buffer).subspan(sizeof(blob.header));
  const std::string where = fmt::format("{}: blob at byte {}", file.object, ref.offset);
  if (auto ok = check_blob_header(blob.header, where); !ok)
    return std::unexpected(std::move(ok.error()));
  if (blob.header.checksum != ref.checksum || blob.header.stored_bytes != ref.stored_bytes)
    return std::unexpected(Error{.code = Errc::corrupt, .detail = where + ": another blob"});
  if (xxh3_64(blob.stored) != ref.checksum)
    return std::unexpected(Error{.code = Errc::checksum_mismatch, .detail = where});
  return blob;
}

/// As it was before it was encrypted, for its new pack has another key.
Result<void> decrypt(EncodedBlob& blob, const BlobRef& ref, const PackKey& key,
                     std::string_view object, std::vector<std::byte>& plain) {
  plain.resize(blob.stored.size() - format::tag_bytes);
  if (!key.open(blob.header, ref.offset, blob.stored, plain)) {
    return std::unexpected(Error{.code = Errc::not_authentic,
                                 .detail = fmt::format("{}: blob at byte {}", object, ref.offset)});
  }
  blob.stored = plain;
  blob.header.flags &= static_cast<std::uint8_t>(~format::blob_flag_encrypted);
  blob.header.stored_bytes -= format::tag_bytes;
  blob.header.checksum = xxh3_64(blob.stored);
  return {};
}

Result<void> copy_pack(const Layout& layout, const ThinPack& pack, BackupWriter& writer,
                       Moves& moves, const std::stop_token& stop) {
  const auto file = open_pack(layout, pack.ref);
  if (file->error) return std::unexpected(*file->error);
  std::optional<PackKey> key;
  if (layout.stamp().encrypted) {
    auto read = read_pack_key(file->fd, file->object, pack.ref, layout.stamp());
    if (!read) return std::unexpected(std::move(read.error()));
    key = *std::move(read);
  }
  std::vector<std::byte> buffer;
  std::vector<std::byte> plain;
  for (const auto& [offset, ref] : pack.live) {
    if (stop.stop_requested())
      return std::unexpected(system_error(ECANCELED, "repack", file->object));
    auto blob = read_blob(*file, ref, buffer);
    if (!blob) return std::unexpected(std::move(blob.error()));
    if (key) {
      if (auto ok = decrypt(*blob, ref, *key, file->object, plain); !ok) return ok;
    }
    const auto place = writer.put(*blob);
    if (!place) return std::unexpected(place.error());
    moves.add(pack.ref.id, offset, *place);
  }
  return {};
}

/// The same backup, with what was moved named where it lies now. False when it names none of it.
class Rewrite {
 public:
  Rewrite(const Moves& moves, const std::vector<PackRef>& new_packs) : moves_(moves) {
    for (const PackRef& pack : new_packs) refs_.emplace(pack.id, pack);
  }

  [[nodiscard]] bool concerns(const Backup& backup) const {
    return std::ranges::any_of(backup.packs,
                               [&](const PackRef& pack) { return moves_.has(pack.id); });
  }

  /// Errors: corrupt when it names a blob of a thin pack that was not moved: it has come since.
  [[nodiscard]] Result<void> apply(Backup& backup) {
    std::vector<PackRef> packs;
    std::map<PackId, std::uint32_t> indices;
    const auto index_of = [&](const PackRef& pack) {
      const auto [at, is_new] =
          indices.try_emplace(pack.id, static_cast<std::uint32_t>(packs.size()));
      if (is_new) packs.push_back(pack);
      return at->second;
    };
    for (BlobRef& blob : backup.blobs) {
      const PackRef& old = backup.packs[blob.pack];
      if (!moves_.has(old.id)) {
        blob.pack = index_of(old);
        continue;
      }
      const BlobPlace* place = moves_.find(old.id, blob.offset);
      if (place == nullptr)
        return std::unexpected(Error{.code = Errc::changed, .detail = Layout::pack_name(old.id)});
      blob.pack = index_of(refs_.at(place->pack));
      blob.offset = place->offset;
      blob.checksum = place->checksum;
      blob.stored_bytes = place->stored_bytes;
      blob.flags = place->flags;
    }
    backup.packs = std::move(packs);
    return {};
  }

 private:
  const Moves& moves_;
  std::map<PackId, PackRef> refs_;
};

Result<void> remove_other_manifests(const Directory& directory, std::uint32_t number) {
  const auto entries = list_directory(directory);
  if (!entries) return std::unexpected(entries.error());
  for (const std::string& entry : *entries) {
    const auto other = manifest_number(entry);
    if (!other || *other == number) continue;
    if (auto ok = remove_file(directory, entry); !ok) return ok;
  }
  return sync_directory(directory);
}

/// Writes the manifest and has HEAD name it.
Result<void> publish(const Layout& layout, IoQueue& queue, const Head& head, Backup& backup,
                     const AtStep& at_step) {
  const auto directory = layout.backup(backup.key);
  if (!directory) return std::unexpected(directory.error());
  const auto last = last_manifest_number(*directory);  // whether HEAD names it or not
  if (!last) return std::unexpected(last.error());
  const std::uint32_t number = *last + 1;
  if (const auto written = write_manifest_files(queue, layout, backup, number); !written)
    return std::unexpected(written.error());
  if (at_step) at_step("manifest_rewritten");
  Head next = head;
  next.manifest_digest = backup.manifest_digest;
  next.manifest_number = number;
  if (auto ok = swap_head(layout, head, next); !ok) return ok;
  if (at_step) at_step("manifest_swapped");
  return remove_other_manifests(*directory, number);
}

/// Has one backup name the new packs. False when it must stay as it is.
Result<bool> rewrite_backup(const Layout& layout, IoQueue& queue, const BackupKey& key,
                            Rewrite& rewrite, const AtStep& at_step) {
  auto backup = read_backup(layout, key);
  if (!backup || !*backup || !rewrite.concerns(**backup)) return false;
  if ((*backup)->head_damage || (*backup)->manifest_damage) return false;
  const auto children = live_children(layout, std::span(&key, 1));
  if (!children) return std::unexpected(children.error());
  const auto head = layout.head(key);
  if (!head) return std::unexpected(head.error());
  if (!children->empty() || !*head || (*head)->state != HeadState::committed) return false;
  if (auto ok = rewrite.apply(**backup); !ok) {
    if (ok.error().code == Errc::changed) return false;
    return std::unexpected(std::move(ok.error()));
  }
  if (auto ok = publish(layout, queue, **head, **backup, at_step); !ok)
    return std::unexpected(std::move(ok.error()));
  return true;
}

/// With the repository's lock: no backup begins, and none is removed.
Result<void> rewrite_backups(const Layout& layout, const OpenOptions& open, Rewrite& rewrite,
                             Repacked& repacked) {
  auto queue = IoQueue::open(open.io, layout.root().path_of(name::packs));
  if (!queue) return std::unexpected(std::move(queue.error()));
  const auto keys = layout.all_keys();
  if (!keys) return std::unexpected(keys.error());
  for (const BackupKey& key : *keys) {
    const auto done = rewrite_backup(layout, **queue, key, rewrite, open.on_step);
    if (!done) return std::unexpected(done.error());
    if (*done) ++repacked.backups;
  }
  return {};
}

/// Judges packs as at a removal, the new ones too.
Result<void> sweep(const Layout& layout, const OpenOptions& open, const BackupKey& writer,
                   Repacked& repacked) {
  if (auto ok = mark_removed(layout, writer); !ok) return ok;
  const auto cleared =
      remove_backup_files(layout, {writer}, {.keep_trash = open.keep_trash}, open.on_step);
  if (!cleared) return std::unexpected(cleared.error());
  repacked.removed = removed_of(*cleared);
  return {};
}

Result<RepackPlan> plan(const Layout& layout, const RepackOptions& options) {
  const auto lock = lock_repository(layout);
  if (!lock) return std::unexpected(lock.error());
  return plan_repack(layout, options);
}

}  // namespace

Result<Repacked> repack(const std::shared_ptr<const Layout>& layout, const OpenOptions& open,
                        const RepackOptions& options) {
  Repacked repacked;
  const auto planned = plan(*layout, options);
  if (!planned) return std::unexpected(planned.error());
  repacked.left_because = planned->unknown;
  if (planned->packs.empty()) return repacked;

  auto writer = begin_backup(layout, open, instance, {});
  if (!writer) return std::unexpected(std::move(writer.error()));
  Moves moves;
  for (const ThinPack& pack : planned->packs) {
    auto copied = copy_pack(*layout, pack, **writer, moves, options.stop);
    if (!copied && copied.error().code == Errc::not_found) continue;  // it is not needed any more
    if (!copied) return std::unexpected(std::move(copied.error()));
    ++repacked.packs;
    repacked.bytes += pack.ref.file_bytes;
    repacked.copied_bytes += pack.live_bytes;
  }
  const auto lock = lock_repository(*layout);
  if (!lock) return std::unexpected(lock.error());
  const auto packs = (*writer)->commit_packs();
  if (!packs) return std::unexpected(packs.error());
  Rewrite rewrite(moves, *packs);
  if (auto ok = rewrite_backups(*layout, open, rewrite, repacked); !ok)
    return std::unexpected(std::move(ok.error()));
  if (auto ok = sweep(*layout, open, (*writer)->key(), repacked); !ok)
    return std::unexpected(std::move(ok.error()));
  return repacked;
}

}  // namespace sluice::storage
