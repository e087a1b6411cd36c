#include "storage/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <span>
#include <utility>

#include "storage/backup_id.h"
#include "storage/checksum.h"

namespace sluice::storage {
namespace {

constexpr std::string_view temporary_prefix = ".new-";
constexpr mode_t directory_mode = 0700;
constexpr mode_t published_mode = 0400;
constexpr std::size_t direct_alignment = 4096;

std::unexpected<Error> failure(std::string_view call, std::string_view object) {
  return std::unexpected(system_error(errno, call, object));
}

Result<std::uint64_t> regular_size(const struct stat& status, std::string_view object) {
  if (S_ISREG(status.st_mode)) return static_cast<std::uint64_t>(status.st_size);
  return std::unexpected(
      Error{.code = Errc::corrupt, .detail = std::string(object) + ": not a regular file"});
}

Result<void> write_all(const Fd& file, std::string_view text, std::string_view object) {
  while (!text.empty()) {
    const ssize_t written = ::write(file.get(), text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return failure("write", object);
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

Result<void> write_whole(const Fd& file, std::string_view text, std::string_view object) {
  if (auto ok = write_all(file, text, object); !ok) return ok;
  if (::fchmod(file.get(), published_mode) != 0) return failure("fchmod", object);
  if (::fsync(file.get()) != 0) return failure("fsync", object);
  return {};
}

/// Writes and syncs `text` under the name `temporary`.
Result<void> write_temporary(const Directory& parent, const std::string& temporary,
                             std::string_view text) {
  const std::string object = parent.path_of(temporary);
  if (auto ok = remove_file(parent, temporary); !ok) return ok;  // a dead writer's
  const Fd file(::openat(parent.fd.get(), temporary.c_str(),
                         O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file) return failure("openat", object);
  return write_whole(file, text, object);
}

Result<void> create_by_temporary(const Directory& parent, const std::string& name,
                                 std::string_view text) {
  std::array<std::byte, 8> own{};
  if (auto ok = fill_random(own); !ok) return ok;
  const std::string temporary = temporary_name(name) + '-' + to_hex(own);
  const int fd = parent.fd.get();
  auto made = write_temporary(parent, temporary, text);
  if (made && ::linkat(fd, temporary.c_str(), fd, name.c_str(), 0) != 0)
    made = failure("linkat", parent.path_of(name));
  auto removed = remove_file(parent, temporary);
  return made ? removed : made;
}

/// Of something that cannot be opened without following it.
std::unexpected<Error> open_failure(const Directory& parent, const std::string& name) {
  const int error_number = errno;
  struct stat status{};
  const bool link = (error_number == ELOOP || error_number == ENOTDIR) &&
                    ::fstatat(parent.fd.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0 &&
                    S_ISLNK(status.st_mode);
  if (!link) return std::unexpected(system_error(error_number, "openat", parent.path_of(name)));
  return std::unexpected(
      Error{.code = Errc::corrupt, .detail = parent.path_of(name) + ": a symbolic link"});
}

Result<Directory> open_part(const Directory& parent, const std::string& name) {
  Fd fd(::openat(parent.fd.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd) return open_failure(parent, name);
  return Directory{.fd = std::move(fd), .path = parent.path_of(name)};
}

/// Does `call` with a name of several parts, none of which may be a symbolic link.
template <class Value>
Result<Value> within(const Directory& parent, const std::string& name,
                     Result<Value> (*call)(const Directory&, const std::string&)) {
  const std::size_t slash = name.rfind('/');
  auto directory = open_directory(parent, name.substr(0, slash));
  if (directory) return call(*directory, name.substr(slash + 1));
  if (directory.error().code == std::errc::no_such_file_or_directory)
    return std::unexpected(Error{.code = Errc::not_found, .detail = parent.path_of(name)});
  return std::unexpected(std::move(directory.error()));
}

}  // namespace

Fd& Fd::operator=(Fd&& other) noexcept {
  if (this != &other) {
    if (fd_ >= 0) ::close(fd_);
    fd_ = other.release();
  }
  return *this;
}

Fd::~Fd() {
  if (fd_ >= 0) ::close(fd_);
}

int Fd::release() noexcept { return std::exchange(fd_, -1); }

std::string Directory::path_of(std::string_view name) const {
  std::string whole = path;
  whole += '/';
  whole += name;
  return whole;
}

Result<Directory> open_directory(const std::string& path) {
  Fd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return failure("open", path);
  return Directory{.fd = std::move(fd), .path = path};
}

Result<Directory> open_directory(const Directory& parent, const std::string& name) {
  std::size_t end = name.find('/');
  auto found = open_part(parent, name.substr(0, end));
  while (found && end != std::string::npos) {
    const std::size_t begin = end + 1;
    end = name.find('/', begin);
    found = open_part(*found, name.substr(begin, end - begin));
  }
  return found;
}

Result<void> make_directory(const Directory& parent, const std::string& name) {
  if (::mkdirat(parent.fd.get(), name.c_str(), directory_mode) != 0) {
    if (errno == EEXIST) return {};
    return failure("mkdirat", parent.path_of(name));
  }
  if (::fchmodat(parent.fd.get(), name.c_str(), directory_mode, 0) != 0)  // whatever the umask
    return failure("fchmodat", parent.path_of(name));
  return {};
}

Result<void> sync_directory(const Directory& directory) {
  if (::fsync(directory.fd.get()) != 0) return failure("fsync", directory.path);
  return {};
}

Result<std::vector<std::string>> list_directory(const Directory& directory) {
  // A descriptor of its own: a shared one would share the reading position between threads.
  Fd fd(::openat(directory.fd.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return failure("openat", directory.path);
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(::fdopendir(fd.get()), ::closedir);
  if (!stream) return failure("fdopendir", directory.path);
  (void)fd.release();  // the stream closes it

  std::vector<std::string> names;
  for (;;) {
    errno = 0;
    const dirent* entry = ::readdir(stream.get());
    if (entry == nullptr) break;
    const std::string_view name = static_cast<const char*>(entry->d_name);
    if (name != "." && name != "..") names.emplace_back(name);
  }
  if (errno != 0) return failure("readdir", directory.path);
  std::ranges::sort(names);
  return names;
}

Result<std::vector<std::string>> list_directories(const Directory& directory) {
  auto names = list_directory(directory);
  if (!names) return names;
  std::erase_if(*names, [&directory](const std::string& name) {
    struct stat status{};
    const int fd = directory.fd.get();
    // What cannot be looked at stays in the list: whoever opens it has the error.
    return ::fstatat(fd, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0 &&
           !S_ISDIR(status.st_mode);
  });
  return names;
}

Result<Fd> open_for_reading(const Directory& parent, const std::string& name) {
  if (name.contains('/')) return within(parent, name, open_for_reading);
  Fd file(::openat(parent.fd.get(), name.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (file) return file;
  if (errno == ENOENT)
    return std::unexpected(Error{.code = Errc::not_found, .detail = parent.path_of(name)});
  return open_failure(parent, name);
}

std::size_t begin_direct(const Fd& file) noexcept {
  std::size_t granule = direct_alignment;
#ifdef STATX_DIOALIGN
  struct statx facts{};
  if (::statx(file.get(), "", AT_EMPTY_PATH, STATX_DIOALIGN, &facts) == 0 &&
      (facts.stx_mask & STATX_DIOALIGN) != 0) {
    if (facts.stx_dio_offset_align == 0 || facts.stx_dio_mem_align > direct_alignment) return 0;
    granule = std::max<std::size_t>(granule, facts.stx_dio_offset_align);
  }
#endif
  const int flags = ::fcntl(file.get(), F_GETFL);
  if (flags < 0 || ::fcntl(file.get(), F_SETFL, flags | O_DIRECT) != 0) return 0;
  return granule;
}

void end_direct(const Fd& file) noexcept {
  const int flags = ::fcntl(file.get(), F_GETFL);
  if (flags >= 0) (void)::fcntl(file.get(), F_SETFL, flags & ~O_DIRECT);
}

Result<std::uint64_t> size_of(const Fd& file, std::string_view object) {
  struct stat status{};
  if (::fstat(file.get(), &status) != 0) return failure("fstat", object);
  return regular_size(status, object);
}

Result<std::uint64_t> file_size(const Directory& parent, const std::string& name) {
  if (name.contains('/')) return within(parent, name, file_size);
  const std::string object = parent.path_of(name);
  struct stat status{};
  if (::fstatat(parent.fd.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0)
    return regular_size(status, object);
  if (errno == ENOENT) return std::unexpected(Error{.code = Errc::not_found, .detail = object});
  return failure("fstatat", object);
}

Result<bool> exists(const Directory& parent, const std::string& name) {
  if (name.contains('/')) {
    auto found = within(parent, name, exists);
    if (!found && found.error().code == Errc::not_found) return false;
    return found;
  }
  if (::faccessat(parent.fd.get(), name.c_str(), F_OK, AT_SYMLINK_NOFOLLOW) == 0) return true;
  if (errno == ENOENT) return false;
  return failure("faccessat", parent.path_of(name));
}

Result<void> read_exactly(const Fd& file, std::span<std::byte> into, std::uint64_t offset,
                          std::string_view object) {
  while (!into.empty()) {
    const ssize_t got = ::pread(file.get(), into.data(), into.size(), static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return failure("pread", object);
    if (got == 0) {
      return std::unexpected(
          Error{.code = Errc::truncated,
                .detail = std::string(object) + ": file ends at byte " + std::to_string(offset)});
    }
    into = into.subspan(static_cast<std::size_t>(got));
    offset += static_cast<std::uint64_t>(got);
  }
  return {};
}

Result<std::string> read_text(const Directory& parent, const std::string& name,
                              std::uint64_t bytes_max) {
  const std::string object = parent.path_of(name);
  const auto file = open_for_reading(parent, name);
  if (!file) return std::unexpected(file.error());
  const auto size = size_of(*file, object);
  if (!size) return std::unexpected(size.error());
  if (*size > bytes_max) {
    return std::unexpected(Error{.code = Errc::limit_exceeded,
                                 .detail = object + ": " + std::to_string(*size) +
                                           " bytes, at most " + std::to_string(bytes_max)});
  }
  std::string text(static_cast<std::size_t>(*size), '\0');
  if (auto ok = read_exactly(*file, std::as_writable_bytes(std::span(text)), 0, object); !ok)
    return std::unexpected(std::move(ok.error()));
  return text;
}

Result<void> create_text(const Directory& parent, const std::string& name, std::string_view text) {
  const std::string object = parent.path_of(name);
  const Fd nameless(::openat(parent.fd.get(), ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600));
  auto made =
      nameless ? write_whole(nameless, text, object) : create_by_temporary(parent, name, text);
  if (!made) return made;
  if (nameless) {
    if (const int error_number = link_nameless(nameless, parent, name); error_number != 0)
      return std::unexpected(system_error(error_number, "linkat", object));
  }
  return sync_directory(parent);
}

Result<void> replace_text(const Directory& parent, const std::string& name, std::string_view text) {
  const std::string temporary = temporary_name(name);
  if (auto ok = write_temporary(parent, temporary, text); !ok) return ok;
  const int fd = parent.fd.get();
  if (::renameat(fd, temporary.c_str(), fd, name.c_str()) != 0)
    return failure("renameat", parent.path_of(name));
  return sync_directory(parent);
}

Result<void> rename_entry(const Directory& from, const std::string& name, const Directory& to,
                          const std::string& new_name) {
  const auto refuse = [&](int error) {
    return std::unexpected(system_error(error, "rename", from.path_of(name)));
  };
  const int from_fd = from.fd.get();
  const int to_fd = to.fd.get();
  if (::renameat2(from_fd, name.c_str(), to_fd, new_name.c_str(), RENAME_NOREPLACE) == 0) return {};
  if (errno != EINVAL && errno != ENOSYS) return refuse(errno);
  const auto taken = exists(to, new_name);
  if (!taken) return std::unexpected(taken.error());
  if (*taken) return refuse(EEXIST);
  if (::renameat(from_fd, name.c_str(), to_fd, new_name.c_str()) != 0) return refuse(errno);
  return {};
}

Result<void> remove_file(const Directory& parent, const std::string& name) {
  if (::unlinkat(parent.fd.get(), name.c_str(), 0) == 0 || errno == ENOENT) return {};
  return failure("unlinkat", parent.path_of(name));
}

Result<void> remove_directory(const Directory& parent, const std::string& name) {
  {
    const auto directory = open_directory(parent, name);
    if (!directory) return std::unexpected(directory.error());
    const auto names = list_directory(*directory);
    if (!names) return std::unexpected(names.error());
    for (const std::string& file : *names) {
      if (auto ok = remove_file(*directory, file); !ok) return ok;
    }
  }
  if (::unlinkat(parent.fd.get(), name.c_str(), AT_REMOVEDIR) == 0 || errno == ENOENT) return {};
  return failure("rmdir", parent.path_of(name));
}

// Without /proc the kernel wants a privilege for it.
int link_nameless(const Fd& file, const Directory& directory, const std::string& name) {
  const std::string source = fmt::format("/proc/self/fd/{}", file.get());
  const int result =
      ::linkat(AT_FDCWD, source.c_str(), directory.fd.get(), name.c_str(), AT_SYMLINK_FOLLOW);
  if (result == 0) return 0;
  if (errno != ENOENT) return errno;
  return ::linkat(file.get(), "", directory.fd.get(), name.c_str(), AT_EMPTY_PATH) == 0 ? 0 : errno;
}

std::string temporary_name(std::string_view name) {
  return std::string(temporary_prefix) + std::string(name);
}

bool is_temporary_name(std::string_view name) noexcept {
  return name.starts_with(temporary_prefix);
}

}  // namespace sluice::storage
