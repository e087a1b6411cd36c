#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "storage/error.h"

/// The few system calls on names that a repository needs, each with the object in its Error.
/// Modes do not depend on the umask: directories 0700, published files 0400.
namespace sluice::storage {

/// Owns a file descriptor. Closing it loses no error that matters: what was written was synced.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) noexcept : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(other.release()) {}
  Fd& operator=(Fd&& other) noexcept;
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  ~Fd();

  [[nodiscard]] int get() const noexcept { return fd_; }
  explicit operator bool() const noexcept { return fd_ >= 0; }
  int release() noexcept;

 private:
  int fd_ = -1;
};

/// An open directory and the path it was reached by, for messages.
struct Directory {
  Fd fd;
  std::string path;

  [[nodiscard]] std::string path_of(std::string_view name) const;
};

[[nodiscard]] Result<Directory> open_directory(const std::string& path);
/// `name` may be of several parts, separated by '/'. A symbolic link in it is Errc::corrupt:
/// whoever can write into a repository could lead its readers and writers anywhere.
[[nodiscard]] Result<Directory> open_directory(const Directory& parent, const std::string& name);
/// Exists afterwards, 0700 if made here. Not synced: that is sync_directory(parent)'s.
[[nodiscard]] Result<void> make_directory(const Directory& parent, const std::string& name);
[[nodiscard]] Result<void> sync_directory(const Directory& directory);
/// Names in the directory, sorted, without "." and "..".
[[nodiscard]] Result<std::vector<std::string>> list_directory(const Directory& directory);

/// The same, of directories only: what else lies there is nobody's business.
[[nodiscard]] Result<std::vector<std::string>> list_directories(const Directory& directory);

/// Errc::not_found; corrupt when it is a symbolic link.
[[nodiscard]] Result<Fd> open_for_reading(const Directory& parent, const std::string& name);
/// Has the file read and written past the page cache (O_DIRECT) from now on, by memory that is
/// aligned to 4096. Returns what offsets and sizes must then be a multiple of, at least 4096; 0
/// where the file system has no direct I/O or wants more of the memory.
[[nodiscard]] std::size_t begin_direct(const Fd& file) noexcept;
void end_direct(const Fd& file) noexcept;

[[nodiscard]] Result<std::uint64_t> size_of(const Fd& file, std::string_view object);
/// Of the regular file `name`, without opening it. Errc::not_found when it is missing.
[[nodiscard]] Result<std::uint64_t> file_size(const Directory& parent, const std::string& name);
/// Whatever it is, a symbolic link too.
[[nodiscard]] Result<bool> exists(const Directory& parent, const std::string& name);
/// Fills `into` from `offset` on. Errc::truncated when the file ends before.
[[nodiscard]] Result<void> read_exactly(const Fd& file, std::span<std::byte> into,
                                        std::uint64_t offset, std::string_view object);
/// The whole of a small file. Errc::limit_exceeded above `bytes_max`, before memory is taken.
[[nodiscard]] Result<std::string> read_text(const Directory& parent, const std::string& name,
                                            std::uint64_t bytes_max);

/// Makes a file that appears whole or not at all, and never over another: written and synced
/// without a name, or where the file system has no nameless files, with one that no other writer
/// has; linked; directory synced. EEXIST when `name` exists. Any number of writers may try at once.
[[nodiscard]] Result<void> create_text(const Directory& parent, const std::string& name,
                                       std::string_view text);
/// The same, but puts it in the place of what is there. One writer at a time.
[[nodiscard]] Result<void> replace_text(const Directory& parent, const std::string& name,
                                        std::string_view text);

/// Gives a file or a directory another name, never over another. Where the file system cannot
/// rename without replacing, it is looked first: then nobody else may do the same meanwhile. Not
/// synced.
[[nodiscard]] Result<void> rename_entry(const Directory& from, const std::string& name,
                                        const Directory& to, const std::string& new_name);

/// Gone afterwards, also if it was never there. Not synced.
[[nodiscard]] Result<void> remove_file(const Directory& parent, const std::string& name);
/// Removes a directory that holds files only, and those files. Not synced.
[[nodiscard]] Result<void> remove_directory(const Directory& parent, const std::string& name);

/// Gives a nameless file (O_TMPFILE) its name, never over another. 0 or an errno. Not synced.
[[nodiscard]] int link_nameless(const Fd& file, const Directory& directory,
                                const std::string& name);

/// The name under which `name` is written before it is published.
[[nodiscard]] std::string temporary_name(std::string_view name);
[[nodiscard]] bool is_temporary_name(std::string_view name) noexcept;

}  // namespace sluice::storage
