#include "storage/block_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <cstring>
#include <utility>

#include "storage/file_rewrite.h"

namespace sluice::storage {
namespace {

constexpr std::uint64_t write_back_bytes = 8U << 20;

/// A nameless file where the file system has them, else one with the temporary name.
Result<BlockFile::NewFile> open_new(const Directory& directory, const std::string& name) {
  Fd nameless(::openat(directory.fd.get(), ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (nameless) return BlockFile::NewFile{.fd = std::move(nameless), .nameless = true};
  if (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL)
    return std::unexpected(system_error(errno, "openat(O_TMPFILE)", directory.path));
  const std::string temporary = temporary_name(name);
  Fd named(::openat(directory.fd.get(), temporary.c_str(),
                    O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!named) return std::unexpected(system_error(errno, "openat", directory.path_of(temporary)));
  return BlockFile::NewFile{.fd = std::move(named), .nameless = false};
}

/// 0 or an errno.
int rename_temporary(const Directory& directory, const std::string& name) {
  const std::string temporary = temporary_name(name);
  const int fd = directory.fd.get();
  if (::renameat2(fd, temporary.c_str(), fd, name.c_str(), RENAME_NOREPLACE) == 0) return 0;
  if (errno != EINVAL && errno != ENOSYS) return errno;
  if (::linkat(fd, temporary.c_str(), fd, name.c_str(), 0) != 0) return errno;
  return ::unlinkat(fd, temporary.c_str(), 0) == 0 ? 0 : errno;
}

}  // namespace

Result<std::unique_ptr<BlockFile>> BlockFile::create(IoQueue& queue, Directory directory,
                                                     std::string name) {
  auto file = open_new(directory, name);
  if (!file) return std::unexpected(std::move(file.error()));
  if (queue.direct_writes() != DirectIo::off) file->granule = begin_direct(file->fd);
  const bool fits = file->granule > 0 && queue.block_bytes() % file->granule == 0;
  if (!fits) {
    if (queue.direct_writes() == DirectIo::on) {
      if (!file->nameless) (void)remove_file(directory, temporary_name(name));
      return std::unexpected(system_error(EINVAL, "fcntl(O_DIRECT)", directory.path_of(name)));
    }
    if (file->granule > 0) end_direct(file->fd);
    file->granule = 0;
  }
  return std::make_unique<BlockFile>(queue, std::move(directory), std::move(name),
                                     *std::move(file));
}

BlockFile::BlockFile(IoQueue& queue, Directory directory, std::string name, NewFile file)
    : queue_(queue),
      directory_(std::move(directory)),
      name_(std::move(name)),
      file_(std::move(file.fd)),
      nameless_(file.nameless),
      granule_(file.granule) {}

BlockFile::~BlockFile() {
  assert(state_ == State::published || state_ == State::closed);
  abandon();
}

Result<void> BlockFile::check() const {
  if (error_) return std::unexpected(*error_);
  return {};
}

Result<void> BlockFile::append(std::span<const std::byte> bytes) {
  assert(state_ == State::writing);
  while (!bytes.empty()) {
    if (error_) return check();
    while (block_ == nullptr) {
      block_ = queue_.take_block();
      const bool waited = block_ != nullptr || queue_.dispatch_one();
      assert(waited && "more files are open on the queue than it has blocks");
      if (!waited) fail("take a block for", std::make_error_code(std::errc::no_buffer_space));
      if (error_) return check();
    }
    const std::size_t taken = std::min(bytes.size(), block_->bytes.size() - block_used_);
    std::memcpy(block_->bytes.data() + block_used_, bytes.data(), taken);
    block_used_ += taken;
    size_ += taken;
    bytes = bytes.subspan(taken);
    if (block_used_ == block_->bytes.size()) {
      if (auto ok = flush(); !ok) return ok;
    }
  }
  return check();
}

Result<void> BlockFile::flush() {
  if (block_ == nullptr) return check();
  IoBlock& block = *std::exchange(block_, nullptr);
  std::size_t used = std::exchange(block_used_, 0);
  if (error_ || used == 0) {
    queue_.give_block(block);
    return check();
  }
  Request& request = block.request;
  if (const std::size_t over = granule_ > 0 ? used % granule_ : 0; over > 0) {
    // The last block: what is padded here is cut off again when all is written.
    std::memset(block.bytes.data() + used, 0, granule_ - over);
    used += granule_ - over;
  }
  request.granule = std::max<std::size_t>(granule_, 1);
  request.op = IoOp::write;
  request.fd = file_.get();
  request.buffer = block.bytes.first(used);
  request.offset = written_;
  request.owner = this;
  written_ += used;
  ++in_flight_;
  queue_.submit(request);
  return {};
}

Result<void> BlockFile::begin_finish(const std::optional<format::Digest>& digest) {
  if (state_ != State::writing) return check();
  digest_ = digest;
  state_ = State::draining;
  if (auto ok = flush(); !ok) return ok;
  step();
  return check();
}

Result<void> BlockFile::finish() {
  if (auto ok = begin_finish(); !ok) return ok;
  while (!error_ && state_ != State::published) {
    if (!queue_.dispatch_one()) std::unreachable();  // unless done, something is in flight
  }
  return check();
}

void BlockFile::completed(Request& request) {
  --in_flight_;
  if (&request == &write_back_) {
    writing_back_ = false;  // an error of it comes back from the sync, or does not matter
  } else if (request.op == IoOp::write) {
    if (retry_buffered(request)) return;
    if (request.error) fail("pwrite", request.error);
    dirty_bytes_ += request.buffer.size();
    queue_.give_block(*request.block);
    begin_write_back();
  } else if (request.error && request.op == IoOp::sync_data && digest_ && !rewritten_) {
    survive(request.error);
    return;
  } else if (request.error) {
    fail(request.op == IoOp::sync_data ? "fdatasync" : "fsync of the directory of", request.error);
  }
  if (!error_) step();
}

/// Has dirty pages written while more are made, so that neither the sync nor the database on this
/// host has to wait for all of them at once.
void BlockFile::begin_write_back() {
  if (error_ || granule_ > 0 || writing_back_ || state_ != State::writing) return;
  if (dirty_bytes_ < write_back_bytes) return;
  dirty_bytes_ = 0;
  writing_back_ = true;
  write_back_ = Request{};
  write_back_.op = IoOp::write_back;
  write_back_.fd = file_.get();
  write_back_.owner = this;
  ++in_flight_;
  queue_.submit(write_back_);
}

/// A file system may take O_DIRECT and refuse the write. True when it is on its way again.
bool BlockFile::retry_buffered(Request& request) {
  if (request.error != std::errc::invalid_argument || queue_.direct_writes() == DirectIo::on)
    return false;
  if (granule_ > 0) {
    end_direct(file_);
    granule_ = 0;
    retries_left_ = in_flight_ + 1;
  }
  if (error_ || retries_left_ == 0) return false;
  --retries_left_;
  request.granule = 1;
  ++in_flight_;
  queue_.submit(request);
  return true;
}

const char* BlockFile::complete_file() {
  if (written_ > size_ && ::ftruncate(file_.get(), static_cast<off_t>(size_)) != 0)
    return "ftruncate";
  return ::fchmod(file_.get(), 0400) == 0 ? nullptr : "fchmod";
}

void BlockFile::step() {
  if (in_flight_ > 0) return;  // a sync orders nothing: every write is reaped before it
  switch (state_) {
    case State::draining:
      if (const char* failed = complete_file(); failed != nullptr)
        fail(failed, std::error_code(errno, std::system_category()));
      else
        begin_sync(IoOp::sync_data, file_.get(), State::syncing);
      return;
    case State::syncing: publish(); return;
    case State::naming: state_ = State::published; return;
    case State::writing:
    case State::published:
    case State::closed: return;
  }
}

void BlockFile::publish() {
  // A backup shares its host with what it backs up: leave the page cache to that.
  (void)::posix_fadvise(file_.get(), 0, 0, POSIX_FADV_DONTNEED);
  const int error_number =
      nameless_ ? link_nameless(file_, directory_, name_) : rename_temporary(directory_, name_);
  if (error_number != 0) {
    fail("link", std::error_code(error_number, std::system_category()));
    return;
  }
  begin_sync(IoOp::sync_all, directory_.fd.get(), State::naming);
}

void BlockFile::begin_sync(IoOp op, int fd, State next) {
  state_ = next;
  sync_ = Request{};
  sync_.op = op;
  sync_.fd = fd;
  sync_.owner = this;
  ++in_flight_;
  queue_.submit(sync_);
}

void BlockFile::survive(std::error_code code) {
  if (granule_ > 0) end_direct(file_);  // it is read as it comes
  auto copy = rewrite_file(file_, directory_, name_, size_, *digest_);
  if (!copy) {
    fail("fdatasync", code);
    error_->detail += "; and the file could not be written again: " + to_string(copy.error());
    return;
  }
  rewritten_ = true;
  file_ = std::move(copy->file);
  nameless_ = copy->nameless;
  begin_sync(IoOp::sync_data, file_.get(), State::syncing);
}

void BlockFile::fail(std::string_view call, std::error_code code) {
  if (error_) return;
  error_ = system_error(code.value(), call, directory_.path_of(name_));
}

void BlockFile::abandon() noexcept {
  if (state_ == State::published || state_ == State::closed) return;
  const State was = std::exchange(state_, State::closed);
  while (in_flight_ > 0) (void)queue_.dispatch_one();
  if (block_ != nullptr) queue_.give_block(*std::exchange(block_, nullptr));
  // Best effort: what stays is without meaning to readers and is cleared by the next writer.
  if (was == State::naming) (void)remove_file(directory_, name_);
  if (!nameless_) (void)remove_file(directory_, temporary_name(name_));
}

}  // namespace sluice::storage
