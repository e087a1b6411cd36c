#include "storage/file_system.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <sys/vfs.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <limits>
#include <string_view>

namespace sluice::storage {
namespace {

struct Known {
  std::uint64_t magic;
  std::string_view type;
  FileSystemKind kind;
};

// statfs(2), <linux/magic.h>, and the file systems' own sources.
constexpr std::array<Known, 23> known{{
    {0xef53, "ext4", FileSystemKind::local},  // or ext2, ext3
    {0x58465342, "xfs", FileSystemKind::local},
    {0x9123683e, "btrfs", FileSystemKind::local},
    {0x2fc12fc1, "zfs", FileSystemKind::local},
    {0xf2f52010, "f2fs", FileSystemKind::local},
    {0xca451a4e, "bcachefs", FileSystemKind::local},
    {0x4d44, "vfat", FileSystemKind::local},
    {0x2011bab0, "exfat", FileSystemKind::local},
    {0x7366746e, "ntfs3", FileSystemKind::local},
    {0xf15f, "ecryptfs", FileSystemKind::local},
    {0x01021994, "tmpfs", FileSystemKind::memory},
    {0x858458f6, "ramfs", FileSystemKind::memory},
    {0x794c7630, "overlayfs", FileSystemKind::overlay},
    {0x6969, "nfs", FileSystemKind::network},
    {0x517b, "smb", FileSystemKind::network},
    {0xff534d42, "cifs", FileSystemKind::network},
    {0xfe534d42, "smb2", FileSystemKind::network},
    {0x01021997, "9p", FileSystemKind::network},
    {0x00c36400, "ceph", FileSystemKind::network},
    {0x0bd00bd0, "lustre", FileSystemKind::network},
    {0x01161970, "gfs2", FileSystemKind::network},
    {0x65735546, "fuse", FileSystemKind::network},
    {0x786f4256, "vboxsf", FileSystemKind::network},
}};

}  // namespace

Result<FileSystem> file_system_of(const Directory& directory) {
  struct statfs kind{};
  struct statvfs room{};
  if (::fstatfs(directory.fd.get(), &kind) != 0 || ::fstatvfs(directory.fd.get(), &room) != 0)
    return std::unexpected(system_error(errno, "statfs", directory.path));
  const auto magic = static_cast<std::uint64_t>(kind.f_type) & 0xffffffff;
  const auto* found = std::ranges::find(known, magic, &Known::magic);
  const bool is_known = found != known.end();
  return FileSystem{.type = is_known ? std::string(found->type) : fmt::format("{:#x}", magic),
                    .kind = is_known ? found->kind : FileSystemKind::local,
                    .read_only = (room.f_flag & ST_RDONLY) != 0,
                    .total_bytes = room.f_blocks * room.f_frsize,
                    .free_bytes = room.f_bavail * room.f_frsize,
                    .total_files = room.f_files,
                    .free_files = room.f_favail};
}

std::string kernel_release() {
  utsname names{};
  return ::uname(&names) == 0 ? static_cast<const char*>(names.release) : "";
}

std::uint64_t memlock_bytes() noexcept {
  rlimit limit{};
  const bool known_limit = ::getrlimit(RLIMIT_MEMLOCK, &limit) == 0;
  if (!known_limit || limit.rlim_cur == RLIM_INFINITY)
    return std::numeric_limits<std::uint64_t>::max();
  return limit.rlim_cur;
}

}  // namespace sluice::storage
