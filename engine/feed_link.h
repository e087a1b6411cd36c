#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "engine/feed_serve.h"
#include "engine/feed_state.h"
#include "engine/feed_target.h"
#include "engine/io_thread.h"
#include "engine/target_console.h"
#include "net/replication_server.h"
#include "sluice/job.h"
#include "sluice/result.h"

namespace sluice::engine {

/// Where a target is told to load from.
struct FeedAddress {
  std::string host;
  std::uint16_t port = 0;  ///< Zero: any that is free.
};
/// Of "HOST", "HOST:PORT" or "[IPV6]:PORT". Errors: "bad_option".
[[nodiscard]] Result<FeedAddress> parse_feed_address(const std::string& text);

/// Our end of one target's replication: the listener, then the target's connection.
///
/// Errors:   "feed_refused" when the target does not come, or is told otherwise meanwhile;
///           "feed_cut_short"; the console's.
/// Threads:  that of the job. Lifetime: what it is given outlives it.
class FeedLink {
 public:
  FeedLink(IoThread& io, TargetConsole& console, const FeedTarget& target, ProgressMeter& meter,
           const JobContext& job)
      : io_(io), console_(console), target_(target), meter_(meter), job_(job) {}

  /// Errors: what keeps us from listening.
  [[nodiscard]] Result<void> listen(const std::string& address);
  /// Where it listens: what the target is to be told.
  [[nodiscard]] const FeedAddress& address() const noexcept { return address_; }

  /// Waits for the target, sends it the snapshot, and waits until it has loaded and acknowledged
  /// all of it. The target stays attached until close(). `state` is what it was told.
  [[nodiscard]] Result<void> feed(const FeedState& state, const FeedImage& image,
                                  WrittenDigest* written);
  /// Ends the connection, and listens no more.
  void close();

 private:
  [[nodiscard]] Result<void> wait_for_target(const FeedState& state);
  [[nodiscard]] Result<void> wait_for_load(const FeedState& state, const FeedImage& image);
  [[nodiscard]] Result<void> prove_offset(const FeedState& state);
  [[nodiscard]] Result<std::string> ask_replication(const FeedState& state);

  IoThread& io_;
  TargetConsole& console_;
  const FeedTarget& target_;
  ProgressMeter& meter_;
  const JobContext& job_;
  FeedAddress address_;
  std::unique_ptr<net::ReplicationServer> server_;
  std::unique_ptr<net::ReplicaSession> session_;
  std::optional<FollowedReplica> followed_;
};

}  // namespace sluice::engine
