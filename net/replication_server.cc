#include "net/replication_server.h"

#include <fmt/format.h>
#include <openssl/rand.h>

#include <array>
#include <new>
#include <utility>

#include "net/deadline.h"
#include "net/socket_error.h"

namespace sluice::net {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

constexpr std::string_view own_prefix = "736c75696365";  // "sluice"
constexpr std::size_t replid_digits = 40;

}  // namespace

std::string make_replid() {
  std::array<unsigned char, (replid_digits - own_prefix.size()) / 2> random{};
  if (::RAND_bytes(random.data(), static_cast<int>(random.size())) != 1) throw std::bad_alloc();
  std::string replid(own_prefix);
  for (const unsigned char byte : random) replid += fmt::format("{:02x}", byte);
  return replid;
}

bool is_own_replid(std::string_view replid) noexcept {
  return replid.size() == replid_digits && replid.starts_with(own_prefix);
}

ReplicationServer::ReplicationServer(asio::any_io_executor executor,
                                     ReplicationServerOptions options)
    : executor_(executor), options_(std::move(options)), acceptor_(std::move(executor)) {}

Result<std::unique_ptr<ReplicationServer>> ReplicationServer::listen(
    asio::any_io_executor executor, ReplicationServerOptions options) {
  auto server = std::make_unique<ReplicationServer>(std::move(executor), std::move(options));
  if (auto opened = server->open(); !opened) return std::unexpected(std::move(opened.error()));
  return server;
}

Result<void> ReplicationServer::open() {
  error_code ec;
  tcp::resolver resolver(executor_);
  const auto found =
      resolver.resolve(options_.host, std::to_string(options_.port), tcp::resolver::passive, ec);
  if (ec || found.empty()) {
    return std::unexpected(
        Error{.code = Errc::resolve_failed,
              .detail = fmt::format("'{}': {}", printable(options_.host), ec.message())});
  }
  const tcp::endpoint endpoint = found.begin()->endpoint();
  acceptor_.open(endpoint.protocol(), ec);
  if (!ec) acceptor_.set_option(tcp::acceptor::reuse_address(true), ec);
  if (!ec) acceptor_.bind(endpoint, ec);
  if (!ec) acceptor_.listen(asio::socket_base::max_listen_connections, ec);
  tcp::endpoint local;
  if (!ec) local = acceptor_.local_endpoint(ec);
  if (ec) {
    return std::unexpected(socket_error(
        ec, fmt::format("listening at {}:{}", printable(options_.host), options_.port)));
  }
  host_ = local.address().to_string();
  port_ = local.port();
  return {};
}

asio::awaitable<Result<std::unique_ptr<ReplicaSession>>> ReplicationServer::accept(
    std::function<void(const std::string&, const Error&)> on_refused) {
  co_await asio::this_coro::throw_if_cancelled(false);
  const bool cancelled = co_await cancel_requested();
  if (cancelled) co_return std::unexpected(cancelled_error());
  tcp::socket socket(executor_);
  const auto [ec] = co_await acceptor_.async_accept(socket, as_result);
  if (ec) co_return std::unexpected(socket_error(ec, "accepting a replica"));
  auto session =
      std::make_unique<ReplicaSession>(executor_, adopt(std::move(socket)), options_.session);
  auto shaking = session->shake_hands(options_.password);
  auto shaken = co_await with_deadline(std::move(shaking), options_.handshake_timeout,
                                       "it did not say what it wants in time");
  if (!shaken && shaken.error().code == Errc::cancelled) {
    co_return std::unexpected(std::move(shaken.error()));
  }
  if (shaken && options_.expects && !options_.expects(session->peer())) {
    auto told = co_await session->refuse("this snapshot is for another server");
    shaken = std::unexpected(Error{.code = Errc::refused, .detail = "it is not the one expected"});
  }
  if (!shaken) {
    if (on_refused) on_refused(session->peer().address, shaken.error());
    session.reset();
  }
  co_return std::move(session);
}

}  // namespace sluice::net
