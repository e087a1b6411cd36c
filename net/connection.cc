#include "net/connection.h"

#include <fmt/format.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/steady_timer.hpp>
#include <utility>
#include <vector>

#include "net/socket_error.h"
#include "net/tls.h"

namespace sluice::net {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

class TcpConnection final : public Connection {
 public:
  TcpConnection(tcp::socket socket, std::string address)
      : Connection(std::move(address), ends_of(socket)), socket_(std::move(socket)) {}

 private:
  asio::awaitable<Result<std::size_t>> read_now(std::span<std::byte> into) override {
    const auto buffer = asio::buffer(into.data(), into.size());
    const auto [ec, size] = co_await socket_.async_read_some(buffer, as_result);
    if (ec) co_return std::unexpected(socket_error(ec, {}));
    co_return size;
  }
  asio::awaitable<Result<std::size_t>> write_now(std::span<const std::byte> bytes) override {
    const auto buffer = asio::buffer(bytes.data(), bytes.size());
    const auto [ec, size] = co_await socket_.async_write_some(buffer, as_result);
    if (ec) co_return std::unexpected(socket_error(ec, {}));
    co_return size;
  }

  tcp::socket socket_;
};

using Endpoints = std::vector<tcp::endpoint>;

asio::awaitable<Result<Endpoints>> resolve(asio::any_io_executor executor, std::string host,
                                           std::uint16_t port) {
  Endpoints endpoints;
  error_code not_address;
  const auto address = asio::ip::make_address(host, not_address);
  if (!not_address) {
    endpoints.emplace_back(address, port);
    co_return endpoints;
  }
  tcp::resolver resolver(executor);
  const auto service = std::to_string(port);
  const auto [ec, found] = co_await resolver.async_resolve(host, service, as_result);
  const bool cancelled = co_await cancel_requested();
  if (cancelled || ec == asio::error::operation_aborted) {
    co_return std::unexpected(cancelled_error());
  }
  if (ec) {
    std::string detail = fmt::format("'{}': {}", printable(host), ec.message());
    co_return std::unexpected(Error{.code = Errc::resolve_failed, .detail = std::move(detail)});
  }
  for (const auto& entry : found) endpoints.push_back(entry.endpoint());
  co_return endpoints;
}

std::string to_text(const tcp::endpoint& endpoint) {
  const bool ipv6 = endpoint.address().is_v6();
  return fmt::format("{}{}{}:{}", ipv6 ? "[" : "", endpoint.address().to_string(), ipv6 ? "]" : "",
                     endpoint.port());
}

void tune(tcp::socket& socket) {
  error_code ignored;  // a socket that cannot be tuned still works
  socket.set_option(tcp::no_delay(true), ignored);
  socket.set_option(tcp::socket::keep_alive(true), ignored);
}

std::string address_text(asio::ip::address address) {
  if (address.is_v6() && address.to_v6().is_v4_mapped()) {
    address = asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6());
  }
  return address.to_string();
}

asio::awaitable<Result<void>> connect_one(tcp::socket& socket, tcp::endpoint endpoint) {
  const auto [ec] = co_await socket.async_connect(endpoint, as_result);
  if (ec == asio::error::operation_aborted) co_return std::unexpected(cancelled_error());
  if (ec) {
    std::string detail = fmt::format("{}: {}", to_text(endpoint), ec.message());
    co_return std::unexpected(Error{.code = Errc::connect_failed, .detail = std::move(detail)});
  }
  tune(socket);
  co_return Result<void>();
}

// Each address gets an equal share of the time that is left, so that one which swallows packets
// does not keep the next from its turn.
asio::awaitable<Result<tcp::socket>> connect_any(asio::any_io_executor executor,
                                                 Endpoints endpoints,
                                                 std::chrono::milliseconds limit) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  Error last{.code = Errc::resolve_failed, .detail = "the name has no address"};
  for (std::size_t i = 0; i < endpoints.size(); ++i) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        deadline - std::chrono::steady_clock::now());
    const auto share = left / static_cast<int>(endpoints.size() - i);
    tcp::socket socket(executor);
    auto attempt = connect_one(socket, endpoints[i]);
    auto detail = "connecting to " + to_text(endpoints[i]);
    auto connected = co_await with_deadline(std::move(attempt), share, std::move(detail));
    if (connected) co_return std::move(socket);
    last = std::move(connected.error());
    const bool cancelled = co_await cancel_requested();
    if (cancelled) co_return std::unexpected(cancelled_error());
  }
  co_return std::unexpected(std::move(last));
}

asio::awaitable<Result<std::unique_ptr<Connection>>> connect(asio::any_io_executor executor,
                                                             ConnectOptions options) {
  const auto started = std::chrono::steady_clock::now();
  auto endpoints = co_await resolve(executor, options.host, options.port);
  if (!endpoints) co_return std::unexpected(std::move(endpoints.error()));
  const auto left = options.connect_timeout - std::chrono::duration_cast<std::chrono::milliseconds>(
                                                  std::chrono::steady_clock::now() - started);
  auto socket = co_await connect_any(executor, *std::move(endpoints), left);
  if (!socket) co_return std::unexpected(std::move(socket.error()));
  if (options.tls.enabled) co_return co_await start_tls(*std::move(socket), options);
  co_return std::make_unique<TcpConnection>(*std::move(socket), address_of(options));
}

}  // namespace

ConnectionEnds ends_of(const tcp::socket& socket) {
  ConnectionEnds ends;
  error_code unknown;
  const tcp::endpoint local = socket.local_endpoint(unknown);
  if (!unknown) ends.local = address_text(local.address());
  const tcp::endpoint remote = socket.remote_endpoint(unknown);
  if (!unknown) {
    ends.remote = address_text(remote.address());
    ends.remote_port = remote.port();
  }
  return ends;
}

std::unique_ptr<Connection> adopt(tcp::socket socket) {
  tune(socket);
  const ConnectionEnds ends = ends_of(socket);
  ConnectOptions peer;
  peer.host = ends.remote;
  peer.port = ends.remote_port;
  return std::make_unique<TcpConnection>(std::move(socket), address_of(peer));
}

ConnectOptions connect_options(const Uri& uri) {
  ConnectOptions options;
  options.host = uri.host;
  options.port = uri.port;
  options.tls.enabled = uri.tls;
  return options;
}

std::string address_of(const ConnectOptions& options) {
  const bool ipv6 = options.host.contains(':');
  return fmt::format("{}{}{}:{}", ipv6 ? "[" : "", printable(options.host), ipv6 ? "]" : "",
                     options.port);
}

asio::awaitable<Result<std::size_t>> Connection::read_some(std::span<std::byte> into) {
  co_await asio::this_coro::throw_if_cancelled(false);
  const bool cancelled = co_await cancel_requested();
  if (cancelled) co_return std::unexpected(cancelled_error());
  activity_.on_wait_begin();
  auto size = co_await read_now(into);
  activity_.on_wait_end();
  co_return size;
}

asio::awaitable<Result<void>> Connection::write_all(std::span<const std::byte> bytes) {
  co_await asio::this_coro::throw_if_cancelled(false);
  while (!bytes.empty()) {
    const bool cancelled = co_await cancel_requested();
    if (cancelled) co_return std::unexpected(cancelled_error());
    activity_.on_wait_begin();
    const auto size = co_await write_now(bytes);
    activity_.on_wait_end();
    if (!size) co_return std::unexpected(size.error());
    bytes = bytes.subspan(*size);
  }
  co_return Result<void>();
}

asio::awaitable<Result<std::unique_ptr<Connection>>> open_connection(asio::any_io_executor executor,
                                                                     ConnectOptions options) {
  co_await asio::this_coro::throw_if_cancelled(false);
  const auto limit = options.connect_timeout;
  auto detail = fmt::format("connecting to {}", address_of(options));
  auto opened = connect(executor, std::move(options));
  co_return co_await with_deadline(std::move(opened), limit, std::move(detail));
}

}  // namespace sluice::net
