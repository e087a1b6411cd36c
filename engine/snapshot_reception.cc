#include "engine/snapshot_reception.h"

#include <utility>

namespace sluice::engine {
namespace {

/// Lets the job's thread see the end of a transfer, however that comes.
class CloseOnExit {
 public:
  explicit CloseOnExit(BlockQueue& queue) : queue_(queue) {}
  CloseOnExit(const CloseOnExit&) = delete;
  CloseOnExit& operator=(const CloseOnExit&) = delete;
  ~CloseOnExit() { queue_.close(); }

 private:
  BlockQueue& queue_;
};

net::ReplicationOptions replication_options(const ServerLink& link) {
  net::ReplicationOptions options;
  options.connect = link.connect;
  options.handshake.user = link.user;
  options.handshake.password = link.password;
  options.silence_timeout = link.timeout;
  return options;
}

boost::asio::awaitable<net::Result<net::SnapshotStats>> receive(net::ReplicationOptions options,
                                                                net::SnapshotSink& sink,
                                                                BlockQueue& queue) {
  const CloseOnExit close_on_exit(queue);
  co_return co_await net::receive_snapshot(std::move(options), sink);
}

}  // namespace

void SnapshotReception::start(IoThread& io, const ServerLink& link, std::uint64_t offset_min,
                              std::stop_token stop) {
  offset_min_ = offset_min;
  transfer_.emplace(io.start(receive(replication_options(link), *this, queue_), std::move(stop)));
}

bool SnapshotReception::on_begin(const net::FullResync& granted,
                                 std::optional<std::uint64_t> length_bytes) {
  if (granted.offset < offset_min_) {
    too_old_ = true;
    return false;
  }
  length_bytes_ = length_bytes.value_or(0);
  begun_at_ = Clock::now();
  begun_ = true;
  return true;
}

std::string server_name(const net::ServerInfo& info) {
  return info.flavor == net::Flavor::unknown ? std::string()
                                             : std::string(net::to_text(info.flavor));
}

}  // namespace sluice::engine
