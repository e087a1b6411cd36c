#include "engine/scratch_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <system_error>

namespace sluice::engine {
namespace {

int open_unnamed(const std::string& folder) {
  const int fd = ::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL)) return fd;
  // Not every file system knows O_TMPFILE.
  std::string name = folder + "/sluice-scratch-XXXXXX";
  const int named = ::mkostemp(name.data(), O_CLOEXEC);
  if (named >= 0) ::unlink(name.c_str());
  return named;
}

}  // namespace

std::string scratch_folder() {
  std::error_code ec;
  const auto path = std::filesystem::temp_directory_path(ec);
  return ec ? "/tmp" : path.string();
}

Result<int> open_scratch() {
  const int fd = open_unnamed(scratch_folder());
  if (fd < 0) return std::unexpected(scratch_error("make", errno));
  return fd;
}

Error scratch_error(const char* what, int problem) {
  return {.stage = Stage::engine,
          .code = "scratch_failed",
          .message = "cannot " + std::string(what) + " a scratch file in " + scratch_folder() +
                     ": " + std::generic_category().message(problem) +
                     "; TMPDIR says where scratch files go"};
}

ScratchFile::~ScratchFile() {
  if (fd_ >= 0) ::close(fd_);  // nobody will read it
}

void ScratchFile::fail(const char* what, int problem) {
  if (!error_) error_ = scratch_error(what, problem);
}

void ScratchFile::append(std::span<const std::byte> bytes) {
  if (error_) return;
  if (fd_ < 0) {
    const auto fd = open_scratch();
    if (!fd) {
      error_ = fd.error();
      return;
    }
    fd_ = *fd;
  }
  while (!bytes.empty()) {
    const auto written = ::pwrite(fd_, bytes.data(), bytes.size(), static_cast<::off_t>(size_));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return fail("write", errno);
    size_ += static_cast<std::uint64_t>(written);
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
}

void ScratchFile::read(std::uint64_t offset, std::span<std::byte> into) {
  while (!error_ && !into.empty()) {
    const auto got = ::pread(fd_, into.data(), into.size(), static_cast<::off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) {
      fail("read", got == 0 ? EIO : errno);
      break;
    }
    offset += static_cast<std::uint64_t>(got);
    into = into.subspan(static_cast<std::size_t>(got));
  }
  std::ranges::fill(into, std::byte{0});
}

void ScratchFile::clear() {
  if (size_ > 0 && ::ftruncate(fd_, 0) != 0) fail("empty", errno);
  size_ = 0;
}

}  // namespace sluice::engine
