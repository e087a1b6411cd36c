#include "net/cluster_link.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace sluice::net {

namespace asio = boost::asio;

namespace {

constexpr std::string_view asking_command = "*1\r\n$6\r\nASKING\r\n";
constexpr std::string_view wait_command = "*3\r\n$4\r\nWAIT\r\n$1\r\n1\r\n$4\r\n1000\r\n";
constexpr unsigned waits_in_vain_max = 15;  // of a second each

TargetWriterOptions writer_options(std::chrono::milliseconds silence_timeout) {
  TargetWriterOptions options;
  options.inflight_bytes_max = std::numeric_limits<std::size_t>::max();  // the writer's business
  options.silence_timeout = silence_timeout;
  return options;
}

}  // namespace

ClusterLink::ClusterLink(std::unique_ptr<Connection> connection, HostPort address,
                         LinkEvents& events, std::chrono::milliseconds silence_timeout)
    : connection_(std::move(connection)),
      address_(std::move(address)),
      events_(events),
      writer_(*connection_, *this, writer_options(silence_timeout)) {}

void ClusterLink::set_has_replica(bool has_replica) {
  has_replica_ = has_replica && waits_in_vain_ < waits_in_vain_max;
  if (!has_replica_) confirm_all();
}

void ClusterLink::add_own(std::string_view command, std::uint64_t tag) {
  batch_.add_encoded(command);
  batch_.mark_command(tag, {});
  queued_.push_back(tag);
}

void ClusterLink::queue(std::uint64_t number, std::string_view bytes, bool asking) {
  if (asking) add_own(asking_command, asking_tag);
  batch_.add_encoded(bytes);
  batch_.mark_command(number, {});
  queued_.push_back(number);
}

void ClusterLink::queue_spooled(std::uint64_t number, CommandSpool& spool, bool replaces,
                                bool asking) {
  if (asking) add_own(asking_command, asking_tag);
  spooled_ = Spooled{.number = number, .spool = &spool, .replaces = replaces};
}

bool ClusterLink::has_to_send() const noexcept {
  return !queued_.empty() || spooled_ || (!unconfirmed_.empty() && waits_on_way_ == 0);
}

asio::awaitable<Result<void>> ClusterLink::send() {
  co_await asio::this_coro::throw_if_cancelled(false);
  const bool is_spooled = spooled_.has_value();
  if (has_replica_ && !is_spooled) {
    add_own(wait_command, wait_tag);
    ++waits_on_way_;
  }
  if (sent_.empty()) heard_at_ = HeldCommand::Clock::now();
  sent_.insert(sent_.end(), queued_.begin(), queued_.end());
  queued_.clear();
  auto batch = batch_.split();
  if (!batch.empty()) {
    auto written = co_await writer_.write(std::move(batch));
    if (!written) co_return written;
  }
  if (is_spooled) co_return co_await send_spooled();
  co_return Result<void>();
}

asio::awaitable<Result<void>> ClusterLink::send_spooled() {
  constexpr std::size_t piece_bytes = 1 << 20;
  const Spooled spooled = *std::exchange(spooled_, std::nullopt);
  sent_.push_back(spooled.number);
  std::uint64_t offset = 0;
  std::string tail;
  while (offset < spooled.spool->size()) {
    const auto piece = spooled.spool->piece(offset, piece_bytes);
    if (!piece) co_return std::unexpected(piece.error());
    std::string_view text(reinterpret_cast<const char*>(piece->data()), piece->size());
    CommandBatch batch;
    const bool reframe = offset == 0 && spooled.replaces;
    offset += text.size();
    if (reframe) {
      ReplaceFrame frame = replace_frame(text);
      batch.add_encoded(frame.head);
      text.remove_prefix(frame.skip);
      tail = std::move(frame.tail);
    }
    batch.add_encoded(text);
    if (offset >= spooled.spool->size()) {
      batch.add_encoded(tail);
      batch.mark_command(spooled.number, {});
    }
    auto written = co_await writer_.write(std::move(batch));
    if (!written) co_return written;
    heard_at_ = HeldCommand::Clock::now();
  }
  co_return Result<void>();
}

void ClusterLink::on_reply(std::uint64_t tag, std::span<const std::byte> /*key*/,
                           const Reply& reply) {
  heard_at_ = HeldCommand::Clock::now();
  sent_.pop_front();
  if (tag == asking_tag) return;
  if (tag == wait_tag) return on_wait_reply(reply);
  const bool wait = has_replica_ && !reply.is_error();
  if (wait) unconfirmed_.push_back(tag);
  events_.on_answer(*this, tag, reply, !wait);
}

// Its number says how many replicas have all that was answered before it.
void ClusterLink::on_wait_reply(const Reply& reply) {
  --waits_on_way_;
  const bool confirmed = reply.type == Reply::Type::integer && reply.integer > 0;
  if (confirmed) {
    waits_in_vain_ = 0;
    return confirm_all();
  }
  waits_in_vain_ = reply.is_error() ? waits_in_vain_max : waits_in_vain_ + 1;
  const bool gives_up = waits_in_vain_ >= waits_in_vain_max;
  events_.on_unconfirmed(gives_up);
  if (!gives_up) return;
  has_replica_ = false;
  confirm_all();
}

void ClusterLink::confirm_all() {
  for (const std::uint64_t number : std::exchange(unconfirmed_, {})) events_.on_confirmed(number);
}

ClusterLink::Lost ClusterLink::take_lost() {
  Lost lost;
  std::ranges::copy_if(queued_, std::back_inserter(lost.unsent),
                       [](std::uint64_t tag) { return !is_own(tag); });
  if (spooled_) lost.unsent.push_back(spooled_->number);
  std::ranges::copy_if(sent_, std::back_inserter(lost.unanswered),
                       [](std::uint64_t tag) { return !is_own(tag); });
  lost.unconfirmed = std::exchange(unconfirmed_, {});
  return lost;
}

}  // namespace sluice::net
