#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sluice::service {

/// Where the service listens: "HOST:PORT", "[V6]:PORT" or "unix:PATH", PATH being absolute.
struct ListenAddress {
  std::string host;        ///< Without brackets; empty for a socket of files.
  std::uint16_t port = 0;  ///< 0: whatever is free.
  std::string path;        ///< Of a socket of files.

  /// Whether only this machine can connect.
  [[nodiscard]] bool is_local() const;
};

[[nodiscard]] std::optional<ListenAddress> parse_listen_address(std::string_view text);

}  // namespace sluice::service
