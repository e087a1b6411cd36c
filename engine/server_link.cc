#include "engine/server_link.h"

#include <algorithm>

#include "engine/errors.h"

namespace sluice {

bool is_server_uri(std::string_view place) { return net::is_uri(place); }

bool has_password(std::string_view uri) {
  const auto parsed = net::parse_uri(uri);
  return parsed && !parsed->password.empty();
}

namespace engine {

Result<ServerLink> make_link(const ServerAddress& address) {
  const auto uri = net::parse_uri(address.uri);
  if (!uri) {
    return std::unexpected(Error{.stage = Stage::usage,
                                 .code = "bad_uri",
                                 .message = "not a server address: " + uri.error().detail});
  }
  if (uri->db != 0) {
    return std::unexpected(
        Error{.stage = Stage::usage,
              .code = "database_given",
              .message = "the address ends in a database, but backup and restore are about all "
                         "of them: leave out /" +
                         std::to_string(uri->db)});
  }
  ServerLink link;
  link.connect = net::connect_options(*uri);
  link.connect.tls.cacert = address.tls.cacert;
  link.connect.tls.cert = address.tls.cert;
  link.connect.tls.key = address.tls.key;
  link.connect.tls.sni = address.tls.sni;
  link.connect.tls.insecure = address.tls.insecure;
  link.connect.connect_timeout = std::min(link.connect.connect_timeout, address.timeout);
  link.user = uri->user;
  link.password = address.password.value_or(uri->password);
  link.timeout = address.timeout;
  link.display = net::to_display(*uri);
  return link;
}

boost::asio::awaitable<net::Result<std::unique_ptr<net::Connection>>> log_in(
    boost::asio::any_io_executor executor, ServerLink link) {
  auto connection = co_await net::open_connection(executor, link.connect);
  if (!connection) co_return std::unexpected(connection.error());
  net::ClientOptions options;
  options.silence_timeout = link.timeout;
  net::Client client(**connection, options);
  auto logged_in = co_await net::authenticate(client, link.user, link.password);
  if (!logged_in) co_return std::unexpected(logged_in.error());
  co_return std::move(*connection);
}

boost::asio::awaitable<net::Result<net::ServerInfo>> ask_server_info(
    boost::asio::any_io_executor executor, ServerLink link) {
  const net::ClientOptions options{.silence_timeout = link.timeout, .limits = {}};
  auto connection = co_await log_in(executor, link);
  if (!connection) co_return std::unexpected(connection.error());
  net::Client client(**connection, options);
  co_return co_await net::fetch_server_info(client);
}

}  // namespace engine
}  // namespace sluice
