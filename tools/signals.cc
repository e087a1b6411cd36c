#include "signals.h"

#include <atomic>
#include <csignal>
#include <initializer_list>
#include <thread>

namespace sluice::tools {
namespace {

std::atomic<int> taken = 0;
std::atomic<bool> cut_over = false;
std::atomic<bool> reload = false;

/// Those that are to be waited for. They are blocked, and what stops a program too, in this thread
/// and its own.
sigset_t block_signals(std::initializer_list<int> wanted) {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGINT, SIGTERM, SIGUSR1}) sigaddset(&set, signal);
  for (const int signal : wanted) sigaddset(&set, signal);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  sigemptyset(&set);
  for (const int signal : wanted) sigaddset(&set, signal);
  return set;
}

/// Has a thread of its own set `flag` each time that the signal comes.
void set_on(int wanted, std::atomic<bool>& flag) {
  const sigset_t set = block_signals({wanted});
  std::thread([set, &flag] {
    int signal = 0;
    while (sigwait(&set, &signal) == 0) flag = true;
  }).detach();
}

}  // namespace

std::stop_token stop_on_signals() {
  static const std::stop_source source;  // outlives the thread: neither ever ends
  const sigset_t set = block_signals({SIGINT, SIGTERM});
  std::signal(SIGPIPE, SIG_IGN);

  std::thread([set] {
    int signal = 0;
    sigwait(&set, &signal);
    taken = signal;
    source.request_stop();
    sigwait(&set, &signal);
    sigset_t one;
    sigemptyset(&one);
    sigaddset(&one, signal);
    std::signal(signal, SIG_DFL);
    pthread_sigmask(SIG_UNBLOCK, &one, nullptr);
    std::raise(signal);
  }).detach();  // waits for signals as long as the process lives
  return source.get_token();
}

const std::atomic<bool>& cut_over_on_signal(bool now) {
  cut_over = now;
  set_on(SIGUSR1, cut_over);
  return cut_over;
}

std::atomic<bool>& reload_on_signal() {
  set_on(SIGHUP, reload);
  return reload;
}

int signal_taken() { return taken; }

}  // namespace sluice::tools
