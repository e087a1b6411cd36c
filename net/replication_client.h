#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <optional>

#include "net/connection.h"
#include "net/error.h"
#include "net/handshake.h"
#include "net/snapshot_sink.h"

namespace sluice::net {

struct ReplicationOptions {
  ConnectOptions connect;
  HandshakeOptions handshake;  ///< Credentials, announced version, rdb_only, listening port.
  /// Longest time without a byte from the source while we wait for one. Time inside the sink does
  /// not count. Sources send a newline every second while they save.
  std::chrono::milliseconds silence_timeout{60'000};
  /// How long to try again when the source says -LOADING or that its own master is lost. Zero: not.
  std::chrono::milliseconds loading_wait{0};
  std::chrono::milliseconds retry_interval{500};  ///< Between two such tries.
};

struct SnapshotStats {
  FullResync granted;
  std::uint64_t bytes = 0;                    ///< Of the snapshot, as given to the sink.
  std::optional<std::uint64_t> length_bytes;  ///< What the header said; absent with an EOF mark.
  std::uint32_t attempts = 1;                 ///< Connections made, with those for loading_wait.
  std::chrono::milliseconds save_wait{0};     ///< From the granted PSYNC to the snapshot's header.
  std::chrono::milliseconds transfer{0};      ///< From the header to the end.
};

/// Takes one snapshot of a live server by acting as its replica: connects, authenticates, does the
/// handshake, gives the snapshot to `sink` and closes. The source is left as it was.
///
/// `sink` outlives the awaitable and is called on the thread that runs it. After an error that
/// comes when on_begin() was called, what the sink has is incomplete.
/// Memory: one read buffer of 1 MiB.
/// Errors: those of open_connection() and Handshake; timed_out, the detail saying in which phase;
///         save_failed; cut_short with the counts when the connection ends inside the snapshot;
///         sink_aborted. Nothing is retried but what `loading_wait` says.
/// Cancellation: terminal, through the cancellation slot of the co_spawn; gives Errc::cancelled.
/// Threads: the executor of the calling coroutine, one thread at a time.
/// Source: Redis src/replication.c, syncWithMaster(), readSyncBulkPayload().
[[nodiscard]] boost::asio::awaitable<Result<SnapshotStats>> receive_snapshot(
    ReplicationOptions options, SnapshotSink& sink);

}  // namespace sluice::net
