#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <memory>

#include "net/connection.h"
#include "net/error.h"

namespace sluice::net {

/// Does the TLS handshake as a client on a connected socket: SNI, then chain and host name verified
/// against `options.tls.sni`, else `options.host`, unless insecure. TLS 1.2 at the least.
///
/// Errors: tls_failed with what OpenSSL says; cancelled.
[[nodiscard]] boost::asio::awaitable<Result<std::unique_ptr<Connection>>> start_tls(
    boost::asio::ip::tcp::socket socket, ConnectOptions options);

}  // namespace sluice::net
