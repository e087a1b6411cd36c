#pragma once

#include <atomic>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_future.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "net/connection.h"
#include "net/error.h"

namespace sluice::net {

/// The server's end of one connection, blocking. A read that gets nothing for ten seconds, and any
/// other failure, ends the script by an exception that FakeServer swallows.
class Peer {
 public:
  virtual ~Peer() = default;

  /// The next command; empty when the client has closed. Only arrays of bulk strings.
  std::vector<std::string> read_command();
  void send(std::string_view text) { write(text); }
  /// Reads `size` bytes, less when the client closes before.
  std::string read_exactly(std::size_t size);
  /// Reads until the client closes; true unless it never did.
  bool wait_for_close();
  /// Ends the connection with a reset instead of an orderly close.
  virtual void reset() = 0;

 protected:
  virtual std::size_t read(char* into, std::size_t size) = 0;  // 0 at the end
  virtual void write(std::string_view text) = 0;

 private:
  std::string read_line();

  std::string inbox_;
};

/// PEM files of the server's side of TLS.
struct ServerIdentity {
  std::string cert;
  std::string key;
  std::string client_ca;  ///< Not empty: clients must show a certificate of this authority.
};

/// A server on loopback in a thread of its own. The n-th connection is given to the n-th script and
/// closed when the script returns.
class FakeServer {
 public:
  using Script = std::function<void(Peer&)>;

  explicit FakeServer(Script script) : FakeServer(std::vector<Script>{std::move(script)}) {}
  explicit FakeServer(std::vector<Script> scripts, ServerIdentity identity = {});
  ~FakeServer();
  FakeServer(const FakeServer&) = delete;
  FakeServer& operator=(const FakeServer&) = delete;

  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] ConnectOptions options() const;
  /// Waits for all scripts to end. Called by the destructor.
  void join();

 private:
  void serve();

  std::vector<Script> scripts_;
  ServerIdentity identity_;
  boost::asio::io_context io_;
  boost::asio::ip::tcp::acceptor acceptor_;
  std::uint16_t port_ = 0;
  std::thread thread_;
};

/// Runs one coroutine to its end on an io_context of its own.
template <class T>
T run(boost::asio::io_context& io, boost::asio::awaitable<T> op) {
  auto result = boost::asio::co_spawn(io, std::move(op), boost::asio::use_future);
  io.restart();
  io.run();
  return result.get();
}

}  // namespace sluice::net
