#include "service/notify_command.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <system_error>

#include "service/descriptor.h"

namespace sluice::service {
namespace {

using std::chrono::steady_clock;

std::string system_text(int error) { return std::generic_category().message(error); }

/// Where the child reads its input from: memory, so that nobody has to wait for it to be read.
int input_file(const std::string& input) {
  const int fd = ::memfd_create("sluice-event", MFD_CLOEXEC);
  if (fd < 0) return -1;
  const auto written = ::write(fd, input.data(), input.size());
  if (written == static_cast<ssize_t>(input.size()) && ::lseek(fd, 0, SEEK_SET) == 0) return fd;
  ::close(fd);
  return -1;
}

class SpawnSetting {
 public:
  explicit SpawnSetting(int input) {
    posix_spawn_file_actions_init(&actions_);
    posix_spawn_file_actions_adddup2(&actions_, input, STDIN_FILENO);
    posix_spawn_file_actions_addopen(&actions_, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addclosefrom_np(&actions_, STDERR_FILENO + 1);
    posix_spawnattr_init(&attributes_);
    sigset_t none;
    sigset_t all;
    ::sigemptyset(&none);
    ::sigfillset(&all);
    posix_spawnattr_setsigmask(&attributes_, &none);
    posix_spawnattr_setsigdefault(&attributes_, &all);
    posix_spawnattr_setpgroup(&attributes_, 0);
    posix_spawnattr_setflags(
        &attributes_, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  }
  SpawnSetting(const SpawnSetting&) = delete;
  SpawnSetting& operator=(const SpawnSetting&) = delete;
  ~SpawnSetting() {
    posix_spawn_file_actions_destroy(&actions_);
    posix_spawnattr_destroy(&attributes_);
  }

  /// Zero, or what went wrong.
  int spawn(std::string command, pid_t& child) const {
    std::string shell = "/bin/sh";
    std::string flag = "-c";
    const std::array<char*, 4> arguments = {shell.data(), flag.data(), command.data(), nullptr};
    return ::posix_spawn(&child, shell.c_str(), &actions_, &attributes_, arguments.data(), environ);
  }

 private:
  posix_spawn_file_actions_t actions_{};
  posix_spawnattr_t attributes_{};
};

/// Whether the child ended before the limit, and before it was to stop.
bool wait_for_end(pid_t child, steady_clock::time_point until, const std::stop_token& stop) {
  constexpr int pause_ms = 20;
  while (!stop.stop_requested() && steady_clock::now() < until) {
    siginfo_t info{};
    const int failed =
        ::waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOHANG | WNOWAIT);
    if ((failed != 0 && errno != EINTR) || info.si_pid == child) return true;
    ::poll(nullptr, 0, pause_ms);
  }
  return false;
}

std::string outcome_of(int status) {
  if (WIFSIGNALED(status))
    return fmt::format("the command was ended by signal {}", WTERMSIG(status));
  const int code = WEXITSTATUS(status);
  return code == 0 ? "" : fmt::format("the command ended with exit code {}", code);
}

}  // namespace

std::string run_notify_command(const std::string& command, const std::string& input,
                               std::chrono::milliseconds limit, const std::stop_token& stop) {
  const Descriptor file(input_file(input));
  if (file.get() < 0) return "no memory for its input: " + system_text(errno);
  pid_t child = 0;
  if (const int error = SpawnSetting(file.get()).spawn(command, child); error != 0)
    return "cannot start /bin/sh: " + system_text(error);
  const bool has_ended = wait_for_end(child, steady_clock::now() + limit, stop);
  if (!has_ended) ::kill(-child, SIGKILL);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (has_ended) return outcome_of(status);
  if (stop.stop_requested()) return "the service ended";
  return fmt::format("the command took longer than {} s and was killed",
                     std::chrono::duration<double>(limit).count());
}

}  // namespace sluice::service
