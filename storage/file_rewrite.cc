#include "storage/file_rewrite.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <span>

#include "storage/checksum.h"

namespace sluice::storage {
namespace {

constexpr std::size_t piece_bytes = std::size_t{1} << 20;
constexpr std::size_t piece_alignment = 4096;  // the file may have been opened with O_DIRECT

struct Free {
  void operator()(std::byte* memory) const noexcept { std::free(memory); }
};
using Piece = std::unique_ptr<std::byte, Free>;

std::unexpected<Error> failure(std::string_view call, std::string_view object) {
  return std::unexpected(system_error(errno, call, object));
}

Result<RewrittenFile> open_new(const Directory& directory, const std::string& name) {
  Fd nameless(::openat(directory.fd.get(), ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (nameless) return RewrittenFile{.file = std::move(nameless), .nameless = true};
  const std::string temporary = temporary_name(name);
  if (auto ok = remove_file(directory, temporary); !ok)  // the name of the file that failed
    return std::unexpected(std::move(ok.error()));
  Fd named(::openat(directory.fd.get(), temporary.c_str(),
                    O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!named) return failure("openat", directory.path_of(temporary));
  return RewrittenFile{.file = std::move(named), .nameless = false};
}

Result<void> write_exactly(const Fd& file, std::span<const std::byte> bytes, std::uint64_t offset,
                           std::string_view object) {
  while (!bytes.empty()) {
    const ssize_t written =
        ::pwrite(file.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return failure("pwrite", object);
    bytes = bytes.subspan(static_cast<std::size_t>(written));
    offset += static_cast<std::uint64_t>(written);
  }
  return {};
}

/// Takes the digest of all but the last 16 bytes, which it keeps, of bytes that come in pieces.
class Tail {
 public:
  explicit Tail(std::uint64_t bytes) : before_(bytes - kept_.size()) {}

  void update(std::span<const std::byte> piece) {
    const auto covered =
        static_cast<std::size_t>(std::min<std::uint64_t>(piece.size(), before_ - at_));
    digest_.update(piece.first(covered));
    at_ += covered;
    const auto rest = piece.subspan(covered);
    std::ranges::copy(rest, kept_.begin() + static_cast<std::ptrdiff_t>(kept_size_));
    kept_size_ += rest.size();
  }
  [[nodiscard]] bool is(const format::Digest& digest) const {
    return kept_ == digest && digest_.digest() == digest;
  }

 private:
  format::Digest kept_{};
  std::size_t kept_size_ = 0;
  std::uint64_t before_;
  std::uint64_t at_ = 0;
  DigestStream digest_;
};

}  // namespace

Result<RewrittenFile> rewrite_file(const Fd& file, const Directory& directory,
                                   const std::string& name, std::uint64_t bytes,
                                   const format::Digest& digest) {
  const std::string object = directory.path_of(name);
  const Piece memory(static_cast<std::byte*>(std::aligned_alloc(piece_alignment, piece_bytes)));
  if (!memory) throw std::bad_alloc();
  auto copy = open_new(directory, name);
  if (!copy) return copy;
  Tail tail(bytes);
  for (std::uint64_t at = 0; at < bytes; at += piece_bytes) {
    const std::span piece(
        memory.get(), static_cast<std::size_t>(std::min<std::uint64_t>(piece_bytes, bytes - at)));
    if (auto ok = read_exactly(file, piece, at, object); !ok)
      return std::unexpected(std::move(ok.error()));
    tail.update(piece);
    if (auto ok = write_exactly(copy->file, piece, at, object); !ok)
      return std::unexpected(std::move(ok.error()));
  }
  if (!tail.is(digest)) {
    return std::unexpected(Error{.code = Errc::checksum_mismatch,
                                 .detail = object + ": what was written does not read back"});
  }
  if (::fchmod(copy->file.get(), 0400) != 0) return failure("fchmod", object);
  return copy;
}

}  // namespace sluice::storage
