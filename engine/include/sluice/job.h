#pragma once

#include <cstdint>
#include <optional>
#include <stop_token>
#include <string_view>

namespace sluice {

/// How far a job is. `phase` names what it does now: "waiting for the source", "receiving", …
struct Progress {
  std::string_view phase;
  std::uint64_t bytes = 0;                   ///< RDB bytes done.
  std::optional<std::uint64_t> bytes_total;  ///< Absent when nobody knows yet.
  std::uint64_t keys = 0;
  double seconds = 0;  ///< Since the job began.
};

/// Is told what a job does, on the thread that called it. At most some ten progress calls a second.
class Observer {
 public:
  Observer() = default;
  Observer(const Observer&) = delete;
  Observer& operator=(const Observer&) = delete;
  virtual ~Observer() = default;

  virtual void on_progress(const Progress&) {}
  /// Something the operator should know though the job goes on; one line.
  virtual void on_notice(std::string_view /*text*/) {}
};

/// What every job takes beside its options. A job that is asked to stop ends within seconds with
/// Error::code "cancelled" and leaves nothing half-done that looks done.
struct JobContext {
  Observer* observer = nullptr;  ///< May be null; must outlive the call.
  std::stop_token stop;
};

/// Which way files are written and read. `automatic` is io_uring where it works, else threads.
enum class IoBackend : std::uint8_t { automatic, io_uring, threads };

}  // namespace sluice
