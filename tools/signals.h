#pragma once

#include <atomic>
#include <stop_token>

namespace sluice::tools {

/// Turns SIGINT and SIGTERM into a request to stop. The first signal asks; a second one ends
/// the process at once, by that signal's default action.
///
/// Call before any other thread is started: the signals are blocked everywhere and taken by a
/// thread of our own, so that no code runs inside a signal handler.
[[nodiscard]] std::stop_token stop_on_signals();

/// Set once SIGUSR1 comes; `now`: from the start. As for stop_on_signals().
[[nodiscard]] const std::atomic<bool>& cut_over_on_signal(bool now);

/// Set each time SIGHUP comes. As for stop_on_signals().
[[nodiscard]] std::atomic<bool>& reload_on_signal();

/// The signal that was taken, 0 when none was.
[[nodiscard]] int signal_taken();

}  // namespace sluice::tools
