#include "engine/output_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>
#include <utility>

namespace sluice::engine {
namespace {

namespace fs = std::filesystem;

Error open_failed(const std::string& path, int problem) {
  return {.stage = Stage::usage,
          .code = "open_failed",
          .message = "cannot write " + path + ": " + std::generic_category().message(problem)};
}

/// Makes a new name durable. A file system that cannot do that has nothing more to give.
void sync_folder(const fs::path& folder) {
  const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return;
  ::fsync(fd);
  ::close(fd);
}

fs::path folder_of(const std::string& path) {
  const fs::path folder = fs::path(path).parent_path();
  return folder.empty() ? fs::path(".") : folder;
}

}  // namespace

Result<std::unique_ptr<OutputFile>> OutputFile::open(const std::string& path) {
  std::unique_ptr<OutputFile> file(new OutputFile);
  if (path == "-") {
    file->fd_ = STDOUT_FILENO;
    return file;
  }
  file->path_ = path;
  std::error_code ec;
  const auto status = fs::status(path, ec);
  if (fs::is_directory(status)) return std::unexpected(open_failed(path, EISDIR));
  if (fs::exists(status) && !fs::is_regular_file(status)) {
    file->fd_ = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
    if (file->fd_ < 0) return std::unexpected(open_failed(path, errno));
    return file;
  }
  // Behind a link the file is replaced, not the link.
  if (fs::is_symlink(fs::symlink_status(path, ec))) {
    const auto real = fs::weakly_canonical(path, ec);
    if (!ec) file->path_ = real.string();
  }
  if (auto opened = file->open_beside(); !opened) return std::unexpected(opened.error());
  return file;
}

Result<void> OutputFile::open_beside() {
  const fs::path path(path_);
  std::string name = (folder_of(path_) / ("." + path.filename().string() + ".XXXXXX")).string();
  fd_ = ::mkostemp(name.data(), O_CLOEXEC);
  if (fd_ < 0) return std::unexpected(open_failed(path_, errno));
  temporary_ = name;
  const ::mode_t mask = ::umask(0);  // it can only be asked by setting it
  ::umask(mask);
  if (::fchmod(fd_, 0666 & ~mask) != 0) return std::unexpected(open_failed(path_, errno));
  return {};
}

OutputFile::~OutputFile() {
  if (fd_ >= 0 && fd_ != STDOUT_FILENO) ::close(fd_);  // not committed: nobody wants it
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

bool OutputFile::fail(const char* what, int problem) {
  if (error_) return false;
  const std::string name = path_.empty() ? "standard output" : path_;
  std::string reason = std::generic_category().message(problem);
  if (problem == EPIPE) reason = "whoever reads it has gone away";
  error_ = Error{.stage = Stage::engine,
                 .code = "write_failed",
                 .message = "cannot " + std::string(what) + " " + name + ": " + reason};
  return false;
}

bool OutputFile::write(std::span<const std::byte> bytes) {
  if (error_) return false;
  while (!bytes.empty()) {
    const auto written = ::write(fd_, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return fail("write", errno);
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
  return true;
}

Result<void> OutputFile::commit() {
  if (error_) return std::unexpected(*error_);
  if (fd_ == STDOUT_FILENO) return {};
  const bool synced = ::fsync(fd_) == 0 || errno == EINVAL || errno == EROFS;  // pipes cannot
  if (!synced) fail("sync", errno);
  const int fd = std::exchange(fd_, -1);
  if (::close(fd) != 0) fail("close", errno);
  if (!error_ && !temporary_.empty()) {
    if (::rename(temporary_.c_str(), path_.c_str()) != 0) {
      fail("rename to", errno);
    } else {
      temporary_.clear();
      sync_folder(folder_of(path_));
    }
  }
  if (error_) return std::unexpected(*error_);
  return {};
}

}  // namespace sluice::engine
