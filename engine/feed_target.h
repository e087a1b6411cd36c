#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "engine/manifest.h"
#include "engine/target_console.h"
#include "net/client.h"
#include "net/replica_handshake.h"
#include "rdb/handler.h"
#include "sluice/result.h"

namespace sluice::engine {

/// A server that is to be told REPLICAOF, as it says of itself.
struct FeedTarget {
  net::ServerInfo info;
  rdb::Header own;                              ///< Version of its own dumps.
  std::string replid;                           ///< Of its history, which it may ask to go on with.
  std::string primary_host;                     ///< Of a replica.
  std::uint16_t primary_port = 0;               ///< Of a replica.
  std::uint16_t port = 0;                       ///< Where it says that it listens.
  std::uint64_t keys = 0;                       ///< Over all databases.
  std::uint64_t functions = 0;                  ///< Function libraries.
  std::uint64_t used_memory = 0;                ///< Bytes.
  std::map<std::string, std::string> settings;  ///< Those that CONFIG GET gave.
  std::vector<std::string> modules;             ///< Names of MODULE LIST.
  net::ConnectionEnds ends;                     ///< Of our connection to it.

  [[nodiscard]] bool is_replica() const noexcept { return info.role == "slave"; }
  /// Empty when it was not given.
  [[nodiscard]] std::string setting(const std::string& name) const;
};

/// Asks; nothing is changed. Errors: what cannot be done without, refused.
[[nodiscard]] net::Result<FeedTarget> look_at_feed_target(TargetConsole& console);

/// Why the backup cannot be fed to the target without harm, each with what else can be done:
/// whatever would have it end itself, hang, or drop data that it is to keep. `will_flush`: what it
/// holds may go.
/// Source: docs/architecture.md, feed.
[[nodiscard]] std::optional<Error> refuse_feed(const FeedTarget& target, const Manifest& manifest,
                                               bool will_flush, const std::string& display);
/// The same for modules, which are known once the backup was read: ids of their types.
[[nodiscard]] std::optional<Error> refuse_modules(const FeedTarget& target,
                                                  const std::set<std::uint64_t>& modules,
                                                  const std::string& display);

/// What an operator should know though nothing keeps the target from being fed; one line each.
[[nodiscard]] std::vector<std::string> feed_warnings(const FeedTarget& target,
                                                     const Manifest& manifest);

/// The best way to load that the target has and that keeps nothing which may go, or nothing when
/// that is the way it is set to.
[[nodiscard]] std::optional<std::string> diskless_load_to_set(const FeedTarget& target);

/// Whether a replica that came is the target.
[[nodiscard]] bool is_feed_target(const FeedTarget& target, const net::ReplicaPeer& peer);

}  // namespace sluice::engine
