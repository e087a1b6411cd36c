#include "fake_cluster.h"

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/write.hpp>
#include <utility>

namespace sluice::net {

namespace asio = boost::asio;
using asio::ip::tcp;

FakeNode::FakeNode(const std::vector<Shard>& topology, Answer answer)
    : topology_(topology),
      answer_(std::move(answer)),
      acceptor_(io_, tcp::endpoint(asio::ip::address_v4::loopback(), 0)),
      port_(acceptor_.local_endpoint().port()),
      acceptor_thread_([this] { accept(); }) {}

FakeNode::~FakeNode() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
    boost::system::error_code ignored;
    for (tcp::socket* socket : sockets_) socket->shutdown(tcp::socket::shutdown_both, ignored);
  }
  tcp::socket knock(io_);  // wakes accept()
  boost::system::error_code ignored;
  knock.connect(tcp::endpoint(asio::ip::address_v4::loopback(), port_), ignored);
  acceptor_thread_.join();
  for (std::thread& thread : threads_) thread.join();
}

std::vector<std::string> FakeNode::log() const {
  const std::scoped_lock lock(mutex_);
  return log_;
}

void FakeNode::accept() {
  while (true) {
    auto socket = std::make_shared<tcp::socket>(acceptor_.accept());
    const std::scoped_lock lock(mutex_);
    if (stopping_) return;
    sockets_.push_back(socket.get());
    threads_.emplace_back([this, socket] {
      serve(*socket);
      const std::scoped_lock ended(mutex_);
      std::erase(sockets_, socket.get());
      boost::system::error_code ignored;
      socket->close(ignored);
    });
  }
}

void FakeNode::serve(tcp::socket& socket) {
  std::array<std::byte, 4096> buffer;
  ReplyParser parser;
  boost::system::error_code ec;
  while (true) {
    const std::size_t size = socket.read_some(asio::buffer(buffer), ec);
    if (ec) return;
    std::span<const std::byte> input = std::span(buffer).first(size);
    while (!input.empty()) {
      const auto taken = parser.feed(input);
      if (!taken) return;
      input = input.subspan(*taken);
      if (!parser.done()) continue;
      Command command;
      for (const Reply& word : parser.take().elements) command.push_back(word.text);
      const auto reply = reply_to(command);
      if (!reply) return;
      asio::write(socket, asio::buffer(*reply), ec);
      if (ec) return;
    }
  }
}

std::optional<std::string> FakeNode::reply_to(const Command& command) {
  const std::scoped_lock lock(one_answer_, mutex_);
  if (command[0] != "CLUSTER") {
    std::string words = command[0];
    for (std::size_t i = 1; i < command.size(); ++i) words += " " + command[i];
    log_.push_back(std::move(words));
    return answer_(command);
  }
  if (command[1] == "SHARDS") return "-ERR Unknown subcommand\r\n";
  std::string text = "*" + std::to_string(topology_.size()) + "\r\n";
  for (const Shard& shard : topology_) {
    const std::size_t nodes = 1 + shard.replicas.size();
    text += "*" + std::to_string(2 + nodes) + "\r\n:" + std::to_string(shard.slots[0].first) +
            "\r\n:" + std::to_string(shard.slots[0].last) + "\r\n";
    for (std::size_t i = 0; i < nodes; ++i) {
      const HostPort& at = i == 0 ? shard.primary.address : shard.replicas[i - 1].address;
      text += "*2\r\n$" + std::to_string(at.host.size()) + "\r\n" + at.host +
              "\r\n:" + std::to_string(at.port) + "\r\n";
    }
  }
  return text;
}

}  // namespace sluice::net
