#include "engine/feed_service.h"

#include <fmt/format.h>

#include <chrono>
#include <utility>

namespace sluice::engine {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr std::size_t replicas_at_once = 4;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

FedReplica describe(const net::ReplicaPeer& peer) {
  FedReplica replica;
  const bool ipv6 = peer.address.contains(':');
  replica.address = ipv6 ? "[" + peer.address + "]" : peer.address;
  replica.address += fmt::format(":{}", peer.listening_port);
  replica.version = peer.version;
  return replica;
}

}  // namespace

FeedService::FeedService(const FeedOptions& options, const FeedImage& image, IoThread& io,
                         net::ReplicationServer& server, const JobContext& job)
    : options_(options), image_(image), io_(io), server_(server), job_(job) {
  own_.stop = stop_.get_token();
}

void FeedService::run() {
  const std::stop_callback on_stop(job_.stop, [this] { stop_.request_stop(); });
  std::vector<std::jthread> threads;
  for (std::size_t i = 0; i < replicas_at_once; ++i)
    threads.emplace_back([this] { serve_replicas(); });
  std::unique_lock lock(mutex_);
  while (changed_.wait(lock, own_.stop, [this] { return !news_.empty(); })) {
    const std::string text = std::move(news_.front());
    news_.pop_front();
    lock.unlock();
    if (job_.observer != nullptr) job_.observer->on_notice(text);
    lock.lock();
  }
}

void FeedService::serve_replicas() {
  while (!own_.stop.stop_requested()) {
    auto accepted =
        io_.run(server_.accept([this](const std::string& from, const net::Error& error) {
          tell(fmt::format("a connection from {} was not served: {}", from, error.detail));
          const std::scoped_lock lock(mutex_);
          ++refused_;
        }),
                own_.stop);
    if (!accepted) {
      // Out of descriptors, say: that passes.
      if (!own_.stop.stop_requested()) std::this_thread::sleep_for(100ms);
      continue;
    }
    if (*accepted == nullptr) continue;
    FedReplica replica = describe((*accepted)->peer());
    serve_one(**accepted, replica);
  }
}

void FeedService::serve_one(net::ReplicaSession& session, FedReplica& replica) {
  tell(fmt::format("{} is being fed", replica.address));
  const auto start = Clock::now();
  std::string error = load(session, replica);
  replica.seconds = seconds_since(start);
  replica.error = std::move(error);
  keep(replica);
}

/// Feeds one replica and stays with it; why it is not complete, if it is not.
std::string FeedService::load(net::ReplicaSession& session, FedReplica& replica) {
  const auto start = Clock::now();
  const auto sent = send_snapshot(io_, session, replid_, image_, nullptr, {}, own_);
  replica.bytes = session.snapshot_bytes();
  if (!sent) return sent.error().message;
  FollowedReplica followed(io_, session);
  while (!replica.complete) {
    const auto acknowledged = followed.has_snapshot(1s, own_.stop);
    if (!acknowledged) return cut_short(session, acknowledged.error()).message;
    replica.complete = *acknowledged;
  }
  tell(fmt::format("{} has loaded everything, in {:.1f} s", replica.address, seconds_since(start)));
  if (options_.once) stop_.request_stop();
  while (io_.run(session.is_linked(1s), own_.stop).value_or(false)) {
  }
  return {};
}

void FeedService::tell(std::string news) {
  {
    const std::scoped_lock lock(mutex_);
    news_.push_back(std::move(news));
  }
  changed_.notify_one();
}

void FeedService::keep(FedReplica replica) {
  const std::scoped_lock lock(mutex_);
  if (replica.complete) ++served_;
  if (replicas_.size() < FeedResult::replicas_max) replicas_.push_back(std::move(replica));
}

void FeedService::report(FeedResult& result) {
  const std::scoped_lock lock(mutex_);
  if (job_.observer != nullptr) {
    for (const std::string& text : news_) job_.observer->on_notice(text);
  }
  result.replicas = std::move(replicas_);
  result.served = served_;
  result.refused = refused_;
}

}  // namespace sluice::engine
