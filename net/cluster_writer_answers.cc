#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "net/cluster_writer.h"
#include "net/topology_fetch.h"

// What a ClusterWriter makes of what comes back, and of what does not.

namespace sluice::net {

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

constexpr auto retry_pause = 100ms;
constexpr auto map_pause = 200ms;
constexpr auto tell_pause = 5s;

bool is_cancel(const Error& error) { return error.code == Errc::cancelled; }

}  // namespace

asio::awaitable<void> ClusterWriter::refresh_map() {
  auto fetching = fetch_topology(executor_, options_.login, seeds());
  auto topology = co_await std::move(fetching);
  if (topology) {
    map_wanted_ = false;
    map_not_before_ = Clock::now() + map_pause;
    co_return take_map(*topology);
  }
  if (is_cancel(topology.error())) co_return fail(std::move(topology.error()));
  last_trouble_ = topology.error().code.message() + " (" + topology.error().detail + ")";
  map_not_before_ = Clock::now() + 2 * map_pause;
}

// A primary that is none any more may have lost what it had not passed on.
void ClusterWriter::take_map(const Topology& topology) {
  std::ranges::fill(slot_nodes_, no_node);
  std::vector<bool> serves(nodes_.size() + topology.shards().size());
  for (const Shard& shard : topology.shards()) {
    if (shard.primary.failed) continue;
    const std::size_t index = node_at(shard.primary.address);
    nodes_[index].has_replica = std::ranges::any_of(
        shard.replicas, [](const ClusterNode& replica) { return !replica.failed; });
    serves[index] = true;
    for (const SlotRange& range : shard.slots) {
      std::fill(slot_nodes_.begin() + range.first, slot_nodes_.begin() + range.last + 1, index);
    }
  }
  all_addresses_ = topology.addresses();
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    if (!nodes_[i].link) continue;
    if (serves[i]) {
      nodes_[i].link->set_has_replica(nodes_[i].has_replica);
    } else {
      lose(nodes_[i], {.code = Errc::refused, .detail = "it serves no slots any more"});
    }
  }
}

std::vector<HostPort> ClusterWriter::seeds() const {
  std::vector<HostPort> seeds;
  for (const Node& node : nodes_) {
    if (node.link) seeds.push_back(node.address);
  }
  std::ranges::copy_if(all_addresses_, std::back_inserter(seeds), [&](const HostPort& address) {
    return std::ranges::find(seeds, address) == seeds.end();
  });
  return seeds;
}

std::size_t ClusterWriter::node_at(const HostPort& address) {
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    if (nodes_[i].address == address) return i;
  }
  nodes_.emplace_back().address = address;
  return nodes_.size() - 1;
}

std::size_t ClusterWriter::node_for(const HeldCommand& command) {
  return command.ask ? node_at(*command.ask) : slot_nodes_[command.slot];
}

void ClusterWriter::on_answer(const ClusterLink& from, std::uint64_t number, const Reply& reply,
                              bool is_final) {
  HeldCommand& command = held_[number];
  if (reply.is_error()) {
    const Redirect to = parse_redirect(reply.text, from.address().host);
    if (to.kind == Redirect::Kind::wait) {
      return put_off(number, to_text(from.address()) + ": " + printable(reply.text));
    }
    if (to.kind != Redirect::Kind::none) return redirect(number, to);
  }
  command.reply = reply;
  command.trouble_since.reset();
  // A library whose FUNCTION LOAD was answered by nobody, and is there now.
  const bool is_ours = command.may_have_run && reply.is_error() &&
                       options_.route(command.tag) != Route::by_key &&
                       reply.text.contains("already exists");
  if (is_ours) command.reply->type = Reply::Type::simple;
  const bool is_session = options_.route(command.tag) == Route::session;
  if (is_session && !reply.is_error()) session_ = command.bytes;
  if (is_final) held_.finish(number);
}

void ClusterWriter::on_unconfirmed(bool gives_up) {
  map_wanted_ = true;  // is that replica still there?
  if (gives_up) stats_.unconfirmed = true;
}

void ClusterWriter::redirect(std::uint64_t number, const Redirect& to) {
  constexpr unsigned redirections_at_once = 5;
  HeldCommand& command = held_[number];
  ++stats_.redirected;
  command.not_before = Clock::now();
  if (to.kind == Redirect::Kind::moved) {  // other nodes need a moment to hear of it
    map_wanted_ = true;
    map_not_before_ = std::max(map_not_before_, command.not_before + map_pause);
  }
  const bool known = !to.address.host.empty();
  if (!known || ++command.redirections > redirections_at_once) command.not_before += retry_pause;
  if (known && to.kind == Redirect::Kind::ask) command.ask = to.address;
  if (known && to.kind == Redirect::Kind::moved) slot_nodes_[to.slot] = node_at(to.address);
  trouble(command, {});
  wait_again(number);
}

void ClusterWriter::put_off(std::uint64_t number, std::string_view why) {
  HeldCommand& command = held_[number];
  ++stats_.put_off;
  map_wanted_ = true;
  command.not_before = Clock::now() + retry_pause;
  trouble(command, why);
  wait_again(number);
}

void ClusterWriter::wait_again(std::uint64_t number) {
  waiting_.insert(std::ranges::lower_bound(waiting_, number), number);
}

void ClusterWriter::trouble(HeldCommand& command, std::string_view why) {
  const auto now = Clock::now();
  if (!command.trouble_since) command.trouble_since = now;
  if (!why.empty()) last_trouble_ = why;
  if (now - *command.trouble_since > options_.patience) {
    return fail(
        {.code = Errc::timed_out,
         .detail = fmt::format("the cluster did not take key \"{}\" for {} s; last: {}",
                               printable(command.key), options_.patience / 1s, last_trouble_)});
  }
  if (why.empty() || !options_.on_trouble || now - told_at_ < tell_pause) return;
  told_at_ = now;
  options_.on_trouble(last_trouble_);
}

void ClusterWriter::lose(Node& node, const Error& error) {
  if (is_cancel(error)) return fail(error);
  ++stats_.lost_links;
  last_trouble_ = to_text(node.address) + ": " + error.code.message();
  const ClusterLink::Lost lost = node.link->take_lost();
  node.link.reset();
  node.not_before = Clock::now() + retry_pause;
  map_wanted_ = true;
  for (const std::uint64_t number : lost.unsent) wait_again(number);
  for (const std::uint64_t number : lost.unanswered) {
    held_[number].may_have_run = true;
    send_again(number);
  }
  for (const std::uint64_t number : lost.unconfirmed) {
    held_[number].has_run = true;
    send_again(number);
  }
}

/// What must not run twice keeps the answer that it has, or has none.
void ClusterWriter::send_again(std::uint64_t number) {
  HeldCommand& command = held_[number];
  const bool is_keyed = options_.route(command.tag) == Route::by_key;
  if (is_keyed && command.repeat == Repeat::never) return held_.finish(number);
  const bool may_replace = command.has_run || options_.may_replace;
  if (command.repeat == Repeat::with_replace && may_replace) held_.make_replace(number);
  command.reply.reset();
  ++stats_.sent_again;
  trouble(command, last_trouble_);
  wait_again(number);
}

void ClusterWriter::lose_quiet_links() {
  const auto now = Clock::now();
  for (Node& node : nodes_) {
    const bool is_quiet = node.link && node.link->awaits_replies() &&
                          now - node.link->quiet_since() > options_.login.silence_timeout;
    if (is_quiet) lose(node, {.code = Errc::timed_out, .detail = to_text(node.address)});
  }
}

void ClusterWriter::fail(Error error) {
  if (!failure_) failure_ = std::move(error);
}

/// Every command is told, once.
std::unexpected<Error> ClusterWriter::failed() {
  for (Node& node : nodes_) node.link.reset();
  waiting_.clear();
  held_.deliver_all(handler_);
  return std::unexpected(*failure_);
}

}  // namespace sluice::net
