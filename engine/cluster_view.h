#pragma once

#include <stop_token>
#include <string>
#include <vector>

#include "engine/errors.h"
#include "engine/io_thread.h"
#include "engine/progress_meter.h"
#include "engine/server_link.h"
#include "net/client.h"
#include "net/topology.h"
#include "sluice/job.h"
#include "sluice/result.h"
#include "sluice/server.h"

namespace sluice::engine {

/// A cluster as its nodes see it.
struct ClusterView {
  net::Topology topology;
  /// By shard: slots that are being moved, as the primary itself says.
  std::vector<std::vector<net::Migration>> migrations;
};

/// Asks the nodes that `link` names, and each primary for what it is moving.
/// Errors: "slots_uncovered" when there are slots that nobody serves, "shard_down" when there is no
///         primary for some; what keeps the nodes from answering.
[[nodiscard]] Result<ClusterView> view_cluster(IoThread& io, const ServerLink& link, Role role,
                                               const JobContext& job);

/// The node of a shard that is to be read.
struct NodeChoice {
  net::HostPort address;
  net::ServerInfo info;
  bool is_replica = false;
  std::string why_no_replica;  ///< Of the last one that was looked at; empty when there is none.
};

/// A replica counts when its link to the primary is up and it has, within five seconds, all that
/// the primary had written when it was asked.
/// Errors: refused when a replica is wanted and there is none like that; what keeps the primary
///         from answering.
[[nodiscard]] net::Result<NodeChoice> choose_node(IoThread& io, const ServerLink& link,
                                                  const net::Shard& shard, ReadFrom from,
                                                  const std::stop_token& stop);

/// The server that a link means, for reading.
struct FoundSource {
  ServerLink link;
  net::ServerInfo info;
};

/// That of the address, or the one that its sentinels lead to. Errors: Stage::net.
[[nodiscard]] Result<FoundSource> find_source(IoThread& io, const ServerLink& link, ReadFrom from,
                                              const ProgressMeter& meter, const JobContext& job);

}  // namespace sluice::engine
