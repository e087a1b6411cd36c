#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "storage/error.h"

namespace sluice::storage {

class IoDriver;
struct IoBlock;
struct Request;

enum class IoBackend : std::uint8_t {
  automatic,  ///< io_uring where it works, else threads.
  io_uring,   ///< io_uring or Errc::io_unavailable.
  threads,    ///< pread and pwrite on a few worker threads.
};

enum class IoKind : std::uint8_t { io_uring, threads };
[[nodiscard]] std::string_view to_string(IoKind kind) noexcept;

/// Whether files are written past the page cache (O_DIRECT).
enum class DirectIo : std::uint8_t {
  automatic,  ///< Where it was measured to be no slower, and the file system takes it.
  on,         ///< Always; an error where the file system refuses.
  off,
};

struct IoOptions {
  static constexpr unsigned depth_max = 64;
  static constexpr std::size_t block_bytes_max = std::size_t{64} << 20;
  static constexpr std::size_t block_alignment = 4096;

  IoBackend backend = IoBackend::automatic;
  unsigned depth = 8;                              ///< Blocks, hence transfers in flight; 2..64.
  std::size_t block_bytes = std::size_t{1} << 20;  ///< Multiple of 4096, at most 64 MiB.
  /// True: only the thread that opens the queue ever uses it, which spares the kernel the signals
  /// (SINGLE_ISSUER, DEFER_TASKRUN). False: any one thread at a time.
  bool thread_bound = false;
  DirectIo direct = DirectIo::automatic;
  bool direct_is_faster = false;  ///< What `automatic` goes by; a repository knows (io_hint.h).
  /// Reads past the page cache where the file system can, so that the medium is tested.
  bool direct_reads = false;
  /// Puts something between the queue and the driver: tests inject faults with it. May be empty.
  std::function<std::unique_ptr<IoDriver>(std::unique_ptr<IoDriver>)> decorate;
};

/// write_back only starts to write what is dirty of the whole file: it promises nothing.
enum class IoOp : std::uint8_t { read, write, write_back, sync_data, sync_all };

/// Is told when one of its requests is over. Called from IoQueue::dispatch_one() only.
class RequestOwner {
 public:
  virtual ~RequestOwner() = default;
  virtual void completed(Request& request) = 0;
};

/// One transfer or sync. Belongs to the queue, with its buffer and fd, from submit() until wait()
/// or dispatch_one() hands it back: neither may be freed, moved, reused or closed before.
struct Request {
  IoOp op = IoOp::read;
  int fd = -1;
  std::span<std::byte> buffer;  ///< Empty for a sync.
  std::uint64_t offset = 0;     ///< Bytes from the start of the file.
  /// Direct I/O: what offset and size are a multiple of. A short write is resumed at such a border,
  /// a short read that does not end at one has met the end of the file.
  std::size_t granule = 1;
  IoBlock* block = nullptr;       ///< The queue's block that `buffer` lies in, if it does.
  RequestOwner* owner = nullptr;  ///< Used by dispatch_one().

  /// Outcome. A write without error was whole. A read may be short: the file ended there.
  std::size_t transferred = 0;
  std::error_code error;

  unsigned retries = 0;  ///< The queue's own count.
};

/// One of the queue's aligned buffers, with a request that goes with it.
struct IoBlock {
  std::span<std::byte> bytes;
  unsigned index = 0;
  Request request;
};

/// One attempt at a request, as a driver sees it.
struct IoAttempt {
  IoOp op;
  int fd;
  std::span<std::byte> buffer;
  std::uint64_t offset;
  int block_index;  ///< -1 when the buffer is in none of the registered blocks.
  Request* request;
};

struct IoCompletion {
  Request* request;
  std::int64_t result;  ///< Bytes, or -errno, as the system said it.
};

/// What really does the I/O: one attempt in, one result out, no retry, no judgement.
/// Threads: as the queue that owns it.
class IoDriver {
 public:
  IoDriver() = default;
  IoDriver(const IoDriver&) = delete;
  IoDriver& operator=(const IoDriver&) = delete;
  virtual ~IoDriver() = default;

  [[nodiscard]] virtual IoKind kind() const noexcept = 0;
  /// Offers memory to pin once. Best effort: false means "not registered", which only costs time.
  virtual bool register_blocks(std::span<std::byte> memory, std::size_t block_bytes) = 0;
  /// Why register_blocks() gave false, with the remedy; empty where there is nothing to be had.
  [[nodiscard]] virtual std::string registration_problem() const { return {}; }
  virtual void start(const IoAttempt& attempt) = 0;
  /// Blocks until an attempt is over. Precondition: one was started and not yet reaped.
  [[nodiscard]] virtual IoCompletion reap() = 0;
  /// True once the driver can no longer tell whether the kernel still uses the memory.
  [[nodiscard]] virtual bool lost() const noexcept { return false; }
};

/// Asynchronous file I/O with completions, over io_uring or over threads: the caller cannot tell.
///
/// Memory:  depth x block_bytes, plus a few KiB.
/// Errors:  a request carries its own. Short transfers are resumed, EINTR, EAGAIN and ECANCELED
///          are retried; what is reported is final.
/// Order:   none between requests in flight. Reap all writes before asking for a sync.
/// Threads: one at a time, and only the opening one if IoOptions::thread_bound. Do not fork() with
///          requests in flight.
class IoQueue {
 public:
  /// `directory` is where the files will be: io_uring is tried there before it is trusted.
  [[nodiscard]] static Result<std::unique_ptr<IoQueue>> open(const IoOptions& options,
                                                             const std::string& directory);
  IoQueue(std::unique_ptr<IoDriver> driver, const IoOptions& options, std::string reason);
  IoQueue(const IoQueue&) = delete;
  IoQueue& operator=(const IoQueue&) = delete;
  /// Waits for everything in flight; owners are not told.
  ~IoQueue();

  [[nodiscard]] IoKind kind() const noexcept;
  /// Why io_uring is not used, with the likely cause and the remedy; empty when it is used or was
  /// not wanted.
  [[nodiscard]] const std::string& fallback_reason() const noexcept { return fallback_reason_; }
  /// Whether the kernel has the blocks pinned, and if not though it could, why.
  [[nodiscard]] bool registered() const noexcept { return registered_; }
  [[nodiscard]] std::string registration_problem() const { return driver_->registration_problem(); }
  /// How files are to be written; `automatic`: direct where the file system lets us.
  [[nodiscard]] DirectIo direct_writes() const noexcept { return direct_writes_; }
  [[nodiscard]] bool direct_reads() const noexcept { return direct_reads_; }
  [[nodiscard]] std::size_t block_bytes() const noexcept { return block_bytes_; }
  [[nodiscard]] unsigned depth() const noexcept { return static_cast<unsigned>(blocks_.size()); }

  /// Never blocks for long: more than the driver takes at once wait their turn here.
  void submit(Request& request);
  /// Blocks until one request is over; nullptr when none is in flight.
  [[nodiscard]] Request* wait();
  /// wait(), then tells the request's owner. False when nothing was in flight.
  bool dispatch_one();
  [[nodiscard]] std::size_t in_flight() const noexcept { return started_ + waiting_.size(); }

  /// A block nobody uses, its request cleared; nullptr when all are taken.
  [[nodiscard]] IoBlock* take_block() noexcept;
  /// Precondition: taken, and its request is not in flight.
  void give_block(IoBlock& block) noexcept;

 private:
  struct AlignedFree {
    void operator()(std::byte* memory) const noexcept;
  };

  void start(Request& request);
  bool settle(Request& request, std::int64_t result);  // true when the request is over
  bool settle_short(Request& request, std::size_t count);

  std::unique_ptr<std::byte, AlignedFree> memory_;  // outlives the driver that may have pinned it
  std::unique_ptr<IoDriver> driver_;
  std::size_t block_bytes_;
  std::string fallback_reason_;
  std::vector<IoBlock> blocks_;
  std::vector<IoBlock*> free_blocks_;
  std::deque<Request*> waiting_;  // submitted, not yet given to the driver
  std::size_t started_ = 0;
  bool registered_ = false;
  DirectIo direct_writes_;
  bool direct_reads_;
};

}  // namespace sluice::storage
