#include "storage/io_trial.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <random>
#include <utility>
#include <vector>

namespace sluice::storage {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::duration;

std::unexpected<Error> failure(std::error_code code, std::string_view call,
                               const Directory& directory) {
  return std::unexpected(system_error(code.value(), call, directory.path));
}

std::unexpected<Error> failure(std::string_view call, const Directory& directory) {
  return std::unexpected(system_error(errno, call, directory.path));
}

/// A file without a name, also where the file system has none such.
Result<Fd> open_nameless(const Directory& directory) {
  Fd file(::openat(directory.fd.get(), ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (file) return file;
  if (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL)
    return failure("openat(O_TMPFILE)", directory);
  const std::string name = temporary_name("trial");
  if (auto ok = remove_file(directory, name); !ok) return std::unexpected(std::move(ok.error()));
  Fd named(::openat(directory.fd.get(), name.c_str(),
                    O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!named) return failure("openat", directory);
  if (auto ok = remove_file(directory, name); !ok) return std::unexpected(std::move(ok.error()));
  return named;
}

/// Sends whole blocks through the queue, in order, until there are `bytes_max` or time is up.
class Stream {
 public:
  Stream(IoQueue& queue, const Fd& file, const Directory& directory)
      : queue_(queue), file_(file), directory_(directory) {}

  Result<std::uint64_t> run(IoOp op, std::uint64_t bytes_max, Clock::time_point deadline) {
    std::uint64_t bytes = 0;
    while (bytes < bytes_max && Clock::now() < deadline) {
      IoBlock* block = queue_.take_block();
      if (block == nullptr) {
        if (auto ok = finish_one(); !ok) return std::unexpected(std::move(ok.error()));
        continue;
      }
      Request& request = block->request;
      request.op = op;
      request.fd = file_.get();
      request.buffer = block->bytes;
      request.offset = bytes;
      bytes += request.buffer.size();
      queue_.submit(request);
    }
    while (queue_.in_flight() > 0) {
      if (auto ok = finish_one(); !ok) return std::unexpected(std::move(ok.error()));
    }
    return bytes;
  }

 private:
  Result<void> finish_one() {
    Request* over = queue_.wait();
    if (over == nullptr) return {};
    queue_.give_block(*over->block);
    if (over->error) return failure(over->error, "the trial of", directory_);
    return {};
  }

  IoQueue& queue_;
  const Fd& file_;
  const Directory& directory_;
};

/// What no disk and no file system makes smaller.
void fill_blocks(IoQueue& queue) {
  std::mt19937_64 random(1);  // NOLINT(cert-msc51-cpp): any bytes will do
  std::vector<IoBlock*> blocks;
  while (IoBlock* block = queue.take_block()) {
    blocks.push_back(block);
    for (std::size_t at = 0; at < block->bytes.size(); at += sizeof(std::uint64_t)) {
      const std::uint64_t word = random();
      std::ranges::copy(std::as_bytes(std::span(&word, 1)),
                        block->bytes.begin() + std::ptrdiff_t(at));
    }
  }
  for (IoBlock* block : blocks) queue.give_block(*block);
}

double rate_mb_s(std::uint64_t bytes, Clock::duration time) {
  const double seconds = std::max(duration<double>(time).count(), 1e-6);
  return static_cast<double>(bytes) / 1e6 / seconds;
}

}  // namespace

Result<IoTrial> try_io(const Directory& directory, IoBackend backend, bool direct,
                       IoTrialLimits limits) {
  auto file = open_nameless(directory);
  if (!file) return std::unexpected(std::move(file.error()));
  auto queue = IoQueue::open({.backend = backend, .decorate = {}}, directory.path);
  if (!queue) return std::unexpected(std::move(queue.error()));
  if (direct) {
    const std::size_t granule = begin_direct(*file);
    if (granule == 0 || (*queue)->block_bytes() % granule != 0)
      return failure(std::make_error_code(std::errc::invalid_argument), "O_DIRECT in", directory);
  }
  fill_blocks(**queue);

  IoTrial trial{.kind = (*queue)->kind(), .direct = direct};
  Stream stream(**queue, *file, directory);
  const auto begin = Clock::now();
  const auto written = stream.run(IoOp::write, limits.bytes_max, begin + limits.time_max);
  if (!written) return std::unexpected(written.error());
  if (::fdatasync(file->get()) != 0) return failure("fdatasync", directory);
  trial.write_mb_s = rate_mb_s(*written, Clock::now() - begin);

  (void)::posix_fadvise(file->get(), 0, 0, POSIX_FADV_DONTNEED);
  const auto dropped = Clock::now();
  const auto read = stream.run(IoOp::read, *written, dropped + limits.time_max);
  if (!read) return std::unexpected(read.error());
  trial.read_mb_s = rate_mb_s(*read, Clock::now() - dropped);
  return trial;
}

Result<SyncTrial> try_sync(const Directory& directory) {
  constexpr std::size_t rounds_max = 32;
  const auto file = open_nameless(directory);
  if (!file) return std::unexpected(file.error());
  const std::vector<char> page(4096, 'x');
  std::vector<double> times_ms;
  const auto deadline = Clock::now() + std::chrono::seconds(1);
  while (times_ms.size() < rounds_max && (times_ms.empty() || Clock::now() < deadline)) {
    const auto at = static_cast<off_t>(times_ms.size() * page.size());
    const auto begin = Clock::now();
    if (::pwrite(file->get(), page.data(), page.size(), at) != static_cast<ssize_t>(page.size()))
      return failure("pwrite", directory);
    if (::fdatasync(file->get()) != 0) return failure("fdatasync", directory);
    times_ms.push_back(duration<double, std::milli>(Clock::now() - begin).count());
  }
  std::ranges::sort(times_ms);
  return SyncTrial{.median_ms = times_ms[times_ms.size() / 2], .max_ms = times_ms.back()};
}

}  // namespace sluice::storage
