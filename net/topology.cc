#include "net/topology.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "net/key_slot.h"

namespace sluice::net {
namespace {

void append_range(std::vector<SlotRange>& ranges, std::uint16_t slot) {
  if (!ranges.empty() && ranges.back().last + 1 == slot) {
    ranges.back().last = slot;
  } else {
    ranges.push_back({.first = slot, .last = slot});
  }
}

/// Whether two nodes are the same one, as far as that is known.
bool same_node(const ClusterNode& a, const ClusterNode& b) {
  return a.id.empty() || b.id.empty() ? a.address == b.address : a.id == b.id;
}

/// The shard of `view` that `node` is in.
std::optional<std::size_t> shard_of(const Topology& view, const ClusterNode& node) {
  for (std::size_t i = 0; i < view.shards().size(); ++i) {
    const Shard& shard = view.shards()[i];
    const bool there = same_node(shard.primary, node) ||
                       std::ranges::any_of(shard.replicas, [&](const ClusterNode& replica) {
                         return same_node(replica, node);
                       });
    if (there) return i;
  }
  return std::nullopt;
}

/// "[5000->-ID]": false when it is something else.
bool parse_migration(std::string_view word, Migration& migration) {
  if (!word.starts_with('[') || !word.ends_with(']')) return false;
  word = word.substr(1, word.size() - 2);
  const auto [end, ec] = std::from_chars(word.data(), word.data() + word.size(), migration.slot);
  word.remove_prefix(static_cast<std::size_t>(end - word.data()));
  if (ec != std::errc() || migration.slot >= cluster_slots) return false;
  migration.leaves = word.starts_with("->-");
  if (!migration.leaves && !word.starts_with("-<-")) return false;
  migration.peer = word.substr(3);
  return true;
}

}  // namespace

std::string to_text(const HostPort& address) {
  const bool ipv6 = address.host.contains(':');
  return fmt::format("{}{}{}:{}", ipv6 ? "[" : "", address.host, ipv6 ? "]" : "", address.port);
}

std::string to_text(std::span<const SlotRange> ranges, std::size_t ranges_max) {
  std::string text;
  for (const SlotRange& range : ranges.first(std::min(ranges.size(), ranges_max))) {
    if (!text.empty()) text += ',';
    text += std::to_string(range.first);
    if (range.last != range.first) text += "-" + std::to_string(range.last);
  }
  if (ranges.size() > ranges_max) text += ",...";
  return text;
}

std::size_t Shard::slot_count() const noexcept {
  std::size_t count = 0;
  for (const SlotRange& range : slots) count += range.last - range.first + 1U;
  return count;
}

Topology::Topology() : owners_(cluster_slots, -1) {}

std::optional<Topology> Topology::of(std::vector<Shard> shards) {
  Topology topology;
  std::erase_if(shards, [](const Shard& shard) { return shard.slots.empty(); });
  for (Shard& shard : shards) std::ranges::sort(shard.slots);
  std::ranges::sort(shards, {}, [](const Shard& shard) { return shard.slots.front().first; });
  for (std::size_t i = 0; i < shards.size(); ++i) {
    std::vector<SlotRange> merged;
    for (const SlotRange& range : shards[i].slots) {
      if (range.first > range.last || range.last >= cluster_slots) return std::nullopt;
      for (std::size_t slot = range.first; slot <= range.last; ++slot) {
        if (std::exchange(topology.owners_[slot], static_cast<std::int32_t>(i)) >= 0)
          return std::nullopt;
        append_range(merged, static_cast<std::uint16_t>(slot));
      }
    }
    shards[i].slots = std::move(merged);
  }
  topology.shards_ = std::move(shards);
  return topology;
}

std::vector<SlotRange> Topology::uncovered() const {
  std::vector<SlotRange> ranges;
  for (std::size_t slot = 0; slot < cluster_slots; ++slot) {
    if (owners_[slot] < 0) append_range(ranges, static_cast<std::uint16_t>(slot));
  }
  return ranges;
}

void Topology::mark_failed(std::span<const std::string> ids) {
  const auto mark = [ids](ClusterNode& node) {
    if (!node.id.empty() && std::ranges::find(ids, node.id) != ids.end()) node.failed = true;
  };
  for (Shard& shard : shards_) {
    mark(shard.primary);
    std::ranges::for_each(shard.replicas, mark);
  }
}

std::vector<HostPort> Topology::addresses() const {
  std::vector<HostPort> addresses;
  for (const Shard& shard : shards_) addresses.push_back(shard.primary.address);
  for (const Shard& shard : shards_) {
    for (const ClusterNode& replica : shard.replicas) addresses.push_back(replica.address);
  }
  return addresses;
}

std::vector<SlotMove> moves_between(const Topology& before, const Topology& after) {
  std::vector<std::optional<std::size_t>> now_in;  // shard of `before`, by shard of `after`
  for (const Shard& shard : after.shards()) now_in.push_back(shard_of(before, shard.primary));
  std::vector<SlotMove> moves;
  for (std::uint16_t slot = 0; slot < cluster_slots; ++slot) {
    const auto from = before.owner(slot);
    const auto owner = after.owner(slot);
    const auto to = owner ? now_in[*owner] : std::nullopt;
    if (from == to && (to || !owner)) continue;
    SlotMove* const last = moves.empty() ? nullptr : &moves.back();
    if (last != nullptr && last->slots.last + 1 == slot && last->from == from && last->to == to) {
      last->slots.last = slot;
    } else {
      moves.push_back({.slots = {.first = slot, .last = slot}, .from = from, .to = to});
    }
  }
  return moves;
}

std::vector<Migration> parse_migrations(std::string_view cluster_nodes) {
  std::vector<Migration> migrations;
  while (!cluster_nodes.empty()) {
    const std::size_t end = std::min(cluster_nodes.find('\n'), cluster_nodes.size());
    std::string_view line = cluster_nodes.substr(0, end);
    cluster_nodes.remove_prefix(std::min(end + 1, cluster_nodes.size()));
    if (!line.contains("myself")) continue;
    while (!line.empty()) {
      const std::size_t word_end = std::min(line.find_first_of(" \r"), line.size());
      Migration migration;
      if (parse_migration(line.substr(0, word_end), migration)) migrations.push_back(migration);
      line.remove_prefix(std::min(word_end + 1, line.size()));
    }
  }
  return migrations;
}

}  // namespace sluice::net
