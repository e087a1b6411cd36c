#include "engine/file_input.h"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>

namespace sluice::engine {

Result<FileInput> FileInput::open(const std::string& place) {
  FileInput input;
  if (place == "-") {
    input.file_.reset(stdin);
    input.name_ = "standard input";
    input.stem_ = "stdin";
    return input;
  }
  const std::string path = place.starts_with("file://") ? place.substr(7) : place;
  input.name_ = "file " + path;
  input.stem_ = std::filesystem::path(path).stem().string();
  std::error_code ec;
  if (std::filesystem::is_directory(path, ec)) {
    return std::unexpected(Error{.stage = Stage::usage,
                                 .code = "open_failed",
                                 .message = "cannot read " + path + ": it is a directory"});
  }
  input.file_.reset(std::fopen(path.c_str(), "rbe"));
  if (!input.file_) {
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

Result<std::size_t> FileInput::read(std::span<std::byte> into) {
  const std::size_t size = std::fread(into.data(), 1, into.size(), file_.get());
  if (size < into.size() && std::ferror(file_.get()) != 0) {
    return std::unexpected(
        Error{.stage = Stage::engine, .code = "read_failed", .message = "cannot read " + name_});
  }
  return size;
}

}  // namespace sluice::engine
