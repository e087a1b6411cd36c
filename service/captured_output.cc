#include "service/captured_output.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <stdexcept>
#include <thread>

namespace sluice::service {
namespace {

using Clock = std::chrono::steady_clock;

/// Whether something can be read from it, or it ended, before then.
bool wait_for(int fd, Clock::time_point deadline) {
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now());
  if (left.count() <= 0) return false;
  pollfd wanted{.fd = fd, .events = POLLIN, .revents = 0};
  return ::poll(&wanted, 1, static_cast<int>(left.count())) > 0;
}

CapturedOutput::End read_into(std::string& text, int fd, std::size_t bytes_max,
                              Clock::time_point deadline) {
  std::array<char, 16384> piece{};
  while (true) {
    if (!wait_for(fd, deadline)) return CapturedOutput::End::time;
    const ssize_t size = ::read(fd, piece.data(), piece.size());
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return CapturedOutput::End::whole;
    text.append(piece.data(), static_cast<std::size_t>(size));
    if (text.size() > bytes_max) return CapturedOutput::End::size;
  }
}

}  // namespace

CapturedOutput capture(
    std::size_t bytes_max, std::chrono::milliseconds time_max,
    const std::function<Result<void>(const std::string& path, const JobContext&)>& job) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0)
    throw std::runtime_error("no pipe can be had: too many open files");
  CapturedOutput captured;
  {
    std::jthread writer([&captured, &job, out = ends[1]](const std::stop_token& stop) {
      captured.outcome =
          job(fmt::format("/proc/self/fd/{}", out), {.observer = nullptr, .stop = stop});
      ::close(out);
    });
    captured.end = read_into(captured.text, ends[0], bytes_max, Clock::now() + time_max);
    writer.request_stop();
    ::close(ends[0]);
  }
  return captured;
}

}  // namespace sluice::service
