#include "engine/follow_source.h"

#include <utility>
#include <vector>

#include "engine/errors.h"

namespace sluice::engine {
namespace {

constexpr std::size_t block_bytes = 1 << 20;
constexpr std::size_t snapshot_blocks = 12;
constexpr std::size_t stream_blocks = 4;
constexpr std::chrono::milliseconds wait(100);

}  // namespace

FollowSource::FollowSource(IoThread& io, const ServerLink& link,
                           std::chrono::milliseconds reconnect_wait)
    : link_(link),
      snapshot_(block_bytes, snapshot_blocks, BlockQueue::Overflow::to_scratch),
      stream_(block_bytes, stream_blocks, BlockQueue::Overflow::to_scratch) {
  net::ReplicationOptions options;
  options.connect = link.connect;
  options.handshake.user = link.user;
  options.handshake.password = link.password;
  options.silence_timeout = link.timeout;
  under_way_.emplace(io.start(receive(std::move(options), reconnect_wait), receiving_.get_token()));
}

FollowSource::~FollowSource() {
  snapshot_.abort();
  stream_.abort();
  stop_receiving();
}

boost::asio::awaitable<net::Error> FollowSource::receive(net::ReplicationOptions options,
                                                         std::chrono::milliseconds reconnect_wait) {
  auto error = co_await net::follow(std::move(options), reconnect_wait, *this, *this);
  {
    const std::lock_guard lock(mutex_);
    ended_ = error;
  }
  snapshot_.close();
  stream_.close();
  co_return error;
}

bool FollowSource::on_begin(const net::FullResync& granted,
                            std::optional<std::uint64_t> /*length_bytes*/) {
  granted_ = granted;
  processed_ = granted.offset;
  return true;
}

void FollowSource::on_link(const net::Error* lost) {
  if (lost == nullptr && !in_stream_.exchange(true)) {
    snapshot_.close();
    return;
  }
  const std::lock_guard lock(mutex_);
  lost_ = lost == nullptr ? std::string() : from_net(*lost, Role::source, link_.display).message;
  if (lost == nullptr) ++reconnects_;
}

Result<void> FollowSource::read_snapshot(const Consume& consume, const std::function<void()>& idle,
                                         const std::stop_token& stop) {
  std::vector<std::byte> block;
  while (true) {
    if (stop.stop_requested()) return std::unexpected(cancelled());
    const auto popped = snapshot_.pop(block, wait);
    if (popped == BlockQueue::Popped::end) break;
    idle();
    if (popped == BlockQueue::Popped::nothing_yet) continue;
    auto consumed = consume(block);
    snapshot_.recycle(std::move(block));
    if (!consumed) return consumed;
  }
  if (const auto scratch = snapshot_.error()) return std::unexpected(*scratch);
  if (const auto ended = error(); ended && !in_stream_) return std::unexpected(*ended);
  return {};
}

Result<FollowSource::Came> FollowSource::read_stream(const Consume& consume) {
  std::vector<std::byte> block;
  const auto popped = stream_.pop(block, wait);
  if (popped == BlockQueue::Popped::nothing_yet) return Came::nothing_yet;
  if (popped == BlockQueue::Popped::end) {
    if (const auto scratch = stream_.error()) return std::unexpected(*scratch);
    return Came::end;
  }
  auto consumed = consume(block);
  stream_.recycle(std::move(block));
  if (!consumed) return std::unexpected(consumed.error());
  return Came::bytes;
}

void FollowSource::stop_receiving() {
  receiving_.request_stop();
  if (!under_way_) return;
  static_cast<void>(under_way_->wait());
  under_way_.reset();
}

std::string FollowSource::lost() const {
  const std::lock_guard lock(mutex_);
  return lost_;
}

std::optional<Error> FollowSource::error() const {
  const std::lock_guard lock(mutex_);
  if (!ended_ || receiving_.stop_requested()) return std::nullopt;
  return from_net(*ended_, Role::source, link_.display);
}

}  // namespace sluice::engine
