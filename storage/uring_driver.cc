#include "storage/uring_driver.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <liburing.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <cerrno>
#include <cstring>
#include <fstream>

#include "storage/file.h"

namespace sluice::storage {
namespace {

std::string first_line(const char* path) {
  std::string line;
  std::ifstream in(path);
  std::getline(in, line);
  return line;
}

bool seccomp_is_on() {
  std::ifstream in("/proc/self/status");
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("Seccomp:")) return line.ends_with('1') || line.ends_with('2');
  }
  return false;
}

std::string memlock_text() {
  rlimit limit{};
  if (getrlimit(RLIMIT_MEMLOCK, &limit) != 0) return "unknown";
  if (limit.rlim_cur == RLIM_INFINITY) return "unlimited";
  return fmt::format("{} KiB", limit.rlim_cur / 1024);
}

/// Before 5.12 the rings count as locked memory, since then as the memory of the process.
std::string out_of_memory() {
  const std::string limit = memlock_text();
  if (limit == "unlimited") return "memory is short, or the limit of this container is reached";
  return "the locked-memory limit is too low (memlock " + limit +
         "); raise it: ulimit -l, LimitMEMLOCK= of a service";
}

/// What most likely made io_uring_setup fail, and what would mend it.
std::string likely_cause(int error_number) {
  const std::string disabled = first_line("/proc/sys/kernel/io_uring_disabled");
  if (error_number == EPERM && disabled == "2")
    return "sysctl kernel.io_uring_disabled=2 forbids it to everyone; set it to 0";
  if (error_number == EPERM && disabled == "1")
    return "sysctl kernel.io_uring_disabled=1 leaves it to kernel.io_uring_group; join that group";
  if (error_number == ENOMEM) return out_of_memory();
  if (seccomp_is_on())
    return "a seccomp filter, such as a container's default profile, denies it; allow "
           "io_uring_setup, io_uring_enter and io_uring_register there";
  if (error_number == ENOSYS) return "the kernel is older than 5.1 or was built without it";
  if (error_number == EINVAL) return "the kernel is too old";
  return "a sandbox or a security module denies it";
}

std::string setup_reason(int error_number) {
  return fmt::format("io_uring_setup failed with {} ({}): {}", strerrorname_np(error_number),
                     std::system_category().message(error_number), likely_cause(error_number));
}

constexpr unsigned workers_max = 4;  // of each kind: for files, and for what may wait for ever

class UringDriver final : public IoDriver {
 public:
  UringDriver() = default;
  UringDriver(const UringDriver&) = delete;
  UringDriver& operator=(const UringDriver&) = delete;
  ~UringDriver() override {
    if (open_) io_uring_queue_exit(&ring_);
  }

  /// 0 or an errno.
  int set_up(unsigned entries, bool thread_bound);
  /// The first operation the kernel lacks, or empty.
  std::string missing_operation();

  [[nodiscard]] IoKind kind() const noexcept override { return IoKind::io_uring; }
  [[nodiscard]] std::string registration_problem() const override { return unregistered_; }
  bool register_blocks(std::span<std::byte> memory, std::size_t block_bytes) override;
  void start(const IoAttempt& attempt) override;
  [[nodiscard]] IoCompletion reap() override;
  [[nodiscard]] bool lost() const noexcept override { return lost_; }

 private:
  void prepare(io_uring_sqe& sqe, const IoAttempt& attempt) const noexcept;
  void flush();

  io_uring ring_{};
  bool open_ = false;
  bool registered_ = false;
  std::string unregistered_;  // why the blocks are not
  bool lost_ = false;
  int broken_ = 0;  // errno after which the ring is not entered for submission again
  std::deque<Request*> in_ring_;
  std::deque<IoCompletion> failed_;
};

int UringDriver::set_up(unsigned entries, bool thread_bound) {
  constexpr unsigned single =
      IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SUBMIT_ALL;
  constexpr unsigned cooperative = IORING_SETUP_COOP_TASKRUN | IORING_SETUP_SUBMIT_ALL;
  const std::array<unsigned, 3> ladder{single, cooperative, 0};
  int result = -EINVAL;
  for (const unsigned flags : ladder) {
    if (flags == single && !thread_bound) continue;
    result = io_uring_queue_init(entries, &ring_, flags | IORING_SETUP_CLAMP);
    if (result != -EINVAL) break;  // EINVAL: a flag is unknown, try with fewer
  }
  if (result < 0) return -result;
  open_ = true;
  // A child must not share the ring's memory. Failure costs nothing unless the caller forks.
  (void)io_uring_ring_dontfork(&ring_);
  // What the kernel cannot start without blocking goes to workers of its own, as many as it likes
  // beside a database that needs the cores. Kernels before 5.15 have no such limit.
  std::array<unsigned, 2> workers{workers_max, workers_max};
  (void)io_uring_register_iowq_max_workers(&ring_, workers.data());
  return 0;
}

std::string UringDriver::missing_operation() {
  struct Needed {
    int opcode;
    const char* name;
  };
  constexpr std::array<Needed, 6> needed{{{IORING_OP_READ, "READ"},
                                          {IORING_OP_WRITE, "WRITE"},
                                          {IORING_OP_READ_FIXED, "READ_FIXED"},
                                          {IORING_OP_WRITE_FIXED, "WRITE_FIXED"},
                                          {IORING_OP_SYNC_FILE_RANGE, "SYNC_FILE_RANGE"},
                                          {IORING_OP_FSYNC, "FSYNC"}}};
  io_uring_probe* probe = io_uring_get_probe_ring(&ring_);
  if (probe == nullptr) return "PROBE";
  const auto* gap = std::ranges::find_if(needed, [probe](const Needed& operation) {
    return io_uring_opcode_supported(probe, operation.opcode) == 0;
  });
  io_uring_free_probe(probe);
  return gap == needed.end() ? "" : gap->name;
}

bool UringDriver::register_blocks(std::span<std::byte> memory, std::size_t block_bytes) {
  std::vector<iovec> blocks;
  for (std::size_t at = 0; at < memory.size(); at += block_bytes)
    blocks.push_back({.iov_base = memory.data() + at, .iov_len = block_bytes});
  const int result =
      io_uring_register_buffers(&ring_, blocks.data(), static_cast<unsigned>(blocks.size()));
  registered_ = result == 0;
  if (!registered_) {
    unregistered_ = fmt::format("io_uring_register failed with {}: {}", strerrorname_np(-result),
                                likely_cause(-result));
  }
  return registered_;
}

void UringDriver::prepare(io_uring_sqe& sqe, const IoAttempt& attempt) const noexcept {
  const bool fixed = registered_ && attempt.block_index >= 0;
  auto* data = attempt.buffer.data();
  const auto size = static_cast<unsigned>(attempt.buffer.size());
  switch (attempt.op) {
    case IoOp::read:
      if (fixed)
        io_uring_prep_read_fixed(&sqe, attempt.fd, data, size, attempt.offset, attempt.block_index);
      else
        io_uring_prep_read(&sqe, attempt.fd, data, size, attempt.offset);
      break;
    case IoOp::write:
      if (fixed)
        io_uring_prep_write_fixed(&sqe, attempt.fd, data, size, attempt.offset,
                                  attempt.block_index);
      else
        io_uring_prep_write(&sqe, attempt.fd, data, size, attempt.offset);
      break;
    case IoOp::write_back:
      io_uring_prep_sync_file_range(&sqe, attempt.fd, 0, 0, SYNC_FILE_RANGE_WRITE);
      break;
    case IoOp::sync_data: io_uring_prep_fsync(&sqe, attempt.fd, IORING_FSYNC_DATASYNC); break;
    case IoOp::sync_all: io_uring_prep_fsync(&sqe, attempt.fd, 0); break;
  }
  io_uring_sqe_set_data(&sqe, attempt.request);
}

void UringDriver::start(const IoAttempt& attempt) {
  io_uring_sqe* sqe = broken_ == 0 ? io_uring_get_sqe(&ring_) : nullptr;
  if (sqe == nullptr) {  // the queue gives us fewer than `entries`: only a broken ring is full
    failed_.push_back({.request = attempt.request, .result = broken_ == 0 ? -EBUSY : -broken_});
    return;
  }
  prepare(*sqe, attempt);
  in_ring_.push_back(attempt.request);
  flush();
}

void UringDriver::flush() {
  int result = 0;
  do {
    result = io_uring_submit(&ring_);
  } while (result == -EINTR || result == -EAGAIN || result == -EBUSY);
  if (result >= 0) return;
  // What was prepared stays in the ring, unseen by the kernel, and the ring is not entered with it
  // again; only its own request fails.
  broken_ = -result;
  failed_.push_back({.request = in_ring_.back(), .result = result});
  in_ring_.pop_back();
}

IoCompletion UringDriver::reap() {
  if (!failed_.empty()) {
    const IoCompletion completion = failed_.front();
    failed_.pop_front();
    return completion;
  }
  assert(!in_ring_.empty());
  io_uring_cqe* cqe = nullptr;
  int result = 0;
  do {
    result = io_uring_wait_cqe(&ring_, &cqe);
  } while (result == -EINTR || result == -EAGAIN || result == -EBUSY);
  if (result < 0) {  // the ring is gone: nobody knows what the kernel still does
    lost_ = true;
    broken_ = -result;
    Request* request = in_ring_.front();
    in_ring_.pop_front();
    return {.request = request, .result = result};
  }
  const IoCompletion completion{.request = static_cast<Request*>(io_uring_cqe_get_data(cqe)),
                                .result = cqe->res};
  io_uring_cqe_seen(&ring_, cqe);
  std::erase(in_ring_, completion.request);
  return completion;
}

std::int64_t run_one(IoDriver& driver, IoOp op, int fd, std::span<std::byte> buffer) {
  Request request;
  driver.start(
      {.op = op, .fd = fd, .buffer = buffer, .offset = 0, .block_index = -1, .request = &request});
  return driver.reap().result;
}

/// Writes, syncs and reads back a nameless file. Where none can be made (a read-only medium) the
/// test proves nothing and is left out.
std::string self_test(IoDriver& driver, const std::string& directory) {
  const Fd file(::open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (!file) return "";
  std::array<std::byte, 512> written{};
  for (std::size_t i = 0; i < written.size(); ++i) written[i] = static_cast<std::byte>(i * 7);
  std::array<std::byte, 512> read_back{};
  constexpr auto size = static_cast<std::int64_t>(written.size());
  if (const auto result = run_one(driver, IoOp::write, file.get(), written); result != size)
    return fmt::format("a test write in {} gave {}", directory, result);
  if (const auto result = run_one(driver, IoOp::sync_data, file.get(), {}); result != 0)
    return fmt::format("a test sync in {} gave {}", directory, result);
  if (const auto result = run_one(driver, IoOp::read, file.get(), read_back); result != size)
    return fmt::format("a test read in {} gave {}", directory, result);
  if (read_back != written) return "a test file in " + directory + " did not read back the same";
  return "";
}

}  // namespace

std::expected<std::unique_ptr<IoDriver>, std::string> make_uring_driver(
    unsigned entries, bool thread_bound, const std::string& directory) {
  auto driver = std::make_unique<UringDriver>();
  if (const int error_number = driver->set_up(entries, thread_bound); error_number != 0)
    return std::unexpected(setup_reason(error_number));
  if (const std::string missing = driver->missing_operation(); !missing.empty())
    return std::unexpected("io_uring lacks the operation " + missing + ": the kernel is too old");
  if (const std::string failure = self_test(*driver, directory); !failure.empty())
    return std::unexpected("io_uring failed its trial: " + failure);
  return driver;
}

}  // namespace sluice::storage
