#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "net/handshake.h"

namespace sluice::net {

/// Where a snapshot goes. Calls come in order, on the thread that runs the receiving coroutine; a
/// call may block it. Returning false ends the transfer with Errc::sink_aborted.
class SnapshotSink {
 public:
  virtual ~SnapshotSink() = default;

  /// Once, before any bytes. `length_bytes` is absent when the server does not say (EOF mark).
  [[nodiscard]] virtual bool on_begin(const FullResync& granted,
                                      std::optional<std::uint64_t> length_bytes) = 0;
  /// The next bytes of the snapshot, never empty; they are gone when the call returns.
  [[nodiscard]] virtual bool on_bytes(std::span<const std::byte> bytes) = 0;
};

}  // namespace sluice::net
