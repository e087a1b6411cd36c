#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <memory>
#include <string>

#include "net/client.h"
#include "net/connection.h"
#include "net/uri.h"
#include "sluice/result.h"
#include "sluice/server.h"

namespace sluice::engine {

/// A ServerAddress, taken apart for the net layer. Holds a secret: show `display` only.
struct ServerLink {
  net::ConnectOptions connect;
  std::string user;
  std::string password;
  std::chrono::milliseconds timeout{};
  std::string display;  ///< URI without secrets.
};

/// Errors: "bad_uri"; "database_given", since every job is about all databases.
[[nodiscard]] Result<ServerLink> make_link(const ServerAddress& address);

/// Opens a connection and logs in.
[[nodiscard]] boost::asio::awaitable<net::Result<std::unique_ptr<net::Connection>>> log_in(
    boost::asio::any_io_executor executor, ServerLink link);

/// Logs in, asks who is there, and leaves.
[[nodiscard]] boost::asio::awaitable<net::Result<net::ServerInfo>> ask_server_info(
    boost::asio::any_io_executor executor, ServerLink link);

}  // namespace sluice::engine
