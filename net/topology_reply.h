#pragma once

#include <string>
#include <vector>

#include "net/error.h"
#include "net/resp.h"
#include "net/topology.h"

namespace sluice::net {

/// How the node was reached that gave a reply: nodes may leave out their host, or know two ports.
struct AskedNode {
  std::string host;
  bool tls = false;
};

/// The reply to CLUSTER SHARDS. A shard's primary is the node in the role of one that has not
/// failed. Errors: protocol_error.
/// Source: Redis 7.0 src/cluster.c, clusterReplyShards(); Valkey 8.0 src/cluster_legacy.c.
[[nodiscard]] Result<Topology> parse_cluster_shards(const Reply& reply, const AskedNode& asked);

/// Ids of the nodes that have failed, of shards without slots too: up to Redis 8.6 a shard that is
/// down altogether may be shown without its slots. Empty when it is malformed.
[[nodiscard]] std::vector<std::string> parse_failed_nodes(const Reply& cluster_shards);

/// The reply to CLUSTER SLOTS, with the fields that servers up to 8 have added. Failed replicas are
/// not in it, failed primaries look like others. Errors: protocol_error.
/// Source: Redis src/cluster.c, clusterReplyMultiBulkSlots().
[[nodiscard]] Result<Topology> parse_cluster_slots(const Reply& reply, const AskedNode& asked);

}  // namespace sluice::net
