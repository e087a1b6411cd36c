#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "sluice/result.h"

namespace sluice::engine {

/// The file that a job writes: a path, or "-" for standard output. Until commit() a path stands
/// under a temporary name beside its own, so that what is there under its name is whole.
/// What exists and is no regular file (a pipe, a device) is written to as it is.
///
/// Durability: after commit() the data and the directory entry are on stable storage.
/// Errors:     "open_failed", "write_failed". Dropped without commit(), nothing is left.
/// Threads:    none; one at a time.
class OutputFile {
 public:
  [[nodiscard]] static Result<std::unique_ptr<OutputFile>> open(const std::string& path);

  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;
  ~OutputFile();

  /// False once a write has failed; error() says why.
  bool write(std::span<const std::byte> bytes);
  [[nodiscard]] Result<void> commit();

  [[nodiscard]] const std::optional<Error>& error() const noexcept { return error_; }

 private:
  OutputFile() = default;

  [[nodiscard]] Result<void> open_beside();
  bool fail(const char* what, int problem);

  int fd_ = -1;
  std::string path_;       // of the finished file; empty for standard output
  std::string temporary_;  // empty when it is written in place
  std::optional<Error> error_;
};

}  // namespace sluice::engine
