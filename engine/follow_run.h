#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "engine/command_replay.h"
#include "engine/follow_source.h"
#include "engine/io_thread.h"
#include "engine/progress_meter.h"
#include "engine/server_link.h"
#include "net/connection.h"
#include "net/target_writer.h"
#include "sluice/clone.h"

namespace sluice::engine {

/// Applies the command stream of a source to a target, from where its snapshot ended, until told to
/// stop or to cut over. `imports`: the target is in import-mode.
///
/// Threads:  the job's. Lifetime: all that it is made of outlives it.
class FollowRun {
 public:
  FollowRun(FollowSource& source, const ServerLink& source_link, const ServerLink& target_link,
            const CloneOptions& options, bool imports, IoThread& io, ProgressMeter& meter,
            const JobContext& job);

  /// Errors: what ended it before it was told to, with the offset that was reached in `result`.
  [[nodiscard]] Result<void> run(FollowResult& result);

 private:
  using Clock = std::chrono::steady_clock;

  Result<void> connect();
  Result<void> step();
  Result<void> settle();
  Result<void> look_at_source();
  Result<void> pause_source();
  Result<bool> is_over();
  void report(FollowResult& result) const;
  void tell();
  [[nodiscard]] Error broken() const;
  [[nodiscard]] bool wants_cut_over() const;

  FollowSource& source_;
  const ServerLink& source_link_;
  const ServerLink& target_link_;
  const CloneOptions& options_;
  const bool imports_;
  IoThread& io_;
  ProgressMeter& meter_;
  const JobContext& job_;

  std::unique_ptr<net::Connection> source_connection_;  // to ask, and to pause
  std::unique_ptr<net::Client> asking_;
  std::unique_ptr<net::Connection> target_connection_;
  CommandReplay replay_;
  std::unique_ptr<net::TargetWriter> writer_;
  std::optional<net::Error> broken_;
  std::uint64_t source_offset_ = 0;  // when last asked
  Clock::time_point asked_at_;
  std::string told_lost_;
  std::optional<std::uint64_t> goal_;  // offset at which writes were paused
  Clock::time_point paused_at_;
  double paused_s_ = 0;
  bool refused_pause_ = false;
};

}  // namespace sluice::engine
