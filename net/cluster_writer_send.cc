#include <fmt/format.h>

#include <algorithm>
#include <bitset>
#include <utility>

#include "net/client.h"
#include "net/cluster_writer.h"
#include "net/deadline.h"
#include "net/key_slot.h"

// What a ClusterWriter sends, and to whom.

namespace sluice::net {

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

constexpr auto retry_pause = 100ms;

/// An operation on a link, ready to be run beside others.
asio::awaitable<Result<void>> pass_ticks(std::chrono::milliseconds limit) {
  co_await passed(limit);
  co_return Result<void>();
}

auto spawned(const asio::any_io_executor& executor, asio::awaitable<Result<void>> op) {
  auto shielded = without_cancel_exceptions<void>(std::move(op));
  return asio::co_spawn(executor, std::move(shielded), asio::deferred);
}
using Spawned = decltype(spawned(std::declval<asio::any_io_executor>(),
                                 std::declval<asio::awaitable<Result<void>>>()));

/// Their results, once all have ended.
template <class Condition>
asio::awaitable<std::vector<Result<void>>> run_group(std::vector<Spawned> group,
                                                     Condition condition) {
  co_await asio::this_coro::throw_if_cancelled(false);
  auto [order, thrown, results] = co_await asio::experimental::make_parallel_group(std::move(group))
                                      .async_wait(condition, asio::deferred);
  for (const auto& problem : thrown) {
    if (problem) std::rethrow_exception(problem);
  }
  co_return std::move(results);
}

bool is_cancel(const Error& error) { return error.code == Errc::cancelled; }

}  // namespace

asio::awaitable<Result<void>> ClusterWriter::drive(std::size_t bytes_max) {
  while (!failure_) {
    co_await turn(bytes_max);
    if (!failure_ && is_reached(bytes_max)) co_return Result<void>();
  }
  co_return failed();
}

asio::awaitable<void> ClusterWriter::turn(std::size_t bytes_max) {
  const bool cancelled = co_await cancel_requested();
  if (cancelled) co_return fail(cancelled_error());
  if (map_wanted_ && Clock::now() >= map_not_before_) co_await refresh_map();
  co_await open_links();
  dispatch();
  co_await send_all();
  held_.deliver(handler_);
  if (failure_ || is_reached(bytes_max)) co_return;
  co_await read_any();
  lose_quiet_links();
  held_.deliver(handler_);
}

std::vector<ClusterWriter::Node*> ClusterWriter::nodes_to_open() {
  std::vector<Node*> nodes;
  const auto now = Clock::now();
  for (const std::uint64_t number : waiting_) {
    const std::size_t index = node_for(held_[number]);
    if (index == no_node) continue;
    Node& node = nodes_[index];
    const bool wanted = !node.link && node.not_before <= now;
    if (wanted && std::ranges::find(nodes, &node) == nodes.end()) nodes.push_back(&node);
  }
  return nodes;
}

asio::awaitable<void> ClusterWriter::open_links() {
  for (Node* node : nodes_to_open()) {
    auto link = co_await open_link(node->address);
    if (link) {
      node->link = *std::move(link);
      node->link->set_has_replica(node->has_replica);
      continue;
    }
    if (is_cancel(link.error())) co_return fail(std::move(link.error()));
    last_trouble_ = link.error().code.message() + " (" + link.error().detail + ")";
    node->not_before = Clock::now() + retry_pause;
    map_wanted_ = true;
  }
}

asio::awaitable<Result<std::unique_ptr<ClusterLink>>> ClusterWriter::open_link(HostPort address) {
  Login login = options_.login.at(address);
  auto connection = co_await log_in(executor_, login);
  if (!connection) co_return std::unexpected(std::move(connection.error()));
  if (!session_.empty()) {
    ClientOptions options;
    options.silence_timeout = login.silence_timeout;
    Client client(**connection, options);
    auto reply = co_await client.call_encoded(session_);
    if (!reply) co_return std::unexpected(std::move(reply.error()));
    if (reply->is_error()) co_return std::unexpected(refusal("SELECT", reply->text));
  }
  LinkEvents& events = *this;
  co_return std::make_unique<ClusterLink>(*std::move(connection), address, events,
                                          login.silence_timeout);
}

// What is for a slot of which something still waits waits too: the order within a key is kept.
void ClusterWriter::dispatch() {
  std::bitset<cluster_slots> blocked;
  std::deque<std::uint64_t> left;
  for (const std::uint64_t number : waiting_) {
    const std::uint16_t slot = held_[number].slot;
    if (failure_ || blocked[slot] || !send_one(number)) {
      blocked.set(slot);
      left.push_back(number);
    }
  }
  waiting_ = std::move(left);
}

bool ClusterWriter::send_one(std::uint64_t number) {
  HeldCommand& command = held_[number];
  if (command.not_before > Clock::now()) return false;
  const std::size_t index = node_for(command);
  if (index == no_node || !nodes_[index].link) {
    if (index == no_node) last_trouble_ = fmt::format("nobody serves slot {}", command.slot);
    command.not_before = Clock::now() + retry_pause;
    map_wanted_ = true;
    command.ask.reset();
    trouble(command, last_trouble_);
    return false;
  }
  ClusterLink& link = *nodes_[index].link;
  const bool asking = command.ask.has_value();
  command.ask.reset();
  if (command.is_spooled) {
    link.queue_spooled(number, *options_.spool, command.replaces, asking);
  } else {
    link.queue(number, command.bytes, asking);
  }
  return true;
}

asio::awaitable<void> ClusterWriter::send_all() {
  std::vector<Node*> senders;
  std::vector<Spawned> group;
  for (Node& node : nodes_) {
    if (!node.link || !node.link->has_to_send()) continue;
    senders.push_back(&node);
    group.push_back(spawned(executor_, node.link->send()));
  }
  if (group.empty()) co_return;
  auto running = run_group(std::move(group), asio::experimental::wait_for_all());
  const auto results = co_await std::move(running);
  for (std::size_t i = 0; i < senders.size(); ++i) {
    if (!results[i]) lose(*senders[i], results[i].error());
  }
}

asio::awaitable<void> ClusterWriter::read_any() {
  std::vector<Node*> readers;
  std::vector<Spawned> group;
  for (Node& node : nodes_) {
    if (!node.link || !node.link->awaits_replies()) continue;
    readers.push_back(&node);
    group.push_back(spawned(executor_, node.link->read()));
  }
  const auto pause = std::chrono::ceil<std::chrono::milliseconds>(next_due() - Clock::now());
  group.push_back(spawned(executor_, pass_ticks(std::max(pause, std::chrono::milliseconds(1)))));
  auto running = run_group(std::move(group), asio::experimental::wait_for_one());
  const auto results = co_await std::move(running);
  for (std::size_t i = 0; i < readers.size(); ++i) {
    if (!results[i] && !is_cancel(results[i].error())) lose(*readers[i], results[i].error());
  }
}

ClusterWriter::Clock::time_point ClusterWriter::next_due() {
  auto due = Clock::now() + 1s;
  for (const std::uint64_t number : waiting_) due = std::min(due, held_[number].not_before);
  return due;
}

}  // namespace sluice::net
