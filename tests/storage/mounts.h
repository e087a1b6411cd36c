#pragma once

#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <string>

#include "tests/storage/child.h"

namespace sluice::storage {

inline constexpr int cannot_mount = 99;

/// Mounts a tmpfs of that size on the directory, or gives one that is there that size and number of
/// files. 0 files: as many as there is room for.
inline bool mount_small(const std::filesystem::path& path, std::uint64_t bytes,
                        std::uint64_t files = 0, unsigned long flags = 0) {
  std::string options = "size=" + std::to_string(bytes);
  if (files > 0) options += ",nr_inodes=" + std::to_string(files);
  return ::mount("tmpfs", path.c_str(), "tmpfs", flags, options.c_str()) == 0;
}

/// Runs `body` in a child that may mount, where nobody else sees it. `cannot_mount` where the
/// machine does not let us.
template <class Body>
int in_own_mounts(Body body) {
  return in_child([&] {
    const int own = ::geteuid() == 0 ? CLONE_NEWNS : CLONE_NEWNS | CLONE_NEWUSER;
    if (::unshare(own) != 0) return cannot_mount;
    (void)::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr);
    return body();
  });
}

}  // namespace sluice::storage
