#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "sluice/result.h"

namespace sluice::engine {

/// $TMPDIR, else /tmp.
[[nodiscard]] std::string scratch_folder();

/// Opens a file without a name in $TMPDIR or /tmp.
[[nodiscard]] Result<int> open_scratch();

/// "scratch_failed": cannot `what` a scratch file, for `problem`, an errno.
[[nodiscard]] Error scratch_error(const char* what, int problem);

/// A file without a name, in $TMPDIR or /tmp, that is gone when this is, or the process.
///
/// Errors:  sticky, "scratch_failed"; after one, writing does nothing and reading gives zeros.
/// Threads: none; one at a time.
class ScratchFile {
 public:
  ScratchFile() = default;
  ScratchFile(const ScratchFile&) = delete;
  ScratchFile& operator=(const ScratchFile&) = delete;
  ~ScratchFile();

  /// Opened at the first write.
  void append(std::span<const std::byte> bytes);
  /// Fills `into` from what was appended.
  void read(std::uint64_t offset, std::span<std::byte> into);
  /// Gives the disk's room back.
  void clear();

  [[nodiscard]] std::uint64_t size() const noexcept { return size_; }
  [[nodiscard]] const std::optional<Error>& error() const noexcept { return error_; }

 private:
  void fail(const char* what, int problem);

  int fd_ = -1;
  std::uint64_t size_ = 0;
  std::optional<Error> error_;
};

}  // namespace sluice::engine
