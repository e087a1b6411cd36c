#include "signals.h"

#include <atomic>
#include <csignal>
#include <thread>

namespace sluice::tools {
namespace {

std::atomic<int> taken = 0;

}  // namespace

std::stop_token stop_on_signals() {
  static std::stop_source source;  // outlives the thread: neither ever ends
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
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

int signal_taken() { return taken; }

}  // namespace sluice::tools
