#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "engine/feed_image.h"
#include "engine/feed_serve.h"
#include "engine/io_thread.h"
#include "net/replication_server.h"
#include "sluice/feed.h"

namespace sluice::engine {

/// Serves an image to whoever comes, several at once.
/// Threads: run() on the job's; one more for each replica that is served at a time.
class FeedService {
 public:
  FeedService(const FeedOptions& options, const FeedImage& image, IoThread& io,
              net::ReplicationServer& server, const JobContext& job);

  /// Until the job is asked to stop, or one replica is complete and that was all that was wanted.
  void run();
  /// What became of the replicas. After run().
  void report(FeedResult& result);

 private:
  void serve_replicas();
  void serve_one(net::ReplicaSession& session, FedReplica& replica);
  [[nodiscard]] std::string load(net::ReplicaSession& session, FedReplica& replica);
  void tell(std::string news);
  void keep(FedReplica replica);

  const FeedOptions& options_;
  const FeedImage& image_;
  IoThread& io_;
  net::ReplicationServer& server_;
  const JobContext& job_;
  JobContext own_;  // of the threads: told nothing, stopped by stop_
  std::stop_source stop_;
  std::string replid_ = net::make_replid();

  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::deque<std::string> news_;  // for the observer, which is told on the job's thread
  std::vector<FedReplica> replicas_;
  std::uint64_t served_ = 0;
  std::uint64_t refused_ = 0;
};

}  // namespace sluice::engine
