#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "engine/errors.h"
#include "engine/io_thread.h"
#include "engine/restore_target.h"
#include "engine/server_link.h"
#include "engine/spool.h"
#include "net/cluster_writer.h"
#include "net/topology.h"
#include "sluice/job.h"
#include "sluice/restore.h"
#include "sluice/result.h"

namespace sluice::engine {

/// Asks every primary: who is it, does it hold keys, what are its limits. Writes nothing. Of
/// versions and limits the lowest counts.
/// Errors: as view_cluster(); what a primary refuses.
[[nodiscard]] Result<ReadyTarget> look_at_cluster(IoThread& io, const ServerLink& link,
                                                  const JobContext& job);

/// Empties every primary, functions too.
[[nodiscard]] Result<void> flush_cluster(IoThread& io, const ServerLink& link,
                                         const net::Topology& topology, const JobContext& job);

/// Keys of all primaries, now.
[[nodiscard]] Result<std::uint64_t> count_cluster_keys(IoThread& io, const ServerLink& link,
                                                       const JobContext& job);

/// Keeps a long command in a scratch file while a net::ClusterWriter needs it.
class ScratchCommand final : public net::CommandSpool {
 public:
  [[nodiscard]] net::Result<void> append(std::span<const std::byte> bytes) override;
  [[nodiscard]] net::Result<std::span<const std::byte>> piece(std::uint64_t offset,
                                                              std::size_t bytes_max) override;
  [[nodiscard]] std::uint64_t size() const noexcept override { return spool_.size(); }
  void clear() override { spool_.clear(); }

 private:
  static constexpr std::size_t memory_bytes = 64 << 10;

  Spool spool_{memory_bytes};
};

/// How commands with a CommandTag are sent.
[[nodiscard]] net::ClusterWriterOptions::Route route_of(std::uint64_t tag);

/// What an operator should know of how it went; one line each.
[[nodiscard]] std::vector<std::string> notes_on(const net::ClusterWriterStats& stats,
                                                OnConflict policy);

}  // namespace sluice::engine
