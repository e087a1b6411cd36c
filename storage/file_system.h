#pragma once

#include <cstdint>
#include <string>

#include "storage/error.h"
#include "storage/file.h"

namespace sluice::storage {

/// What a file system is like to those who keep backups on it.
enum class FileSystemKind : std::uint8_t {
  local,
  memory,   ///< Gone when the machine restarts.
  network,  ///< Locks and syncs are what the other side makes of them.
  overlay,  ///< The writable layer of a container: gone with it.
};

struct FileSystem {
  std::string type;  ///< "ext4", or the number of one that is not known here.
  FileSystemKind kind = FileSystemKind::local;
  bool read_only = false;
  std::uint64_t total_bytes = 0;
  std::uint64_t free_bytes = 0;   ///< For us, who may not be root.
  std::uint64_t total_files = 0;  ///< 0: as many as there is room for.
  std::uint64_t free_files = 0;
};

/// Of the file system that the directory lies on.
[[nodiscard]] Result<FileSystem> file_system_of(const Directory& directory);

/// `uname -r`; empty where that fails.
[[nodiscard]] std::string kernel_release();

/// What this process may lock into memory, in bytes; UINT64_MAX: without limit.
[[nodiscard]] std::uint64_t memlock_bytes() noexcept;

}  // namespace sluice::storage
