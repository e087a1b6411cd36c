#include "storage/target_note.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "storage/format.h"
#include "storage/private_text.h"

namespace sluice::storage {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view lock_suffix = ".lock";

bool is_name(std::string_view name) {
  constexpr std::string_view allowed =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._";
  return !name.empty() && name.size() <= TargetNote::name_bytes_max && name.front() != '.' &&
         !name.ends_with(lock_suffix) && name.find_first_not_of(allowed) == std::string_view::npos;
}

std::string lock_of(const std::string& name) { return name + std::string(lock_suffix); }

/// Its path below the repository.
std::string object_of(std::string_view shelf, std::string_view name) {
  return std::string(shelf) + '/' + std::string(name);
}

Result<std::optional<std::string>> read_in(const Layout& layout, const Directory& directory,
                                           std::string_view shelf, const std::string& name) {
  const auto text = read_text(directory, name, private_bytes_max(layout));
  if (!text && text.error().code == Errc::not_found) return std::nullopt;
  if (!text) return std::unexpected(text.error());
  auto content = unseal_private(layout, object_of(shelf, name), *text);
  if (!content) return std::unexpected(std::move(content.error()));
  return std::optional(*std::move(content));
}

Result<Directory> make_shelf(const Layout& layout, std::string_view shelf) {
  const std::string name(shelf);
  if (auto made = make_directory(layout.root(), name); !made) return std::unexpected(made.error());
  if (auto synced = sync_directory(layout.root()); !synced) return std::unexpected(synced.error());
  return layout.directory(shelf);
}

}  // namespace

Result<TargetNote> TargetNote::open(const Layout& layout, std::string_view shelf,
                                    const std::string& name) {
  if (!is_name(name)) return std::unexpected(Error{.code = Errc::bad_name, .detail = name});
  auto directory = make_shelf(layout, shelf);
  if (!directory) return std::unexpected(directory.error());
  while (true) {
    // A holder that was killed is gone a little later than that.
    auto lock = FileLock::acquire(*directory, lock_of(name), 300ms);
    if (!lock) return std::unexpected(lock.error());
    if (lock->is_of(*directory, lock_of(name)))
      return TargetNote(layout, std::string(shelf), *std::move(directory), name, *std::move(lock));
  }
}

TargetNote::~TargetNote() {
  if (!directory_.fd) return;  // moved from
  const auto there = exists(directory_, name_);
  if (there && !*there) static_cast<void>(remove_file(directory_, lock_of(name_)));
}

Result<std::optional<std::string>> TargetNote::read() const {
  return read_in(*layout_, directory_, shelf_, name_);
}

Result<void> TargetNote::write(std::string_view text) {
  const auto sealed = seal_private(*layout_, object_of(shelf_, name_), text);
  if (!sealed) return std::unexpected(sealed.error());
  return replace_text(directory_, name_, *sealed);
}

Result<void> TargetNote::clear() {
  if (auto removed = remove_file(directory_, name_); !removed) return removed;
  return sync_directory(directory_);
}

Result<std::vector<std::string>> list_target_notes(const Layout& layout, std::string_view shelf) {
  const auto there = exists(layout.root(), std::string(shelf));
  if (!there) return std::unexpected(there.error());
  if (!*there) return std::vector<std::string>();
  const auto directory = layout.directory(shelf);
  if (!directory) return std::unexpected(directory.error());
  auto names = list_directory(*directory);
  if (!names) return names;
  std::erase_if(*names, [](const std::string& name) { return !is_name(name); });
  return names;
}

Result<std::optional<std::string>> read_target_note(const Layout& layout, std::string_view shelf,
                                                    const std::string& name) {
  if (!is_name(name)) return std::unexpected(Error{.code = Errc::bad_name, .detail = name});
  const auto there = exists(layout.root(), std::string(shelf));
  if (!there) return std::unexpected(there.error());
  if (!*there) return std::nullopt;
  const auto directory = layout.directory(shelf);
  if (!directory) return std::unexpected(directory.error());
  return read_in(layout, *directory, shelf, name);
}

}  // namespace sluice::storage
