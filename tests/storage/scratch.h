#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "storage/error.h"

namespace sluice::storage {

/// A directory of a test's own, gone when the test is.
class ScratchDirectory {
 public:
  explicit ScratchDirectory(
      const std::filesystem::path& below = std::filesystem::temp_directory_path()) {
    std::string pattern = (below / "sluice-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) std::abort();
    path_ = pattern;
  }
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;
  ~ScratchDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

/// In memory where that is to be had: for tests that make many files and fear no power cut.
inline std::filesystem::path memory_directory() {
  const std::filesystem::path memory = "/dev/shm";
  return ::access(memory.c_str(), W_OK) == 0 ? memory : std::filesystem::temp_directory_path();
}

inline std::vector<std::byte> bytes_of(std::string_view text) {
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

/// Bytes that no codec shrinks, the same for the same seed.
inline std::vector<std::byte> random_bytes(std::size_t size, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<std::byte> bytes(size);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
  return bytes;
}

/// Bytes that LZ4 shrinks to about a third.
inline std::vector<std::byte> compressible_bytes(std::size_t size, std::uint64_t seed) {
  auto bytes = random_bytes(size, seed);
  for (std::size_t i = 0; i < size; ++i) {
    if (i % 24 >= 8) bytes[i] = static_cast<std::byte>('a' + i % 24);
  }
  return bytes;
}

inline std::vector<std::byte> read_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  const std::string text(std::istreambuf_iterator<char>(in), {});
  return bytes_of(text);
}

/// Overwrites the file, whatever its mode.
inline void write_file(const std::filesystem::path& path, std::span<const std::byte> bytes) {
  namespace fs = std::filesystem;
  if (fs::exists(path)) fs::permissions(path, fs::perms::owner_read | fs::perms::owner_write);
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out.write(reinterpret_cast<const char*>(bytes.data()),
            static_cast<std::streamsize>(bytes.size()));
}

/// Regular files below `root`, sorted, without lock files.
inline std::vector<std::filesystem::path> files_below(const std::filesystem::path& root) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(root)) {
    const auto name = entry.path().filename();
    if (entry.is_regular_file() && name != "LOCK" && name != "LAST") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace sluice::storage

#define ASSERT_OK(result) ASSERT_TRUE((result).has_value()) << to_string((result).error())
#define EXPECT_OK(result) EXPECT_TRUE((result).has_value()) << to_string((result).error())
