#include "signals.h"

#include <atomic>
#include <csignal>
#include <initializer_list>
#include <thread>

namespace sluice::tools {
namespace {

std::atomic<int> taken = 0;
std::atomic<bool> cut_over = false;

/// Those of them that are to be waited for; all of them are blocked, in this thread and its own.
sigset_t block_signals(std::initializer_list<int> wanted) {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGINT, SIGTERM, SIGUSR1}) sigaddset(&set, signal);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  sigemptyset(&set);
  for (const int signal : wanted) sigaddset(&set, signal);
  return set;
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
  const sigset_t set = block_signals({SIGUSR1});
  std::thread([set] {
    int signal = 0;
    while (sigwait(&set, &signal) == 0) cut_over = true;
  }).detach();
  return cut_over;
}

int signal_taken() { return taken; }

}  // namespace sluice::tools
