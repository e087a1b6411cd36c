#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::net {

/// Where a server listens. An IPv6 address has no brackets here.
struct HostPort {
  std::string host;
  std::uint16_t port = 0;

  friend auto operator<=>(const HostPort&, const HostPort&) = default;
};

/// "host:port", IPv6 in brackets.
[[nodiscard]] std::string to_text(const HostPort& address);

struct SlotRange {
  std::uint16_t first = 0;
  std::uint16_t last = 0;  ///< Inclusive.

  friend auto operator<=>(const SlotRange&, const SlotRange&) = default;
};

/// "0-5460,9000"; the first `ranges_max` of them.
[[nodiscard]] std::string to_text(std::span<const SlotRange> ranges, std::size_t ranges_max = 16);

struct ClusterNode {
  std::string id;  ///< 40 hex digits; empty when the server did not say.
  HostPort address;
  bool failed = false;  ///< The node that was asked holds it for failed, or has no address of it.

  friend bool operator==(const ClusterNode&, const ClusterNode&) = default;
};

/// A primary that serves slots, and what replicates it.
struct Shard {
  std::vector<SlotRange> slots = {};  ///< Ascending, not adjacent.
  ClusterNode primary = {};
  std::vector<ClusterNode> replicas = {};

  [[nodiscard]] std::size_t slot_count() const noexcept;
};

/// Who serves which slots, as one node of the cluster sees it. Shards without slots are not in it.
class Topology {
 public:
  /// Without any shard.
  Topology();
  /// Nullopt when a slot is in two shards or is none.
  [[nodiscard]] static std::optional<Topology> of(std::vector<Shard> shards);

  /// By their first slot.
  [[nodiscard]] std::span<const Shard> shards() const noexcept { return shards_; }
  /// Index of the shard that serves a slot below cluster_slots.
  [[nodiscard]] std::optional<std::size_t> owner(std::uint16_t slot) const noexcept {
    return owners_[slot] < 0 ? std::nullopt : std::optional<std::size_t>(owners_[slot]);
  }
  /// Slots that nobody serves.
  [[nodiscard]] std::vector<SlotRange> uncovered() const;
  /// Takes what is known from elsewhere: these nodes have failed.
  void mark_failed(std::span<const std::string> ids);
  /// Every address, primaries first.
  [[nodiscard]] std::vector<HostPort> addresses() const;

 private:
  std::vector<Shard> shards_;
  std::vector<std::int32_t> owners_;
};

/// A run of slots that came from one node to another between two views of a cluster.
struct SlotMove {
  SlotRange slots;
  std::optional<std::size_t> from;  ///< Shard of the earlier view; none: nobody served them.
  std::optional<std::size_t> to;    ///< Shard of the earlier view that has the new owner; none:
                                    ///< nobody serves them now, or a node that was in none.
};

/// What moved. A replica that took its primary's place moved nothing.
[[nodiscard]] std::vector<SlotMove> moves_between(const Topology& before, const Topology& after);

/// A slot of which keys are being moved, as the line of a node about itself in CLUSTER NODES says:
/// "[5000->-ID]" when they leave, "[5000-<-ID]" when they come.
struct Migration {
  std::uint16_t slot = 0;
  bool leaves = false;
  std::string peer;  ///< Id of the other node.

  friend auto operator<=>(const Migration&, const Migration&) = default;
};

[[nodiscard]] std::vector<Migration> parse_migrations(std::string_view cluster_nodes);

}  // namespace sluice::net
