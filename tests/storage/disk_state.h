#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "tests/storage/disk_record.h"

namespace sluice::storage {

/// The files below a directory, by path; nullopt is a directory.
using DiskImage = std::map<std::string, std::optional<std::vector<std::byte>>>;

/// What a power cut leaves of what was not synced. A write that was not is there wholly, not at
/// all, in some of its blocks of 4 KiB, or as zeros in a file that has its size already. A name
/// that was not is as before or as after; what was done to one name is there up to some moment. A
/// rename is all or nothing, unless the directory that it goes to was synced: then the old name may
/// be there too.
class PowerCut {
 public:
  /// After the first `count` of `ops`. These must outlive it.
  PowerCut(std::span<const DiskOp> ops, std::size_t count);

  /// Nothing that was not synced.
  [[nodiscard]] DiskImage nothing_kept() const { return image(Keep::none, Keep::none, 0); }
  /// All of it, as after a kill.
  [[nodiscard]] DiskImage all_kept() const { return image(Keep::all, Keep::all, 0); }
  [[nodiscard]] DiskImage names_kept() const { return image(Keep::all, Keep::none, 0); }
  [[nodiscard]] DiskImage names_and_sizes_kept() const { return image(Keep::all, Keep::sizes, 0); }
  [[nodiscard]] DiskImage bytes_kept() const { return image(Keep::none, Keep::all, 0); }
  /// The same for the same seed: a beginning of the names, or any of them, and any of the bytes.
  [[nodiscard]] DiskImage some_kept(std::uint64_t seed) const {
    return image(seed % 2 == 0 ? Keep::beginning : Keep::some, Keep::some, seed);
  }
  /// How many of the operations were not synced.
  [[nodiscard]] std::size_t unsynced() const;

 private:
  enum class Keep : std::uint8_t { none, all, sizes, beginning, some };
  [[nodiscard]] DiskImage image(Keep names, Keep bytes, std::uint64_t seed) const;

  std::span<const DiskOp> ops_;
  std::vector<bool> synced_;         ///< By position of the operation.
  std::vector<bool> target_synced_;  ///< Of a rename.
};

/// Makes the files; `path` is empty or is not there.
void write_image(const DiskImage& image, const std::filesystem::path& path);
/// Of what is there.
[[nodiscard]] DiskImage read_image(const std::filesystem::path& path);

}  // namespace sluice::storage
