#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>

#include "engine/feed_image.h"
#include "engine/io_thread.h"
#include "engine/progress_meter.h"
#include "engine/written_digest.h"
#include "net/replica_session.h"
#include "sluice/job.h"
#include "sluice/result.h"

namespace sluice::engine {

/// Where our histories begin. Not at zero: that is what some replicas acknowledge before they have
/// loaded anything.
inline constexpr std::uint64_t feed_offset = 1000;

/// What became of a replica, in words; cancelled.
[[nodiscard]] Error cut_short(const net::ReplicaSession& session, const net::Error& error);

/// Sends the snapshot to a replica that waits for it, at `feed_offset` of history `replid`, and
/// waits for each MiB until the system has taken it.
///
/// `written` may be null; `on_block` is called after each block and may be empty.
/// Errors: those of FeedImage::send(); "feed_cut_short" when the replica takes no more, or is gone.
[[nodiscard]] Result<void> send_snapshot(IoThread& io, net::ReplicaSession& session,
                                         const std::string& replid, const FeedImage& image,
                                         WrittenDigest* written,
                                         const std::function<void(std::uint64_t bytes)>& on_block,
                                         const JobContext& job);

/// A replica's link, kept alive as long as this lives: it is pinged, and its acknowledgements are
/// read. Threads: that of the job. Lifetime: both outlive it.
class FollowedReplica {
 public:
  FollowedReplica(IoThread& io, net::ReplicaSession& session)
      : io_(io), session_(session), following_(io.start(session.follow(), stop_.get_token())) {}
  FollowedReplica(const FollowedReplica&) = delete;
  FollowedReplica& operator=(const FollowedReplica&) = delete;
  ~FollowedReplica() {
    stop_.request_stop();
    static_cast<void>(following_.wait());
  }

  /// Whether the replica has acknowledged the whole snapshot; waits for that for at most `limit`.
  /// Errors: why the link is down; cancelled.
  [[nodiscard]] net::Result<bool> has_snapshot(std::chrono::milliseconds limit,
                                               const std::stop_token& stop) {
    return io_.run(session_.acknowledged(feed_offset, limit), stop);
  }

 private:
  IoThread& io_;
  net::ReplicaSession& session_;
  std::stop_source stop_;
  IoThread::Pending<net::Result<void>> following_;
};

}  // namespace sluice::engine
