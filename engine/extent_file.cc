#include "engine/extent_file.h"

#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cassert>
#include <cerrno>
#include <cstring>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "engine/scratch_file.h"

namespace sluice::engine {
namespace {

using Parts = std::array<::iovec, ExtentFile::parts_max + 1>;

::iovec to_iovec(std::span<const std::byte> bytes) {
  return {.iov_base = const_cast<std::byte*>(bytes.data()), .iov_len = bytes.size()};
}

Result<void> write_all(int fd, std::span<::iovec> parts, std::uint64_t at) {
  while (!parts.empty()) {
    const auto count = static_cast<int>(parts.size());
    const auto written = ::pwritev(fd, parts.data(), count, static_cast<::off_t>(at));
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return std::unexpected(scratch_error("write", written == 0 ? EIO : errno));
    at += static_cast<std::uint64_t>(written);
    auto left = static_cast<std::size_t>(written);
    while (!parts.empty() && left >= parts.front().iov_len) {
      left -= parts.front().iov_len;
      parts = parts.subspan(1);
    }
    if (parts.empty()) break;
    parts.front().iov_base = static_cast<std::byte*>(parts.front().iov_base) + left;
    parts.front().iov_len -= left;
  }
  return {};
}

Result<void> read_all(int fd, std::span<std::byte> into, std::uint64_t at) {
  while (!into.empty()) {
    const auto got = ::pread(fd, into.data(), into.size(), static_cast<::off_t>(at));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return std::unexpected(scratch_error("read", got == 0 ? EIO : errno));
    at += static_cast<std::uint64_t>(got);
    into = into.subspan(static_cast<std::size_t>(got));
  }
  return {};
}

}  // namespace

ExtentFile::~ExtentFile() {
  if (fd_ >= 0) ::close(fd_);  // nobody will read it
}

Result<Extent> ExtentFile::write(const Extent& before,
                                 std::span<const std::span<const std::byte>> parts) {
  assert(parts.size() <= parts_max);
  if (fd_ < 0) {
    auto fd = open_scratch();
    if (!fd) return std::unexpected(std::move(fd.error()));
    fd_ = *fd;
  }
  Head head{.before_at = before.at, .before_bytes = before.bytes, .checksum = 0};
  Parts list;
  list[0] = to_iovec(std::as_bytes(std::span(&head, 1)));
  std::uint64_t bytes = sizeof head;
  XXH3_state_t state;
  XXH3_INITSTATE(&state);
  XXH3_64bits_reset_withSeed(&state, before.at);
  for (std::size_t i = 0; i < parts.size(); ++i) {
    XXH3_64bits_update(&state, parts[i].data(), parts[i].size());
    list[i + 1] = to_iovec(parts[i]);
    bytes += parts[i].size();
  }
  head.checksum = XXH3_64bits_digest(&state);
  const Extent extent{.at = written_bytes(), .bytes = bytes};
  auto written = write_all(fd_, std::span(list).first(parts.size() + 1), extent.at);
  if (!written) return std::unexpected(std::move(written.error()));
  size_.store(extent.at + bytes, std::memory_order_relaxed);
  return extent;
}

Result<Extent> ExtentFile::peek(const Extent& extent, std::span<std::byte> into) const {
  if (auto read = read_all(fd_, into, extent.at); !read) {
    return std::unexpected(std::move(read.error()));
  }
  Head head;
  if (into.size() < sizeof head) return std::unexpected(scratch_error("read", EIO));
  std::memcpy(&head, into.data(), sizeof head);
  // Written before this one, or there is none: no list goes round in circles.
  if (head.before_bytes != 0 && head.before_at >= extent.at) {
    return std::unexpected(scratch_error("read", EIO));
  }
  return Extent{.at = head.before_at, .bytes = head.before_bytes};
}

Result<Extent> ExtentFile::read(const Extent& extent, std::span<std::byte> into) const {
  auto before = peek(extent, into);
  if (!before) return before;
  Head head;
  std::memcpy(&head, into.data(), sizeof head);
  const auto bytes = into.subspan(sizeof head);
  if (XXH3_64bits_withSeed(bytes.data(), bytes.size(), before->at) != head.checksum) {
    return std::unexpected(scratch_error("read", EIO));
  }
  return before;
}

void ExtentFile::discard(const Extent& extent) const noexcept {
  ::fallocate(fd_, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<::off_t>(extent.at),
              static_cast<::off_t>(extent.bytes));
}

}  // namespace sluice::engine
