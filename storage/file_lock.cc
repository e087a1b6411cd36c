#include "storage/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cerrno>
#include <thread>

namespace sluice::storage {

namespace {

Result<void> wait_for(const Fd& fd, const std::string& object, std::chrono::milliseconds patience) {
  constexpr std::chrono::milliseconds pause(10);
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EINTR) continue;
    if (errno != EWOULDBLOCK) return std::unexpected(system_error(errno, "flock", object));
    if (std::chrono::steady_clock::now() >= deadline)
      return std::unexpected(Error{.code = Errc::busy, .detail = object});
    std::this_thread::sleep_for(pause);
  }
  return {};
}

}  // namespace

Result<FileLock> FileLock::acquire(const Directory& directory, const std::string& name,
                                   std::chrono::milliseconds patience) {
  const std::string object = directory.path_of(name);
  Fd fd(
      ::openat(directory.fd.get(), name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd) return std::unexpected(system_error(errno, "openat", object));
  (void)::fchmod(fd.get(), 0600);  // whatever the umask; another owner's lock stays as it is
  if (auto ok = wait_for(fd, object, patience); !ok) return std::unexpected(std::move(ok.error()));
  return FileLock(std::move(fd));
}

Result<FileLock> FileLock::acquire_existing(const Directory& directory, const std::string& name,
                                            std::chrono::milliseconds patience) {
  auto fd = open_for_reading(directory, name);
  if (!fd) return std::unexpected(std::move(fd.error()));
  auto locked = wait_for(*fd, directory.path_of(name), patience);
  if (!locked && locked.error().code == std::errc::bad_file_descriptor) {
    // NFS locks only what may be written to. Whoever owns the file may let itself.
    (void)::fchmod(fd->get(), 0600);
    *fd = Fd(::openat(directory.fd.get(), name.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
    if (!*fd) return std::unexpected(system_error(errno, "openat", directory.path_of(name)));
    locked = wait_for(*fd, directory.path_of(name), patience);
  }
  if (!locked) return std::unexpected(std::move(locked.error()));
  return FileLock(*std::move(fd));
}

bool FileLock::is_of(const Directory& directory, const std::string& name) const noexcept {
  struct stat locked{};
  struct stat named{};
  return ::fstat(fd_.get(), &locked) == 0 &&
         ::fstatat(directory.fd.get(), name.c_str(), &named, AT_SYMLINK_NOFOLLOW) == 0 &&
         locked.st_dev == named.st_dev && locked.st_ino == named.st_ino;
}

}  // namespace sluice::storage
