#include "net/login.h"

#include <utility>

#include "net/client.h"

namespace sluice::net {

Login Login::at(const HostPort& address) const {
  Login other = *this;
  other.connect.host = address.host;
  other.connect.port = address.port;
  return other;
}

boost::asio::awaitable<Result<std::unique_ptr<Connection>>> log_in(
    boost::asio::any_io_executor executor, Login login) {
  auto connection = co_await open_connection(executor, login.connect);
  if (!connection) co_return std::unexpected(std::move(connection.error()));
  ClientOptions options;
  options.silence_timeout = login.silence_timeout;
  Client client(**connection, options);
  auto authenticated = co_await authenticate(client, login.user, login.password);
  if (!authenticated) co_return std::unexpected(std::move(authenticated.error()));
  co_return std::move(*connection);
}

}  // namespace sluice::net
