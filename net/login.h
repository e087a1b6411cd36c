#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <memory>
#include <string>

#include "net/connection.h"
#include "net/error.h"
#include "net/topology.h"

namespace sluice::net {

/// How to get into a server. Holds a secret.
struct Login {
  ConnectOptions connect;
  std::string user;      ///< Empty: the default user.
  std::string password;  ///< No AUTH is sent when both are empty.
  std::chrono::milliseconds silence_timeout{60'000};

  /// The same for another server.
  [[nodiscard]] Login at(const HostPort& address) const;
};

/// Opens a connection and authenticates. Errors: those of open_connection() and authenticate().
[[nodiscard]] boost::asio::awaitable<Result<std::unique_ptr<Connection>>> log_in(
    boost::asio::any_io_executor executor, Login login);

}  // namespace sluice::net
