#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "sluice/result.h"

namespace sluice::engine {

/// An RDB file as a place: a path, "file://…", or "-" for standard input.
class FileInput {
 public:
  /// Errors: "open_failed", "bad_uri".
  [[nodiscard]] static Result<FileInput> open(const std::string& place);

  /// Fails as open() does when there is no such file; opens nothing that exists.
  [[nodiscard]] static Result<void> require(const std::string& place);

  /// Fills `into` from the front; fewer bytes only at the end of the file. Errors: "read_failed".
  [[nodiscard]] Result<std::size_t> read(std::span<std::byte> into);

  /// For messages: "file dump.rdb", "standard input".
  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  /// A place's name without folders and extension; "stdin" for standard input. Opens nothing: a
  /// pipe can be opened only once.
  [[nodiscard]] static std::string stem(const std::string& place);
  [[nodiscard]] std::optional<std::uint64_t> size() const noexcept { return size_; }

 private:
  struct Close {
    void operator()(std::FILE* file) const noexcept {
      if (file != stdin) std::fclose(file);  // opened for reading: nothing can be lost
    }
  };

  FileInput() = default;

  std::unique_ptr<std::FILE, Close> file_;
  std::string name_;
  std::optional<std::uint64_t> size_;
};

}  // namespace sluice::engine
