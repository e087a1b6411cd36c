#include "net/topology_reply.h"

#include <algorithm>
#include <map>
#include <utility>

#include "net/key_slot.h"

namespace sluice::net {
namespace {

std::unexpected<Error> malformed(std::string detail) {
  return std::unexpected(Error{.code = Errc::protocol_error, .detail = std::move(detail)});
}

/// The value of a field in a flat list of names and values; null when it is not there.
const Reply* field(const Reply& list, std::string_view name) {
  for (std::size_t i = 0; i + 1 < list.elements.size(); i += 2) {
    if (list.elements[i].text == name) return &list.elements[i + 1];
  }
  return nullptr;
}

std::string text_of(const Reply& list, std::string_view name) {
  const Reply* found = field(list, name);
  return found == nullptr ? std::string() : found->text;
}

std::uint16_t port_of(const Reply* value) {
  const bool is_port = value != nullptr && value->type == Reply::Type::integer &&
                       value->integer > 0 && value->integer <= 65'535;
  return is_port ? static_cast<std::uint16_t>(value->integer) : std::uint16_t{0};
}

/// What to connect to: an endpoint that is left out means the host that was asked, "?" that the
/// node has no name, only perhaps an address.
std::string host_of(const std::string& endpoint, const std::string& ip, const AskedNode& asked) {
  if (endpoint == "?") return ip;
  return endpoint.empty() ? asked.host : endpoint;
}

bool parse_slot(const Reply& value, std::uint16_t& slot) {
  const bool is_slot = value.type == Reply::Type::integer && value.integer >= 0 &&
                       value.integer < static_cast<std::int64_t>(cluster_slots);
  if (is_slot) slot = static_cast<std::uint16_t>(value.integer);
  return is_slot;
}

bool parse_range(const Reply& first, const Reply& last, SlotRange& range) {
  return parse_slot(first, range.first) && parse_slot(last, range.last) &&
         range.first <= range.last;
}

ClusterNode shards_node(const Reply& node, const AskedNode& asked) {
  const Reply* port = field(node, asked.tls ? "tls-port" : "port");
  if (port == nullptr) port = field(node, asked.tls ? "port" : "tls-port");
  const std::string endpoint = text_of(node, "endpoint");
  ClusterNode parsed{
      .id = text_of(node, "id"),
      .address = {.host = host_of(endpoint, text_of(node, "ip"), asked), .port = port_of(port)},
      .failed = false};
  parsed.failed = text_of(node, "health").starts_with("fail") || parsed.address.host.empty() ||
                  parsed.address.port == 0;
  return parsed;
}

/// After a failover a shard has two primaries for a while, one of which has failed.
bool add_shards_node(Shard& shard, const Reply& node, bool& has_primary, const AskedNode& asked) {
  ClusterNode parsed = shards_node(node, asked);
  const std::string role = text_of(node, "role");
  if (role != "master" && role != "primary") {
    shard.replicas.push_back(std::move(parsed));
    return role == "replica" || role == "slave";
  }
  if (!has_primary || (shard.primary.failed && !parsed.failed)) {
    if (has_primary) shard.replicas.push_back(std::move(shard.primary));
    shard.primary = std::move(parsed);
  } else {
    shard.replicas.push_back(std::move(parsed));
  }
  has_primary = true;
  return true;
}

/// Null when it is malformed.
std::optional<Shard> parse_shard(const Reply& reply, const AskedNode& asked) {
  const Reply* slots = field(reply, "slots");
  const Reply* nodes = field(reply, "nodes");
  if (slots == nullptr || nodes == nullptr || slots->elements.size() % 2 != 0) return std::nullopt;
  Shard shard;
  for (std::size_t i = 0; i < slots->elements.size(); i += 2) {
    SlotRange range;
    if (!parse_range(slots->elements[i], slots->elements[i + 1], range)) return std::nullopt;
    shard.slots.push_back(range);
  }
  bool has_primary = false;
  for (const Reply& node : nodes->elements) {
    if (!add_shards_node(shard, node, has_primary, asked)) return std::nullopt;
  }
  if (!has_primary) shard.primary.failed = true;
  return shard;
}

/// [endpoint, port, id, [name, value, ...]]; up to 6.2 without the last.
std::optional<ClusterNode> slots_node(const Reply& node, const AskedNode& asked) {
  if (node.elements.size() < 2) return std::nullopt;
  const std::string ip = node.elements.size() > 3 ? text_of(node.elements[3], "ip") : std::string();
  ClusterNode parsed{.id = node.elements.size() > 2 ? node.elements[2].text : std::string(),
                     .address = {.host = host_of(node.elements[0].text, ip, asked),
                                 .port = port_of(&node.elements[1])},
                     .failed = false};
  parsed.failed = parsed.address.host.empty() || parsed.address.port == 0;
  return parsed;
}

}  // namespace

Result<Topology> parse_cluster_shards(const Reply& reply, const AskedNode& asked) {
  if (reply.type != Reply::Type::array) return malformed("CLUSTER SHARDS: not an array");
  std::vector<Shard> shards;
  for (const Reply& entry : reply.elements) {
    auto shard = parse_shard(entry, asked);
    if (!shard) return malformed("CLUSTER SHARDS: a shard that is none");
    shards.push_back(*std::move(shard));
  }
  auto topology = Topology::of(std::move(shards));
  if (!topology) return malformed("CLUSTER SHARDS: a slot with two owners");
  return *std::move(topology);
}

std::vector<std::string> parse_failed_nodes(const Reply& cluster_shards) {
  std::vector<std::string> ids;
  for (const Reply& shard : cluster_shards.elements) {
    const Reply* nodes = field(shard, "nodes");
    if (nodes == nullptr) continue;
    for (const Reply& node : nodes->elements) {
      if (text_of(node, "health").starts_with("fail")) ids.push_back(text_of(node, "id"));
    }
  }
  return ids;
}

Result<Topology> parse_cluster_slots(const Reply& reply, const AskedNode& asked) {
  if (reply.type != Reply::Type::array) return malformed("CLUSTER SLOTS: not an array");
  std::map<std::pair<std::string, HostPort>, Shard> shards;
  for (const Reply& entry : reply.elements) {
    SlotRange range;
    if (entry.elements.size() < 3 || !parse_range(entry.elements[0], entry.elements[1], range))
      return malformed("CLUSTER SLOTS: an entry without a range and a primary");
    auto primary = slots_node(entry.elements[2], asked);
    if (!primary) return malformed("CLUSTER SLOTS: a node that is none");
    Shard& shard = shards[{primary->id, primary->address}];
    const bool is_new = shard.slots.empty();
    shard.slots.push_back(range);
    shard.primary = *std::move(primary);
    for (std::size_t i = 3; is_new && i < entry.elements.size(); ++i) {
      auto replica = slots_node(entry.elements[i], asked);
      if (!replica) return malformed("CLUSTER SLOTS: a node that is none");
      shard.replicas.push_back(*std::move(replica));
    }
  }
  std::vector<Shard> list;
  for (auto& [key, shard] : shards) list.push_back(std::move(shard));
  auto topology = Topology::of(std::move(list));
  if (!topology) return malformed("CLUSTER SLOTS: a slot with two owners");
  return *std::move(topology);
}

}  // namespace sluice::net
