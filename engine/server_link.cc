#include "engine/server_link.h"

#include <algorithm>

#include "engine/errors.h"

namespace sluice {

bool is_server_uri(std::string_view place) { return net::is_uri(place); }

bool has_password(std::string_view uri) {
  if (net::is_sentinel_uri(uri)) {
    const auto parsed = net::parse_sentinel_uri(uri);
    return parsed && !parsed->password.empty();
  }
  const auto parsed = net::parse_uri(uri);
  return parsed && !parsed->password.empty();
}

Result<std::string> display_address(const ServerAddress& address) {
  auto link = engine::make_link(address);
  if (!link) return std::unexpected(link.error());
  return std::move(link->display);
}

namespace engine {
namespace {

Error usage(std::string code, std::string message) {
  return {.stage = Stage::usage, .code = std::move(code), .message = std::move(message)};
}

Error bad_uri(const net::Error& error) {
  return usage("bad_uri", "not a server address: " + error.detail);
}

/// What does not depend on the kind of address.
ServerLink link_to(const ServerAddress& address) {
  ServerLink link;
  link.connect.tls.cacert = address.tls.cacert;
  link.connect.tls.cert = address.tls.cert;
  link.connect.tls.key = address.tls.key;
  link.connect.tls.sni = address.tls.sni;
  link.connect.tls.insecure = address.tls.insecure;
  link.connect.connect_timeout = std::min(link.connect.connect_timeout, address.timeout);
  link.timeout = address.timeout;
  link.cluster = address.cluster;
  return link;
}

Result<ServerLink> sentinel_link(const ServerAddress& address) {
  const auto uri = net::parse_sentinel_uri(address.uri);
  if (!uri) return std::unexpected(bad_uri(uri.error()));
  if (address.cluster) {
    return std::unexpected(usage("bad_option",
                                 "sentinels watch no clusters: give a node of the "
                                 "cluster with --cluster, or leave it out"));
  }
  ServerLink link = link_to(address);
  link.user = uri->user;
  link.password = address.password.value_or(uri->password);
  link.display = net::to_display(*uri);
  link.search.sentinels = uri->sentinels;
  link.search.master = uri->master;
  link.search.user = uri->sentinel_user;
  link.search.password = address.sentinel_password.value_or(uri->sentinel_password);
  link.search.server = link.login();
  return link;
}

/// A copy of the link, by its address alone.
boost::asio::awaitable<net::Result<ServerLink>> find_primary(boost::asio::any_io_executor executor,
                                                             ServerLink link) {
  auto finding = net::find_by_sentinel(executor, link.search);
  auto shard = co_await std::move(finding);
  if (!shard) co_return std::unexpected(std::move(shard.error()));
  co_return link.at(shard->primary.address);
}

}  // namespace

net::Login ServerLink::login() const {
  return {.connect = connect, .user = user, .password = password, .silence_timeout = timeout};
}

ServerLink ServerLink::at(const net::HostPort& address) const {
  ServerLink other = *this;
  other.connect.host = address.host;
  other.connect.port = address.port;
  other.search = {};
  other.cluster = false;
  net::Uri shown;
  shown.tls = connect.tls.enabled;
  shown.host = address.host;
  shown.port = address.port;
  other.display = net::to_display(shown);
  return other;
}

Result<ServerLink> make_link(const ServerAddress& address) {
  if (net::is_sentinel_uri(address.uri)) return sentinel_link(address);
  const auto uri = net::parse_uri(address.uri);
  if (!uri) return std::unexpected(bad_uri(uri.error()));
  if (uri->db != 0) {
    return std::unexpected(
        usage("database_given",
              "the address ends in a database, but backup and restore are about all of them: leave "
              "out /" +
                  std::to_string(uri->db)));
  }
  if (!uri->more_hosts.empty() && !address.cluster) {
    return std::unexpected(
        usage("bad_option",
              "the address names several hosts: if they are nodes of one cluster, "
              "say so with --cluster"));
  }
  ServerLink link = link_to(address);
  const net::ConnectOptions connect = net::connect_options(*uri);
  link.connect.host = connect.host;
  link.connect.port = connect.port;
  link.connect.tls.enabled = connect.tls.enabled;
  link.user = uri->user;
  link.password = address.password.value_or(uri->password);
  link.display = net::to_display(*uri);
  link.seeds = uri->more_hosts;
  link.seeds.insert(link.seeds.begin(), {.host = uri->host, .port = uri->port});
  return link;
}

boost::asio::awaitable<net::Result<std::unique_ptr<net::Connection>>> log_in(
    boost::asio::any_io_executor executor, ServerLink link) {
  if (link.is_sentinel()) {
    auto found = co_await find_primary(executor, link);
    if (!found) co_return std::unexpected(std::move(found.error()));
    link = *std::move(found);
  }
  const net::Login login = link.login();
  auto connection = co_await net::log_in(executor, login);
  co_return connection;
}

boost::asio::awaitable<net::Result<net::ServerInfo>> ask_server_info(
    boost::asio::any_io_executor executor, ServerLink link) {
  const net::ClientOptions options{.silence_timeout = link.timeout, .limits = {}};
  auto connection = co_await log_in(executor, link);
  if (!connection) co_return std::unexpected(connection.error());
  net::Client client(**connection, options);
  co_return co_await net::fetch_server_info(client);
}

std::string target_note_name(const ServerLink& link) {
  std::string name = link.connect.host + "-" + std::to_string(link.connect.port);
  constexpr std::string_view allowed =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._";
  for (char& c : name) {
    if (!allowed.contains(c)) c = '_';
  }
  if (name.front() == '.') name.front() = '_';
  constexpr std::size_t bytes_max = 100;
  if (name.size() > bytes_max) name.erase(0, name.size() - bytes_max);
  return name;
}

}  // namespace engine
}  // namespace sluice
