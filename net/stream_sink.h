#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "net/error.h"

namespace sluice::net {

/// Where the command stream of a source goes. Calls come in order, on the thread that runs the
/// receiving coroutine; a call may block it.
class StreamSink {
 public:
  virtual ~StreamSink() = default;

  /// The next bytes, RESP commands cut anywhere, keepalives between them left out. Returning false
  /// ends the stream with Errc::sink_aborted.
  [[nodiscard]] virtual bool on_stream(std::span<const std::byte> bytes) = 0;
  /// Null: the stream begins, the snapshot being whole; or it goes on where it was. Else the
  /// connection was lost, and will be tried again.
  virtual void on_link(const Error* lost) = 0;
  /// Offset up to which all is done for good: what the source is told.
  [[nodiscard]] virtual std::uint64_t processed_offset() const = 0;
};

}  // namespace sluice::net
