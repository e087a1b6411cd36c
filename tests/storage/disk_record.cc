#include "tests/storage/disk_record.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstdlib>
#include <ctime>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <utility>

namespace sluice::storage {
namespace {

std::atomic<bool> syncs_skipped = false;
std::atomic<std::int64_t> clock_offset = 0;

/// What is recorded, and which object each inode is.
class Recorder {
 public:
  std::mutex mutex;  ///< Held over each recorded call.

  void start(const std::filesystem::path& root) {
    const std::scoped_lock lock(mutex);
    ops_.clear();
    objects_.clear();
    made_ = 0;
    struct stat status{};
    if (::stat(root.c_str(), &status) != 0) std::abort();
    objects_[key(status)] = 0;
    recording_ = true;
  }
  std::vector<DiskOp> stop() {
    const std::scoped_lock lock(mutex);
    recording_ = false;
    return std::exchange(ops_, {});
  }

  void adopt(const std::filesystem::path& directory) {
    const std::scoped_lock lock(mutex);
    (void)made(AT_FDCWD, directory.c_str(), DiskOp::Kind::make_directory);
  }
  void plan(int nth, int error, bool all_after) {
    const std::scoped_lock lock(mutex);
    calls_ = 0;
    fail_at_ = nth;
    error_ = error;
    all_after_ = all_after;
  }
  [[nodiscard]] int calls() const { return calls_; }
  /// Whether the call that is about to change `object` is to fail; sets errno.
  bool fails(const std::optional<unsigned>& object) {
    if (!recording_ || !object || fail_at_ == 0) return false;
    const int n = ++calls_;
    if (n < fail_at_ || (n > fail_at_ && !all_after_)) return false;
    errno = error_;
    return true;
  }

  void add(DiskOp op) {
    if (recording_) ops_.push_back(std::move(op));
  }
  [[nodiscard]] bool recording() const { return recording_; }

  /// nullopt: it does not lie below the root.
  std::optional<unsigned> object_of(int fd) {
    struct stat status{};
    if (!recording_ || ::fstat(fd, &status) != 0) return std::nullopt;
    return find(status);
  }
  std::optional<unsigned> object_of(int directory, const char* name) {
    struct stat status{};
    if (!recording_ || ::fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) != 0)
      return std::nullopt;
    return find(status);
  }
  /// A new one, whatever had that inode before.
  unsigned made(int fd, DiskOp::Kind kind) {
    struct stat status{};
    if (::fstat(fd, &status) != 0) std::abort();
    return made(status, kind);
  }
  unsigned made(int directory, const char* name, DiskOp::Kind kind) {
    struct stat status{};
    if (::fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) != 0) std::abort();
    return made(status, kind);
  }

 private:
  using Key = std::pair<dev_t, ino_t>;
  static Key key(const struct stat& status) { return {status.st_dev, status.st_ino}; }

  std::optional<unsigned> find(const struct stat& status) {
    const auto found = objects_.find(key(status));
    if (found == objects_.end()) return std::nullopt;
    return found->second;
  }
  unsigned made(const struct stat& status, DiskOp::Kind kind) {
    const unsigned object = ++made_;
    objects_[key(status)] = object;
    add({.kind = kind, .object = object});
    return object;
  }

  std::map<Key, unsigned> objects_;
  std::vector<DiskOp> ops_;
  unsigned made_ = 0;
  bool recording_ = false;
  int calls_ = 0;
  int fail_at_ = 0;
  int error_ = 0;
  bool all_after_ = false;
};

Recorder& recorder() {
  static Recorder recorder;
  return recorder;
}

/// The C library's own.
template <class Function>
Function* real(const char* name) {
  void* const found = ::dlsym(RTLD_NEXT, name);
  if (found == nullptr) std::abort();
  return reinterpret_cast<Function*>(found);
}

int open_recorded(int directory, const char* path, int flags, mode_t mode) {
  static auto* const call = real<int(int, const char*, int, ...)>("openat");
  Recorder& record = recorder();
  const std::scoped_lock lock(record.mutex);
  const auto parent = record.object_of(directory);
  if (!parent) return call(directory, path, flags, mode);
  const bool makes = (flags & (O_CREAT | (O_TMPFILE & ~O_DIRECTORY))) != 0;
  if (makes && record.fails(parent)) return -1;
  const bool nameless = (flags & O_TMPFILE) == O_TMPFILE;
  const bool absent = ::faccessat(directory, path, F_OK, AT_SYMLINK_NOFOLLOW) != 0;
  const int fd = call(directory, path, flags, mode);
  if (fd < 0) return fd;
  if (nameless) (void)record.made(fd, DiskOp::Kind::make_file);
  if (!nameless && (flags & O_CREAT) != 0 && absent) {
    const unsigned object = record.made(fd, DiskOp::Kind::make_file);
    record.add({.kind = DiskOp::Kind::enter, .object = object, .directory = *parent, .name = path});
  }
  return fd;
}

ssize_t write_recorded(int fd, const void* data, ssize_t written, std::uint64_t offset) {
  Recorder& record = recorder();
  const auto object = record.object_of(fd);
  if (!object || written <= 0) return written;
  const std::span bytes(static_cast<const std::byte*>(data), static_cast<std::size_t>(written));
  record.add({.kind = DiskOp::Kind::write,
              .object = *object,
              .offset = offset,
              .bytes = {bytes.begin(), bytes.end()}});
  return written;
}

int sync_recorded(int fd, const char* name) {
  if (syncs_skipped) return 0;
  auto* const call = real<int(int)>(name);
  Recorder& record = recorder();
  const std::scoped_lock lock(record.mutex);
  const auto object = record.object_of(fd);
  if (record.fails(object)) return -1;
  const int result = call(fd);
  if (result == 0 && object) record.add({.kind = DiskOp::Kind::sync, .object = *object});
  return result;
}

int rename_recorded(int from_directory, const char* from, int to_directory, const char* to,
                    unsigned flags) {
  static auto* const call = real<int(int, const char*, int, const char*, unsigned)>("renameat2");
  Recorder& record = recorder();
  const std::scoped_lock lock(record.mutex);
  const auto object = record.object_of(from_directory, from);
  const auto source = record.object_of(from_directory);
  const auto target = record.object_of(to_directory);
  if (record.fails(target)) return -1;
  const int result = call(from_directory, from, to_directory, to, flags);
  if (result == 0 && object && source && target) {
    record.add({.kind = DiskOp::Kind::rename,
                .object = *object,
                .directory = *source,
                .name = from,
                .to_directory = *target,
                .to_name = to});
  }
  return result;
}

}  // namespace

void start_recording(const std::filesystem::path& root) { recorder().start(root); }
std::vector<DiskOp> stop_recording() { return recorder().stop(); }
void record_directory(const std::filesystem::path& directory) { recorder().adopt(directory); }
void record_mark(std::string text) {
  const std::scoped_lock lock(recorder().mutex);
  recorder().add({.kind = DiskOp::Kind::mark, .name = std::move(text)});
}
void set_syncs_skipped(bool skipped) { syncs_skipped = skipped; }
void fail_call(int nth, int error, bool all_after) { recorder().plan(nth, error, all_after); }
int changing_calls() { return recorder().calls(); }
void set_clock_offset(std::chrono::seconds offset) { clock_offset = offset.count(); }

}  // namespace sluice::storage

// What the program under test calls instead of the C library: a name that the executable has comes
// first.

using sluice::storage::DiskOp;

extern "C" {

int openat(int directory, const char* path, int flags, ...) {
  mode_t mode = 0;
  if ((flags & (O_CREAT | O_TMPFILE)) != 0) {
    va_list arguments;
    va_start(arguments, flags);
    mode = va_arg(arguments, mode_t);
    va_end(arguments);
  }
  return sluice::storage::open_recorded(directory, path, flags, mode);
}

ssize_t write(int fd, const void* data, size_t size) {
  static auto* const call = sluice::storage::real<ssize_t(int, const void*, size_t)>("write");
  auto& record = sluice::storage::recorder();
  const std::scoped_lock lock(record.mutex);
  if (record.fails(record.object_of(fd))) return -1;
  const off_t offset = record.recording() ? ::lseek(fd, 0, SEEK_CUR) : 0;
  const ssize_t written = call(fd, data, size);
  if (offset < 0) return written;
  return sluice::storage::write_recorded(fd, data, written, static_cast<std::uint64_t>(offset));
}

ssize_t pwrite(int fd, const void* data, size_t size, off_t offset) {
  static auto* const call =
      sluice::storage::real<ssize_t(int, const void*, size_t, off_t)>("pwrite");
  auto& record = sluice::storage::recorder();
  const std::scoped_lock lock(record.mutex);
  if (record.fails(record.object_of(fd))) return -1;
  const ssize_t written = call(fd, data, size, offset);
  return sluice::storage::write_recorded(fd, data, written, static_cast<std::uint64_t>(offset));
}

int ftruncate(int fd, off_t size) noexcept {
  static auto* const call = sluice::storage::real<int(int, off_t)>("ftruncate");
  auto& record = sluice::storage::recorder();
  const std::scoped_lock lock(record.mutex);
  const auto object = record.object_of(fd);
  if (record.fails(object)) return -1;
  const int result = call(fd, size);
  if (result == 0 && object) {
    record.add({.kind = DiskOp::Kind::truncate,
                .object = *object,
                .offset = static_cast<std::uint64_t>(size)});
  }
  return result;
}

int clock_gettime(clockid_t clock, timespec* now) noexcept {
  static auto* const call = sluice::storage::real<int(clockid_t, timespec*)>("clock_gettime");
  const int result = call(clock, now);
  if (result == 0 && clock == CLOCK_REALTIME) now->tv_sec += sluice::storage::clock_offset;
  return result;
}

int fsync(int fd) { return sluice::storage::sync_recorded(fd, "fsync"); }
int fdatasync(int fd) { return sluice::storage::sync_recorded(fd, "fdatasync"); }

int mkdirat(int directory, const char* path, mode_t mode) noexcept {
  static auto* const call = sluice::storage::real<int(int, const char*, mode_t)>("mkdirat");
  auto& record = sluice::storage::recorder();
  const std::scoped_lock lock(record.mutex);
  const auto parent = record.object_of(directory);
  if (record.fails(parent)) return -1;
  const int result = call(directory, path, mode);
  if (result == 0 && parent) {
    const unsigned object = record.made(directory, path, DiskOp::Kind::make_directory);
    record.add({.kind = DiskOp::Kind::enter, .object = object, .directory = *parent, .name = path});
  }
  return result;
}

int linkat(int from_directory, const char* from, int to_directory, const char* to,
           int flags) noexcept {
  static auto* const call =
      sluice::storage::real<int(int, const char*, int, const char*, int)>("linkat");
  auto& record = sluice::storage::recorder();
  const std::scoped_lock lock(record.mutex);
  const auto target = record.object_of(to_directory);
  if (record.fails(target)) return -1;
  const int result = call(from_directory, from, to_directory, to, flags);
  if (result != 0) return result;
  const auto object = record.object_of(to_directory, to);
  if (target && object) {
    record.add({.kind = DiskOp::Kind::enter, .object = *object, .directory = *target, .name = to});
  }
  return result;
}

int renameat(int from_directory, const char* from, int to_directory, const char* to) noexcept {
  return sluice::storage::rename_recorded(from_directory, from, to_directory, to, 0);
}
int renameat2(int from_directory, const char* from, int to_directory, const char* to,
              unsigned flags) noexcept {
  return sluice::storage::rename_recorded(from_directory, from, to_directory, to, flags);
}

int unlinkat(int directory, const char* path, int flags) noexcept {
  static auto* const call = sluice::storage::real<int(int, const char*, int)>("unlinkat");
  auto& record = sluice::storage::recorder();
  const std::scoped_lock lock(record.mutex);
  const auto parent = record.object_of(directory);
  const auto object = record.object_of(directory, path);
  if (record.fails(parent)) return -1;
  const int result = call(directory, path, flags);
  if (result == 0 && parent && object) {
    record.add(
        {.kind = DiskOp::Kind::leave, .object = *object, .directory = *parent, .name = path});
  }
  return result;
}

}  // extern "C"
