#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "net/resp.h"
#include "net/topology.h"

namespace sluice::net {

/// A node of a cluster on loopback that answers any number of connections. Of all nodes, one
/// answers at a time.
class FakeNode {
 public:
  using Command = std::vector<std::string>;
  /// The encoded reply; none: the connection is closed.
  using Answer = std::function<std::optional<std::string>(const Command&)>;

  /// CLUSTER SHARDS is refused and CLUSTER SLOTS answered with `topology`, as it is then.
  FakeNode(const std::vector<Shard>& topology, Answer answer);
  ~FakeNode();
  FakeNode(const FakeNode&) = delete;
  FakeNode& operator=(const FakeNode&) = delete;

  [[nodiscard]] HostPort address() const { return {.host = "127.0.0.1", .port = port_}; }
  /// What it was told, but for CLUSTER: words joined by blanks.
  [[nodiscard]] std::vector<std::string> log() const;

 private:
  void accept();
  void serve(boost::asio::ip::tcp::socket& socket);
  std::optional<std::string> reply_to(const Command& command);

  const std::vector<Shard>& topology_;
  Answer answer_;
  boost::asio::io_context io_;
  boost::asio::ip::tcp::acceptor acceptor_;
  std::uint16_t port_ = 0;
  inline static std::mutex one_answer_;  // an answer may change the topology that others tell
  mutable std::mutex mutex_;
  bool stopping_ = false;
  std::vector<std::string> log_;
  std::vector<std::thread> threads_;
  std::vector<boost::asio::ip::tcp::socket*> sockets_;
  std::thread acceptor_thread_;
};

}  // namespace sluice::net
