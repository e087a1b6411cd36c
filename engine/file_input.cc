#include "engine/file_input.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <new>
#include <system_error>

namespace sluice::engine {
namespace {

std::string path_of(const std::string& place) {
  return place.starts_with("file://") ? place.substr(7) : place;
}

}  // namespace

Result<FileInput> FileInput::open(const std::string& place) {
  FileInput input;
  if (place == "-") {
    input.file_.number = STDIN_FILENO;
    input.name_ = "standard input";
    return input;
  }
  const std::string path = path_of(place);
  if (path.find("://") != std::string::npos) {  // not repeated: it may hold a password
    return std::unexpected(
        Error{.stage = Stage::usage,
              .code = "bad_uri",
              .message = "unknown kind of address: expected redis://, rediss://, valkey://, "
                         "valkeys://, file:// or the path of a file"});
  }
  input.name_ = "file " + path;
  std::error_code ec;
  if (std::filesystem::is_directory(path, ec)) {
    return std::unexpected(Error{.stage = Stage::usage,
                                 .code = "open_failed",
                                 .message = "cannot read " + path + ": it is a directory"});
  }
  input.file_.number = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (input.file_.number < 0) {
    const int problem = errno;
    return std::unexpected(
        Error{.stage = Stage::usage,
              .code = "open_failed",
              .message = "cannot read " + path + ": " + std::generic_category().message(problem)});
  }
  const auto size = std::filesystem::file_size(path, ec);
  if (!ec) input.size_ = size;  // a pipe has none
  return input;
}

std::string FileInput::stem(const std::string& place) {
  return place == "-" ? "stdin" : std::filesystem::path(place).stem().string();
}

Result<void> FileInput::require(const std::string& place) {
  std::error_code ec;
  if (place == "-" || std::filesystem::exists(path_of(place), ec)) return {};
  auto opened = open(place);
  if (!opened) return std::unexpected(opened.error());
  return {};
}

FileInput::Descriptor::~Descriptor() {
  if (number > STDIN_FILENO) ::close(number);  // opened for reading: nothing can be lost
}

Result<std::span<const std::byte>> FileInput::next() {
  if (!block_) {
    block_.reset(static_cast<std::byte*>(std::aligned_alloc(block_alignment, block_bytes)));
    if (!block_) throw std::bad_alloc();
  }
  while (true) {
    const ssize_t size = ::read(file_.number, block_.get(), block_bytes);
    if (size >= 0) return std::span<const std::byte>(block_.get(), static_cast<std::size_t>(size));
    if (errno == EINTR) continue;
    const int problem = errno;
    return std::unexpected(
        Error{.stage = Stage::engine,
              .code = "read_failed",
              .message = "cannot read " + name_ + ": " + std::generic_category().message(problem)});
  }
}

}  // namespace sluice::engine
