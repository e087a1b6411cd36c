#include "storage/io_queue.h"

#include <fmt/format.h>
#include <sys/mman.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <cstdlib>
#include <new>

#include "storage/thread_driver.h"
#include "storage/uring_driver.h"

namespace sluice::storage {
namespace {

constexpr unsigned syncs_in_flight = 4;  // beside the blocks: files and directories being synced
constexpr unsigned worker_threads_max = 4;
constexpr unsigned retries_max = 10'000;

/// In huge pages where the system has them, so that making and pinning it takes a few of those.
/// Null when there is no memory.
std::byte* allocate_blocks(std::size_t bytes) {
  constexpr std::size_t huge_page_bytes = 2 << 20;
  const bool is_large = bytes >= huge_page_bytes && bytes % huge_page_bytes == 0;
  void* const memory =
      std::aligned_alloc(is_large ? huge_page_bytes : IoOptions::block_alignment, bytes);
  if (memory != nullptr && is_large) (void)::madvise(memory, bytes, MADV_HUGEPAGE);
  return static_cast<std::byte*>(memory);
}

Result<void> check_options(const IoOptions& options) {
  const bool depth_ok = options.depth >= 2 && options.depth <= IoOptions::depth_max;
  const bool block_ok = options.block_bytes > 0 &&
                        options.block_bytes % IoOptions::block_alignment == 0 &&
                        options.block_bytes <= IoOptions::block_bytes_max;
  if (depth_ok && block_ok) return {};
  return std::unexpected(Error{
      .code = Errc::limit_exceeded,
      .detail = fmt::format("I/O queue of {} blocks of {} bytes: 2 to {} blocks, each a multiple "
                            "of {} and at most {} bytes",
                            options.depth, options.block_bytes, IoOptions::depth_max,
                            IoOptions::block_alignment, IoOptions::block_bytes_max)});
}

bool worth_another_try(std::int64_t result) noexcept {
  // ECANCELED: the thread that submitted it ended before the kernel got to it.
  return result == -EINTR || result == -EAGAIN || result == -ECANCELED;
}

}  // namespace

std::string_view to_string(IoKind kind) noexcept {
  switch (kind) {
    case IoKind::io_uring: return "io_uring";
    case IoKind::threads: return "threads";
  }
  return "unknown";
}

Result<std::unique_ptr<IoQueue>> IoQueue::open(const IoOptions& options,
                                               const std::string& directory) {
  if (auto ok = check_options(options); !ok) return std::unexpected(std::move(ok.error()));
  std::unique_ptr<IoDriver> driver;
  std::string reason;
  if (options.backend != IoBackend::threads) {
    auto ring = make_uring_driver(options.depth + syncs_in_flight, options.thread_bound, directory);
    if (ring) {
      driver = *std::move(ring);
    } else if (options.backend == IoBackend::io_uring) {
      return std::unexpected(Error{.code = Errc::io_unavailable, .detail = ring.error()});
    } else {
      reason = std::move(ring.error());
    }
  }
  if (!driver) {
    auto threads = make_thread_driver(std::min(options.depth, worker_threads_max));
    if (!threads) return std::unexpected(std::move(threads.error()));
    driver = *std::move(threads);
  }
  if (options.decorate) driver = options.decorate(std::move(driver));
  return std::make_unique<IoQueue>(std::move(driver), options, std::move(reason));
}

void IoQueue::AlignedFree::operator()(std::byte* memory) const noexcept { std::free(memory); }

IoQueue::IoQueue(std::unique_ptr<IoDriver> driver, const IoOptions& options, std::string reason)
    : memory_(allocate_blocks(options.depth * options.block_bytes)),
      driver_(std::move(driver)),
      block_bytes_(options.block_bytes),
      fallback_reason_(std::move(reason)),
      blocks_(options.depth),
      direct_writes_(options.direct == DirectIo::automatic && !options.direct_is_faster
                         ? DirectIo::off
                         : options.direct),
      direct_reads_(options.direct_reads) {
  if (!memory_) throw std::bad_alloc();
  const std::span memory(memory_.get(), options.depth * options.block_bytes);
  for (unsigned i = 0; i < blocks_.size(); ++i) {
    blocks_[i].bytes = memory.subspan(i * block_bytes_, block_bytes_);
    blocks_[i].index = i;
  }
  for (IoBlock& block : blocks_) free_blocks_.push_back(&block);
  registered_ = driver_->register_blocks(memory, block_bytes_);
}

IoQueue::~IoQueue() {
  while (wait() != nullptr) {
  }
  if (driver_->lost()) (void)memory_.release();  // the kernel may still write to it
}

IoKind IoQueue::kind() const noexcept { return driver_->kind(); }

void IoQueue::submit(Request& request) {
  request.transferred = 0;
  request.error.clear();
  request.retries = 0;
  if (started_ == blocks_.size() + syncs_in_flight) {
    waiting_.push_back(&request);
    return;
  }
  ++started_;
  start(request);
}

void IoQueue::start(Request& request) {
  driver_->start(
      {.op = request.op,
       .fd = request.fd,
       .buffer = request.buffer.subspan(request.transferred),
       .offset = request.offset + request.transferred,
       .block_index = request.block && registered_ ? static_cast<int>(request.block->index) : -1,
       .request = &request});
}

Request* IoQueue::wait() {
  while (started_ > 0) {
    const IoCompletion completion = driver_->reap();
    if (!settle(*completion.request, completion.result)) {
      start(*completion.request);
      continue;
    }
    --started_;
    if (!waiting_.empty()) {
      Request* next = waiting_.front();
      waiting_.pop_front();
      ++started_;
      start(*next);
    }
    return completion.request;
  }
  return nullptr;
}

bool IoQueue::settle(Request& request, std::int64_t result) {
  if (worth_another_try(result) && ++request.retries < retries_max) return false;
  if (result < 0) {
    request.error = std::error_code(static_cast<int>(-result), std::system_category());
    return true;
  }
  if (request.op != IoOp::read && request.op != IoOp::write) return true;
  const auto count = static_cast<std::size_t>(result);
  if (request.transferred + count < request.buffer.size()) return settle_short(request, count);
  request.transferred += count;
  return true;
}

bool IoQueue::settle_short(Request& request, std::size_t count) {
  const std::size_t before = request.transferred;
  request.transferred += count;
  const std::size_t beyond = request.transferred % request.granule;
  if (request.op == IoOp::read) return count == 0 || beyond != 0;  // over: the file ends here
  request.transferred -= beyond;
  if (request.transferred > before) return false;  // the rest of the same span
  if (count > 0 && ++request.retries < retries_max) return false;
  request.error = std::error_code(EIO, std::system_category());  // a write that takes nothing
  return true;
}

bool IoQueue::dispatch_one() {
  Request* request = wait();
  if (request == nullptr) return false;
  if (request->owner != nullptr) request->owner->completed(*request);
  return true;
}

IoBlock* IoQueue::take_block() noexcept {
  if (free_blocks_.empty()) return nullptr;
  IoBlock* block = free_blocks_.back();
  free_blocks_.pop_back();
  block->request = Request{};
  block->request.block = block;
  return block;
}

void IoQueue::give_block(IoBlock& block) noexcept {
  assert(free_blocks_.size() < blocks_.size());
  free_blocks_.push_back(&block);
}

}  // namespace sluice::storage
