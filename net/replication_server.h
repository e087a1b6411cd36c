#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "net/error.h"
#include "net/replica_session.h"

namespace sluice::net {

struct ReplicationServerOptions {
  std::string host;                     ///< IP address to listen at; a name is looked up.
  std::uint16_t port = 0;               ///< Zero: any that is free.
  std::optional<std::string> password;  ///< That replicas must know; absent: none.
  /// Whether a replica may be served, once it has asked for the snapshot. Called on the executor's
  /// thread. Empty: any.
  std::function<bool(const ReplicaPeer&)> expects;
  /// For all of the handshake of one replica.
  std::chrono::milliseconds handshake_timeout{10'000};
  SessionOptions session;
};

/// Listens for servers that were told REPLICAOF. Without TLS.
/// Threads: accept() on the executor, any number at once.
class ReplicationServer {
 public:
  /// Errors: resolve_failed; the system's, when the address cannot be listened at.
  [[nodiscard]] static Result<std::unique_ptr<ReplicationServer>> listen(
      boost::asio::any_io_executor executor, ReplicationServerOptions options);
  ReplicationServer(boost::asio::any_io_executor executor, ReplicationServerOptions options);
  ReplicationServer(const ReplicationServer&) = delete;
  ReplicationServer& operator=(const ReplicationServer&) = delete;

  /// Where it listens.
  [[nodiscard]] const std::string& host() const noexcept { return host_; }
  [[nodiscard]] std::uint16_t port() const noexcept { return port_; }

  /// Waits for one connection and shakes hands; the replica that is returned waits for its
  /// snapshot. Null when the one that came was not served, told to `on_refused`: the call may then
  /// be repeated.
  /// Errors: the listener's own; cancelled.
  [[nodiscard]] boost::asio::awaitable<Result<std::unique_ptr<ReplicaSession>>> accept(
      std::function<void(const std::string& address, const Error&)> on_refused);

 private:
  Result<void> open();

  boost::asio::any_io_executor executor_;
  ReplicationServerOptions options_;
  boost::asio::ip::tcp::acceptor acceptor_;
  std::string host_;
  std::uint16_t port_ = 0;
};

/// 40 hex digits by chance, as the id of a history that nobody else has. Those of ours begin with
/// the same twelve, by which a target shows where its data came from.
[[nodiscard]] std::string make_replid();
[[nodiscard]] bool is_own_replid(std::string_view replid) noexcept;

}  // namespace sluice::net
