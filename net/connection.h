#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "net/deadline.h"
#include "net/error.h"
#include "net/uri.h"

namespace sluice::net {

/// How a server proves who it is, and how we do. Files are PEM.
struct TlsOptions {
  bool enabled = false;
  std::string cacert;     ///< File of trusted authorities; empty: those of the system.
  std::string cert;       ///< File of our certificate and its chain, for mutual TLS.
  std::string key;        ///< File of its private key; needed with `cert`.
  std::string sni;        ///< Name to ask for and to verify; empty: the host.
  bool insecure = false;  ///< Take any certificate. Anyone on the way can then read everything.
};

struct ConnectOptions {
  std::string host = "127.0.0.1";
  std::uint16_t port = 6379;
  TlsOptions tls;
  /// For name resolution, all addresses and the TLS handshake together.
  std::chrono::milliseconds connect_timeout{10'000};
};

/// Host, port and whether TLS is wanted. Files and credentials are for the caller to add.
[[nodiscard]] ConnectOptions connect_options(const Uri& uri);

/// "host:port", IPv6 in brackets.
[[nodiscard]] std::string address_of(const ConnectOptions& options);

/// The IP addresses of a connection, as text; what the system cannot say is empty.
struct ConnectionEnds {
  std::string local;
  std::string remote;
  std::uint16_t remote_port = 0;
};

/// IPv4 addresses are never in their IPv6 form.
[[nodiscard]] ConnectionEnds ends_of(const boost::asio::ip::tcp::socket& socket);

/// One TCP or TLS connection. Made by open_connection() or adopt(); closed by the destructor at the
/// latest.
///
/// Threads:      one at a time: an executor of one thread, or a strand. One read and one write may
///               be in progress together.
/// Errors:       closed_by_peer at the end of the stream or a reset; cancelled; tls_failed; else
/// the
///               system's code. Never throws for I/O.
/// Deadlines:    none of its own: wrap in with_deadline(), or with_silence_limit() on activity().
/// Cancellation: terminal. A cancelled read loses nothing and may be repeated; after a cancelled
///               write the connection is of no further use. After a cancel was requested every
///               later call in the same coroutine gives Errc::cancelled too. Calls switch off
///               throw_if_cancelled for the coroutine that awaits them, so that a cancel is never
///               an exception.
class Connection {
 public:
  virtual ~Connection() = default;
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// Reads at least one byte into `into`, which is not empty and outlives the awaitable.
  [[nodiscard]] boost::asio::awaitable<Result<std::size_t>> read_some(std::span<std::byte> into);
  /// Writes all of `bytes`, which outlive the awaitable.
  [[nodiscard]] boost::asio::awaitable<Result<void>> write_all(std::span<const std::byte> bytes);

  [[nodiscard]] const Activity& activity() const noexcept { return activity_; }
  /// "host:port" as asked for.
  [[nodiscard]] const std::string& address() const noexcept { return address_; }
  [[nodiscard]] const ConnectionEnds& ends() const noexcept { return ends_; }

 protected:
  Connection(std::string address, ConnectionEnds ends)
      : address_(std::move(address)), ends_(std::move(ends)) {}

  virtual boost::asio::awaitable<Result<std::size_t>> read_now(std::span<std::byte> into) = 0;
  virtual boost::asio::awaitable<Result<std::size_t>> write_now(
      std::span<const std::byte> bytes) = 0;

 private:
  std::string address_;
  ConnectionEnds ends_;
  Activity activity_;
};

/// A connection that somebody else has opened to us, without TLS. Its address is the peer's.
[[nodiscard]] std::unique_ptr<Connection> adopt(boost::asio::ip::tcp::socket socket);

/// Resolves, connects (each address in turn, sharing connect_timeout) and, if asked, does the TLS
/// handshake with the certificate and the host name verified.
///
/// Errors: resolve_failed, connect_failed (detail: the last address and why), timed_out,
///         tls_failed (detail: what OpenSSL says), cancelled.
/// Note:   a name look-up runs in a thread of Asio and cannot be interrupted: after a timeout or a
///         cancel this returns only when the system's resolver gives up. Addresses need no look-up.
[[nodiscard]] boost::asio::awaitable<Result<std::unique_ptr<Connection>>> open_connection(
    boost::asio::any_io_executor executor, ConnectOptions options);

}  // namespace sluice::net
