#include "engine/target_lanes.h"

#include <algorithm>
#include <utility>

namespace sluice::engine {
namespace {

bool is_select(const net::CommandBatch& batch) {
  return batch.command_count() == 1 &&
         CommandTag::unpack(batch.entries().front().tag).kind == CommandTag::Kind::select;
}

}  // namespace

TargetLanes::TargetLanes(IoThread& io, std::vector<std::unique_ptr<net::Connection>> connections,
                         std::unique_ptr<net::Connection> asker, net::ReplyHandler& handler,
                         const LaneOptions& options, std::stop_token stop)
    : io_(io),
      stop_(std::move(stop)),
      inflight_bytes_max_(options.inflight_bytes_max),
      pace_(options.bytes_per_second),
      watch_(options.watch) {
  net::TargetWriterOptions writer;
  writer.inflight_bytes_max = options.inflight_bytes_max / connections.size();
  writer.silence_timeout = options.silence_timeout;
  const auto open = [&](Lane& lane, std::unique_ptr<net::Connection> connection) {
    lane.connection = std::move(connection);
    lane.writer = std::make_unique<net::TargetWriter>(*lane.connection, handler, writer);
  };
  for (auto& connection : connections) open(lanes_.emplace_back(), std::move(connection));
  if (asker) open(asker_.emplace(), std::move(asker));
}

TargetLanes::~TargetLanes() {
  for (Lane& lane : lanes_) wait(lane);
  if (asker_) wait(*asker_);
}

CommandOutlet TargetLanes::outlet() {
  CommandOutlet outlet{.send = [this](net::CommandBatch batch,
                                      bool goes_on) { return send(std::move(batch), goes_on); },
                       .settle = [this] { return settle(); },
                       .batch_bytes_max =
                           [this] {
                             return watch_ == nullptr ? RestoreStream::batch_bytes
                                                      : watch_->batch_bytes_max();
                           }};
  if (asker_) outlet.ask = [this](net::CommandBatch batch) { return ask(std::move(batch)); };
  return outlet;
}

void TargetLanes::hold_back(std::uint64_t bytes) {
  pace_.pass(bytes, stop_);
  if (watch_ != nullptr) watch_->pass(bytes, stop_);
}

std::size_t TargetLanes::lanes_in_use() const {
  if (watch_ == nullptr) return lanes_.size();
  const std::size_t batches =
      watch_->inflight_bytes_max(inflight_bytes_max_) / watch_->batch_bytes_max();
  return std::clamp<std::size_t>(batches, 1, lanes_.size());
}

// What comes after a failure is given to the writers all the same: they tell the handler.
bool TargetLanes::send(net::CommandBatch batch, bool goes_on) {
  hold_back(batch.size_bytes());
  if (is_select(batch)) {
    for (Lane& lane : lanes_) start(lane, lane.writer->write(batch));
    if (asker_) start(*asker_, asker_->writer->write(std::move(batch)));
  } else {
    Lane& lane = lanes_[turn_];
    wait(lane);
    const std::size_t in_use = lanes_in_use();
    if (watch_ != nullptr)
      lane.writer->set_inflight_bytes_max(watch_->inflight_bytes_max(inflight_bytes_max_) / in_use);
    start(lane, lane.writer->write(std::move(batch)));
    if (!goes_on) turn_ = (turn_ + 1) % in_use;
  }
  return !broken_;
}

bool TargetLanes::settle() {
  for (Lane& lane : lanes_) start(lane, lane.writer->finish());
  if (asker_) start(*asker_, asker_->writer->finish());
  for (Lane& lane : lanes_) wait(lane);
  if (asker_) wait(*asker_);
  return !broken_;
}

bool TargetLanes::ask(net::CommandBatch questions) {
  start(*asker_, asker_->writer->write(std::move(questions)));
  start(*asker_, asker_->writer->finish());
  wait(*asker_);
  return !broken_;
}

void TargetLanes::start(Lane& lane, boost::asio::awaitable<Outcome> operation) {
  wait(lane);
  lane.under_way.emplace(io_.start(std::move(operation), stop_));
}

void TargetLanes::wait(Lane& lane) {
  if (!lane.under_way) return;
  auto outcome = lane.under_way->wait();
  lane.under_way.reset();
  if (!outcome && !broken_) broken_ = std::move(outcome.error());
}

boost::asio::awaitable<net::Result<std::vector<std::unique_ptr<net::Connection>>>> log_in_more(
    boost::asio::any_io_executor executor, ServerLink link, unsigned count) {
  std::vector<std::unique_ptr<net::Connection>> connections;
  while (connections.size() < count) {
    auto connection = co_await log_in(executor, link);
    if (!connection && connection.error().code == net::Errc::cancelled) {
      co_return std::unexpected(connection.error());
    }
    if (!connection) break;
    connections.push_back(std::move(*connection));
  }
  co_return std::move(connections);
}

}  // namespace sluice::engine
