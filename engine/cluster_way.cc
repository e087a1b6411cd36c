#include "engine/cluster_way.h"

#include <utility>

namespace sluice::engine {

ClusterWay::ClusterWay(IoThread& io, const ServerLink& link, const net::Topology& topology,
                       net::ReplyHandler& handler, ClusterWayOptions options, std::stop_token stop)
    : io_(io),
      options_(std::move(options)),
      stop_(std::move(stop)),
      pace_(options_.bytes_per_second),
      writer_(io.executor(), topology, handler, writer_options(link)) {}

net::ClusterWriterOptions ClusterWay::writer_options(const ServerLink& link) {
  net::ClusterWriterOptions writer;
  writer.login = link.login();
  writer.route = route_of;
  writer.may_replace = options_.policy != OnConflict::skip;
  writer.inflight_bytes_max = options_.inflight_bytes_max;
  if (options_.watch != nullptr)
    writer.inflight_bytes_max = options_.watch->inflight_bytes_max(writer.inflight_bytes_max);
  writer.spool = &spool_;
  writer.on_trouble = [this](std::string_view why) {
    const std::scoped_lock lock(mutex_);
    trouble_ = why;
  };
  return writer;
}

CommandOutlet ClusterWay::outlet() {
  return {.send =
              [this](net::CommandBatch batch, bool /*goes_on*/) {
                pace_.pass(batch.size_bytes(), stop_);
                if (options_.watch != nullptr) options_.watch->pass(batch.size_bytes(), stop_);
                return start(writer_.write(std::move(batch)));
              },
          .settle =
              [this] {
                start(writer_.finish());
                wait();
                return !broken_;
              },
          .batch_bytes_max =
              [this] {
                return options_.watch == nullptr ? RestoreStream::batch_bytes
                                                 : options_.watch->batch_bytes_max();
              }};
}

bool ClusterWay::start(boost::asio::awaitable<Outcome> operation) {
  wait();
  under_way_.emplace(io_.start(std::move(operation), stop_));
  return !broken_;
}

void ClusterWay::wait() {
  if (!under_way_) return;
  while (!under_way_->is_over_within(std::chrono::milliseconds(200))) tell();
  tell();
  auto outcome = under_way_->wait();
  under_way_.reset();
  if (!outcome && !broken_) broken_ = std::move(outcome.error());
}

void ClusterWay::tell() {
  std::string trouble;
  {
    const std::scoped_lock lock(mutex_);
    trouble.swap(trouble_);
  }
  if (!trouble.empty() && options_.on_trouble) options_.on_trouble(trouble);
}

}  // namespace sluice::engine
