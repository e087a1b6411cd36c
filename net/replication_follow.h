#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>

#include "net/replication_client.h"
#include "net/stream_sink.h"

namespace sluice::net {

/// Takes a snapshot of a live server and then its command stream, as a replica does. A connection
/// that is lost in the stream is made again, for up to `reconnect_wait`, and goes on where it was.
///
/// Ends by an error only:
/// Errors: as receive_snapshot(); history_lost when the source does not have what is missing any
///         more; after `reconnect_wait` what the last attempt gave.
/// Cancellation, threads, memory: as receive_snapshot(). The sinks outlive the awaitable.
/// Source: Redis src/replication.c, masterTryPartialResync().
[[nodiscard]] boost::asio::awaitable<Error> follow(ReplicationOptions options,
                                                   std::chrono::milliseconds reconnect_wait,
                                                   SnapshotSink& snapshot, StreamSink& stream);

}  // namespace sluice::net
