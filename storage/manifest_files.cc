#include "storage/manifest_files.h"

#include <memory>
#include <span>
#include <string>
#include <utility>

#include "storage/block_file.h"
#include "storage/manifest.h"

namespace sluice::storage {
namespace {

/// A manifest file, written but for its finish.
Result<std::unique_ptr<BlockFile>> begin_manifest(IoQueue& queue, const Layout& layout,
                                                  Backup& backup, std::string name,
                                                  const format::ManifestSalt& salt) {
  auto directory = layout.backup(backup.key);
  if (!directory) return std::unexpected(std::move(directory.error()));
  auto file = BlockFile::create(queue, *std::move(directory), std::move(name));
  if (!file) return file;
  const auto sink = [&file](std::span<const std::byte> part) { return (*file)->append(part); };
  const auto digest = write_manifest(backup, layout.stamp(), salt, sink);
  if (!digest) {
    (*file)->abandon();
    return std::unexpected(digest.error());
  }
  backup.manifest_digest = *digest;
  return file;
}

}  // namespace

Result<std::uint32_t> write_manifest_files(IoQueue& queue, const Layout& layout, Backup& backup,
                                           std::uint32_t number) {
  format::ManifestSalt salt{};  // one for both: they are the same bytes
  if (layout.stamp().encrypted) {
    if (auto ok = fill_random(salt); !ok) return std::unexpected(std::move(ok.error()));
  }
  ManifestNames names = manifest_names(number);
  auto manifest = begin_manifest(queue, layout, backup, std::move(names.manifest), salt);
  if (!manifest) return std::unexpected(std::move(manifest.error()));
  auto copy = begin_manifest(queue, layout, backup, std::move(names.copy), salt);
  if (!copy) {
    (*manifest)->abandon();
    return std::unexpected(std::move(copy.error()));
  }
  const format::Digest digest = backup.manifest_digest;
  Result<void> result = (*manifest)->begin_finish(digest);  // both at once, then wait for both
  if (result) result = (*copy)->begin_finish(digest);
  if (result) result = (*manifest)->finish();
  if (result) result = (*copy)->finish();
  std::uint32_t rewritten = 0;
  for (const auto* file : {&*manifest, &*copy}) {
    if ((*file)->rewritten()) ++rewritten;
  }
  (*manifest)->abandon();  // nothing, once published
  (*copy)->abandon();
  if (!result) return std::unexpected(std::move(result.error()));
  return rewritten;
}

}  // namespace sluice::storage
