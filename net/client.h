#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "net/connection.h"
#include "net/error.h"
#include "net/resp.h"

namespace sluice::net {

struct ClientOptions {
  std::chrono::milliseconds silence_timeout{60'000};  ///< See with_silence_limit().
  ReplyLimits limits;
};

/// One request, one reply, in turn, on a connection. Neither copies nor moves.
///
/// `connection` outlives the client and is used by nobody else while a call is in progress.
/// Errors: those of Connection, timed_out, protocol_error, reply_too_large. After one of them the
///         connection is of no further use. An error reply is a Reply, not an Error.
/// Cancellation: terminal; gives Errc::cancelled.
class Client {
 public:
  explicit Client(Connection& connection, ClientOptions options = {});
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  /// Sends one command, and waits for its reply. The arguments are copied before this returns the
  /// awaitable: `co_await client.call("CONFIG", "GET", name)`.
  template <class... Arg>
  [[nodiscard]] boost::asio::awaitable<Result<Reply>> call(const Arg&... args) {
    return call_encoded(encode_command({std::string_view(args)...}));
  }
  /// The same for arguments that are counted at run time only.
  [[nodiscard]] boost::asio::awaitable<Result<Reply>> call_args(
      std::span<const std::string_view> args);
  /// The same for a command that append_command() made.
  [[nodiscard]] boost::asio::awaitable<Result<Reply>> call_encoded(std::string command);

 private:
  boost::asio::awaitable<Result<Reply>> exchange(std::string command);

  Connection& connection_;
  ClientOptions options_;
  ReplyParser parser_;
  std::vector<std::byte> buffer_;
  std::span<const std::byte> inbox_;  // read but not yet taken; lies in buffer_
};

/// AUTH with `password`, for `user` if it is not empty. Nothing is sent when both are empty.
/// Errors: auth_failed with what the server said, never the password; those of Client.
[[nodiscard]] boost::asio::awaitable<Result<void>> authenticate(Client& client, std::string user,
                                                                std::string password);

/// SELECT `db`; nothing is sent for 0 on a fresh connection. Errors: as refusal() says.
[[nodiscard]] boost::asio::awaitable<Result<void>> select_db(Client& client, std::uint32_t db);

enum class Flavor : std::uint8_t { unknown, redis, valkey, keydb, dragonfly };

[[nodiscard]] std::string_view to_text(Flavor flavor) noexcept;

/// Who answers, as INFO says. What the server does not say stays empty, zero or false.
struct ServerInfo {
  Flavor flavor = Flavor::unknown;
  std::string version;  ///< Of the product itself: "9.0.1" for Valkey, "df-v1.27.1" for Dragonfly.
  std::uint32_t major = 0;
  std::uint32_t minor = 0;
  std::uint32_t patch = 0;
  std::string redis_version;  ///< The Redis version it claims to be compatible with.
  std::string run_id;
  std::string role;        ///< "master" or "slave".
  std::string redis_mode;  ///< "standalone", "cluster" or "sentinel".
  bool loading = false;
  bool primary_link_up = false;   ///< Of a replica: master_link_status.
  std::uint64_t repl_offset = 0;  ///< master_repl_offset: what the server has written so far.
};

/// Reads the text of INFO: sections server, replication and persistence, or all.
[[nodiscard]] ServerInfo parse_server_info(std::string_view info);

/// Asks INFO server, replication and persistence. A user who may not call INFO, or a server that
/// does not have it, gives empty fields. Errors: refusals other than that; those of Client.
[[nodiscard]] boost::asio::awaitable<Result<ServerInfo>> fetch_server_info(Client& client);

}  // namespace sluice::net
