#include "storage/directory_store.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <span>
#include <utility>

#include "storage/checksum.h"
#include "storage/file_lock.h"

namespace sluice::storage {
namespace {

using namespace std::chrono_literals;
using Version = ObjectStore::Version;

constexpr std::chrono::milliseconds lock_patience = 30s;

Version version_of(std::string_view bytes) {
  return to_hex(xxh3_128(std::as_bytes(std::span(bytes))));
}

/// Where an object is or would be.
struct Place {
  std::vector<Directory> chain;  ///< From the root to the directory it lies in.
  std::string name;              ///< In the last of them.

  [[nodiscard]] const Directory& directory() const noexcept { return chain.back(); }
  [[nodiscard]] std::string path() const { return directory().path_of(name); }
};

Error not_found(std::string object) {
  return {.code = Errc::not_found, .detail = std::move(object)};
}

/// Also below what is a file.
bool is_missing(const Error& error) {
  return error.code == Errc::not_found || error.code == std::errc::no_such_file_or_directory ||
         error.code == std::errc::not_a_directory;
}

enum class Missing : std::uint8_t { report, make };

Result<Directory> enter(const Directory& parent, const std::string& part, Missing missing) {
  auto found = open_directory(parent, part);
  if (found || !is_missing(found.error())) return found;
  if (missing == Missing::report) return std::unexpected(not_found(parent.path_of(part)));
  if (auto ok = make_directory(parent, part); !ok) return std::unexpected(std::move(ok.error()));
  return open_directory(parent, part);
}

/// Errc::bad_name; not_found when a directory is missing that is not to be made.
Result<Place> place_of(const Directory& root, std::string_view name, Missing missing) {
  if (auto ok = check_object_name(name); !ok) return std::unexpected(std::move(ok.error()));
  Place place;
  auto next = open_directory(root, ".");
  for (;;) {
    if (!next) return std::unexpected(std::move(next.error()));
    next->path = place.chain.empty() ? root.path : next->path;
    place.chain.push_back(*std::move(next));
    const std::size_t slash = name.find('/');
    if (slash == std::string_view::npos) break;
    next = enter(place.directory(), std::string(name.substr(0, slash)), missing);
    name.remove_prefix(slash + 1);
  }
  place.name = name;
  return place;
}

/// The directory, and the names of all above it: another process may have made one of them and not
/// have synced it yet.
Result<void> sync_chain(const Place& place) {
  for (auto directory = place.chain.rbegin(); directory != place.chain.rend(); ++directory) {
    if (auto ok = sync_directory(*directory); !ok) return ok;
  }
  return {};
}

/// The object that is there, kept from being replaced, moved or removed. Errc::not_found; busy.
Result<FileLock> lock_object(const Place& place) {
  const auto deadline = std::chrono::steady_clock::now() + lock_patience;
  for (;;) {
    auto lock = FileLock::acquire_existing(place.directory(), place.name, lock_patience);
    if (!lock || lock->is_of(place.directory(), place.name)) return lock;
    if (std::chrono::steady_clock::now() < deadline) continue;  // of what was replaced meanwhile
    return std::unexpected(Error{.code = Errc::busy, .detail = place.path()});
  }
}

/// 0 or an errno. Never over what is there.
int rename_exclusively(const Place& from, const Place& to) {
  const int from_fd = from.directory().fd.get();
  const int to_fd = to.directory().fd.get();
  if (::renameat2(from_fd, from.name.c_str(), to_fd, to.name.c_str(), RENAME_NOREPLACE) == 0)
    return 0;
  if (errno != EINVAL && errno != ENOSYS) return errno;
  if (::linkat(from_fd, from.name.c_str(), to_fd, to.name.c_str(), 0) != 0) return errno;
  if (::fsync(to_fd) != 0) return errno;
  return ::unlinkat(from_fd, from.name.c_str(), 0) == 0 ? 0 : errno;
}

/// Names in a directory. Some file systems leave a name out of a reading during which another file
/// takes its place, so it is read until two readings agree.
Result<std::vector<std::string>> steady_names(const Directory& directory) {
  constexpr int readings_max = 100;
  auto before = list_directory(directory);
  for (int reading = 1; before && reading < readings_max; ++reading) {
    auto after = list_directory(directory);
    if (!after || *after == *before) return after;
    before = std::move(after);
  }
  if (!before) return before;
  return std::unexpected(
      Error{.code = Errc::busy, .detail = directory.path + ": changes while it is listed"});
}

/// What is below one prefix.
class Listing {
 public:
  /// `prefix`: of all names in `directory`.
  Result<void> add_all(const Directory& directory, const std::string& prefix);
  [[nodiscard]] std::vector<ObjectStore::Entry> sorted() &&;

 private:
  Result<void> add(const Directory& directory, const std::string& prefix, const std::string& part);

  std::vector<ObjectStore::Entry> entries_;
};

Result<void> Listing::add_all(const Directory& directory, const std::string& prefix) {
  const auto names = steady_names(directory);
  if (!names) return std::unexpected(names.error());
  for (const std::string& part : *names) {
    if (!is_object_name_part(part)) continue;
    auto added = add(directory, prefix, part);
    if (!added && !is_missing(added.error())) return added;  // gone since its name was read
  }
  return {};
}

Result<void> Listing::add(const Directory& directory, const std::string& prefix,
                          const std::string& part) {
  struct stat status{};
  if (::fstatat(directory.fd.get(), part.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0)
    return std::unexpected(system_error(errno, "fstatat", directory.path_of(part)));
  if (S_ISREG(status.st_mode)) {
    entries_.push_back(
        {.name = prefix + part, .bytes = static_cast<std::uint64_t>(status.st_size)});
    return {};
  }
  if (!S_ISDIR(status.st_mode)) {
    return std::unexpected(
        Error{.code = Errc::corrupt,
              .detail = directory.path_of(part) + ": neither a file nor a directory"});
  }
  const auto below = open_directory(directory, part);
  if (!below) return std::unexpected(below.error());
  return add_all(*below, prefix + part + '/');
}

std::vector<ObjectStore::Entry> Listing::sorted() && {
  std::ranges::sort(entries_, {}, &ObjectStore::Entry::name);
  return std::move(entries_);
}

}  // namespace

Result<ObjectStore::Object> DirectoryStore::get(std::string_view name, std::uint64_t bytes_max) {
  const auto place = place_of(root_, name, Missing::report);
  if (!place) return std::unexpected(place.error());
  auto bytes = read_text(place->directory(), place->name, bytes_max);
  if (!bytes) return std::unexpected(std::move(bytes.error()));
  Version version = version_of(*bytes);
  return Object{.bytes = *std::move(bytes), .version = std::move(version)};
}

Result<std::string> DirectoryStore::get_range(std::string_view name, std::uint64_t offset,
                                              std::uint64_t count) {
  const auto place = place_of(root_, name, Missing::report);
  if (!place) return std::unexpected(place.error());
  const auto file = open_for_reading(place->directory(), place->name);
  if (!file) return std::unexpected(file.error());
  const auto size = storage::size_of(*file, place->path());
  if (!size) return std::unexpected(size.error());
  if (offset > *size || count > *size - offset) {
    return std::unexpected(Error{.code = Errc::truncated,
                                 .detail = fmt::format("{}: {} bytes from {} on of {}",
                                                       place->path(), count, offset, *size)});
  }
  std::string bytes(static_cast<std::size_t>(count), '\0');
  if (auto ok =
          read_exactly(*file, std::as_writable_bytes(std::span(bytes)), offset, place->path());
      !ok)
    return std::unexpected(std::move(ok.error()));
  return bytes;
}

Result<std::optional<std::uint64_t>> DirectoryStore::size_of(std::string_view name) {
  const auto place = place_of(root_, name, Missing::report);
  auto size = place ? file_size(place->directory(), place->name)
                    : Result<std::uint64_t>(std::unexpected(place.error()));
  if (size) return std::optional(*size);
  if (is_missing(size.error())) return std::nullopt;
  return std::unexpected(std::move(size.error()));
}

Result<Version> DirectoryStore::put_if_absent(std::string_view name, std::string_view bytes) {
  const auto place = place_of(root_, name, Missing::make);
  if (!place) return std::unexpected(place.error());
  auto made = create_text(place->directory(), place->name, bytes);
  if (!made && made.error().code == std::errc::file_exists) made.error().code = Errc::exists;
  if (made) made = sync_chain(*place);
  if (!made) return std::unexpected(std::move(made.error()));
  return version_of(bytes);
}

Result<Version> DirectoryStore::put_if_match(std::string_view name, std::string_view bytes,
                                             const Version& version) {
  const auto place = place_of(root_, name, Missing::report);
  const auto lock = place ? lock_object(*place) : Result<FileLock>(std::unexpected(place.error()));
  if (!lock && is_missing(lock.error())) {
    return std::unexpected(Error{.code = Errc::changed,
                                 .detail = fmt::format("{}: is not there", root_.path_of(name))});
  }
  if (!lock) return std::unexpected(lock.error());
  const auto present = get(name, UINT64_MAX);
  if (!present) return std::unexpected(present.error());
  if (present->version != version) {
    return std::unexpected(Error{
        .code = Errc::changed,
        .detail = fmt::format("{}: is {}, not {}", place->path(), present->version, version)});
  }
  if (auto ok = replace_text(place->directory(), place->name, bytes); !ok)
    return std::unexpected(std::move(ok.error()));
  return version_of(bytes);
}

Result<std::vector<ObjectStore::Entry>> DirectoryStore::list(std::string_view prefix) {
  if (auto ok = check_object_prefix(prefix); !ok) return std::unexpected(std::move(ok.error()));
  const std::string below(prefix.substr(0, prefix.empty() ? 0 : prefix.size() - 1));
  const auto top = open_directory(root_, below.empty() ? "." : below);
  if (!top && is_missing(top.error())) return std::vector<Entry>();
  if (!top) return std::unexpected(top.error());
  Listing listing;
  if (auto ok = listing.add_all(*top, std::string(prefix)); !ok)
    return std::unexpected(std::move(ok.error()));
  return std::move(listing).sorted();
}

Result<void> DirectoryStore::remove(std::string_view name) {
  const auto place = place_of(root_, name, Missing::report);
  if (!place && is_missing(place.error())) return {};
  if (!place) return std::unexpected(place.error());
  const auto lock = lock_object(*place);
  if (!lock && !is_missing(lock.error())) return std::unexpected(lock.error());
  if (auto ok = remove_file(place->directory(), place->name); !ok) return ok;
  return sync_directory(place->directory());
}

Result<void> DirectoryStore::move(std::string_view from, std::string_view to) {
  const auto source = place_of(root_, from, Missing::report);
  if (!source) return std::unexpected(source.error());
  const auto lock = lock_object(*source);
  if (!lock) return std::unexpected(lock.error());
  const auto target = place_of(root_, to, Missing::make);
  if (!target) return std::unexpected(target.error());
  // Else a power cut could keep the renaming, and not the directory that it went to.
  if (auto ok = sync_chain(*target); !ok) return ok;
  if (const int error_number = rename_exclusively(*source, *target); error_number != 0) {
    Error error = system_error(error_number, "renameat2", target->path());
    if (error_number == EEXIST) error.code = Errc::exists;
    return std::unexpected(std::move(error));
  }
  if (auto ok = sync_directory(target->directory()); !ok) return ok;
  return sync_directory(source->directory());
}

}  // namespace sluice::storage
