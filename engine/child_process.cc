#include "engine/child_process.h"

#include <linux/close_range.h>
#include <unistd.h>

#include <boost/process.hpp>
#include <boost/process/extend.hpp>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <memory>
#include <thread>

#include "engine/errors.h"

namespace sluice::engine {
namespace {

namespace process = boost::process;

constexpr std::size_t output_bytes_max = 64 << 10;
constexpr std::chrono::milliseconds poll_interval(20);
constexpr std::chrono::seconds grace(5);

struct CloseFile {
  void operator()(std::FILE* file) const noexcept { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, CloseFile>;

Error cannot_start(const std::string& program, const std::string& why) {
  return {.stage = Stage::engine,
          .code = "cannot_start",
          .message = "cannot start " + program + ": " + why};
}

/// False when it is still there.
bool ends_within(process::child& child, std::chrono::milliseconds time) {
  const auto deadline = std::chrono::steady_clock::now() + time;
  while (child.running()) {
    if (std::chrono::steady_clock::now() >= deadline) return false;
    std::this_thread::sleep_for(poll_interval);
  }
  return true;
}

void end(process::child& child) {
  ::kill(child.id(), SIGTERM);
  if (!ends_within(child, grace)) child.terminate();
  child.wait();
}

std::string text_of(std::FILE* file) {
  std::string text(output_bytes_max, '\0');
  if (std::fseek(file, 0, SEEK_SET) != 0) return {};
  text.resize(std::fread(text.data(), 1, text.size(), file));
  return text;
}

}  // namespace

Result<ChildOutput> run_child(const std::vector<std::string>& command,
                              const std::map<std::string, std::string>& environment,
                              const std::stop_token& stop) {
  const File out(std::tmpfile());
  if (!out) return std::unexpected(cannot_start(command.front(), "no temporary file"));
  process::environment variables = boost::this_process::environment();
  for (const auto& [name, value] : environment) variables[name] = value;
  const auto prepare = [](auto& /*executor*/) {
    // What is open here is none of its business: it may live longer than we do.
    ::close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    ::signal(SIGPIPE, SIG_DFL);
  };
  std::error_code failed;
  process::child child(process::exe = command.front(),
                       process::args = std::vector<std::string>(command.begin() + 1, command.end()),
                       variables, process::std_in<process::null, process::std_out> out.get(),
                       process::extend::on_exec_setup = prepare, failed);
  if (failed) return std::unexpected(cannot_start(command.front(), failed.message()));
  while (!ends_within(child, poll_interval)) {
    if (!stop.stop_requested()) continue;
    end(child);
    return std::unexpected(cancelled());
  }
  child.wait();
  return ChildOutput{.exit_code = child.exit_code(), .out = text_of(out.get())};
}

}  // namespace sluice::engine
