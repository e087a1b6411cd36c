#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "sluice/result.h"

namespace sluice::engine {

/// An RDB file as a place: a path, "file://…", or "-" for standard input.
class FileInput {
 public:
  /// Errors: "open_failed", "bad_uri".
  [[nodiscard]] static Result<FileInput> open(const std::string& place);

  /// Fails as open() does when there is no such file; opens nothing that exists.
  [[nodiscard]] static Result<void> require(const std::string& place);

  /// The next stretch of the file, valid until the next call; empty at its end. Errors:
  /// "read_failed".
  [[nodiscard]] Result<std::span<const std::byte>> next();

  /// For messages: "file dump.rdb", "standard input".
  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  /// A place's name without folders and extension; "stdin" for standard input. Opens nothing: a
  /// pipe can be opened only once.
  [[nodiscard]] static std::string stem(const std::string& place);
  [[nodiscard]] std::optional<std::uint64_t> size() const noexcept { return size_; }

 private:
  // Stays in the cache between the reader's passes. Aligned: into a block that is not, some CPUs
  // let the kernel copy four times as slowly.
  static constexpr std::size_t block_bytes = 256 << 10;
  static constexpr std::size_t block_alignment = 4096;

  /// Owns a file descriptor, but for standard input's.
  struct Descriptor {
    Descriptor() = default;
    Descriptor(Descriptor&& other) noexcept : number(std::exchange(other.number, -1)) {}
    Descriptor& operator=(Descriptor&& other) noexcept {
      std::swap(number, other.number);
      return *this;
    }
    ~Descriptor();
    int number = -1;
  };
  struct Free {
    void operator()(std::byte* block) const noexcept { std::free(block); }
  };

  FileInput() = default;

  Descriptor file_;
  std::unique_ptr<std::byte, Free> block_;
  std::string name_;
  std::optional<std::uint64_t> size_;
};

}  // namespace sluice::engine
