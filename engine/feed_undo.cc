#include "engine/feed_undo.h"

#include <chrono>
#include <thread>

#include "engine/info_text.h"

namespace sluice::engine {
namespace {

using namespace std::chrono_literals;

/// Until the target answers something else than that it is loading.
net::Result<net::Reply> order_when_loaded(TargetConsole& console,
                                          std::initializer_list<std::string_view> command,
                                          const std::function<void()>& on_wait) {
  const auto deadline = std::chrono::steady_clock::now() + 10min;
  while (true) {
    auto reply = console.order(command);
    const bool loading = !reply && reply.error().code == net::Errc::loading;
    if (!loading || std::chrono::steady_clock::now() >= deadline) return reply;
    if (on_wait) on_wait();
    std::this_thread::sleep_for(50ms);
  }
}

/// A server before 7.0 has no functions to remove, and says so.
net::Result<void> empty(TargetConsole& console) {
  if (auto flushed = console.order({"FLUSHALL"}); !flushed) return std::unexpected(flushed.error());
  if (auto flushed = console.call({"FUNCTION", "FLUSH"}); !flushed)
    return std::unexpected(flushed.error());
  return {};
}

}  // namespace

bool is_attached(const FeedState& state, std::string_view replication) {
  return info_field(replication, "role") == "slave" &&
         info_field(replication, "master_host") == state.primary_host &&
         info_number(info_field(replication, "master_port")) == state.primary_port;
}

bool has_all(const FeedState& state, std::string_view replication) {
  return state.stage == FeedState::Stage::loaded &&
         (info_field(replication, "master_replid") == state.replid ||
          info_field(replication, "master_replid2") == state.replid);
}

net::Result<FeedUndone> undo_feed(TargetConsole& console, const FeedState& state,
                                  const std::function<void()>& on_wait) {
  FeedUndone undone;
  const auto replication = console.info("replication");
  if (!replication) return std::unexpected(replication.error());
  undone.was_attached = is_attached(state, *replication);
  if (undone.was_attached) {
    auto detached = order_when_loaded(console, {"REPLICAOF", "NO", "ONE"}, on_wait);
    if (!detached) return std::unexpected(detached.error());
    if (state.stage != FeedState::Stage::loaded) {
      if (auto emptied = empty(console); !emptied) return std::unexpected(emptied.error());
      undone.emptied = true;
    }
  }
  for (const auto& [name, value] : state.settings) {
    if (auto set = console.order({"CONFIG", "SET", name, value}); !set)
      return std::unexpected(set.error());
  }
  const auto keyspace = console.info("keyspace");
  if (!keyspace) return std::unexpected(keyspace.error());
  undone.keys = info_keys(*keyspace);
  return undone;
}

}  // namespace sluice::engine
