#include "fake_server.h"

#include <sys/socket.h>
#include <sys/time.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/write.hpp>
#include <stdexcept>

namespace sluice::net {

namespace asio = boost::asio;
using asio::ip::tcp;

namespace {

void reset_socket(tcp::socket& socket) {
  socket.set_option(asio::socket_base::linger(true, 0));
  socket.close();
}

class TcpPeer final : public Peer {
 public:
  explicit TcpPeer(tcp::socket socket) : socket_(std::move(socket)) {}
  void reset() override { reset_socket(socket_); }

 private:
  std::size_t read(char* into, std::size_t size) override {
    boost::system::error_code ec;
    const std::size_t got = socket_.read_some(asio::buffer(into, size), ec);
    if (ec == asio::error::would_block) throw std::runtime_error("the client is silent");
    return ec ? 0 : got;
  }
  void write(std::string_view text) override { asio::write(socket_, asio::buffer(text)); }

  tcp::socket socket_;
};

class TlsPeer final : public Peer {
 public:
  TlsPeer(tcp::socket socket, const ServerIdentity& identity)
      : context_(asio::ssl::context::tls_server), stream_(std::move(socket), configured(identity)) {
    stream_.handshake(asio::ssl::stream_base::server);
  }
  void reset() override { reset_socket(stream_.next_layer()); }

 private:
  asio::ssl::context& configured(const ServerIdentity& identity) {
    context_.use_certificate_chain_file(identity.cert);
    context_.use_private_key_file(identity.key, asio::ssl::context::pem);
    if (!identity.client_ca.empty()) {
      context_.load_verify_file(identity.client_ca);
      context_.set_verify_mode(asio::ssl::verify_peer | asio::ssl::verify_fail_if_no_peer_cert);
    }
    return context_;
  }
  std::size_t read(char* into, std::size_t size) override {
    boost::system::error_code ec;
    const std::size_t got = stream_.read_some(asio::buffer(into, size), ec);
    return ec ? 0 : got;
  }
  void write(std::string_view text) override { asio::write(stream_, asio::buffer(text)); }

  asio::ssl::context context_;
  asio::ssl::stream<tcp::socket> stream_;
};

}  // namespace

std::string Peer::read_exactly(std::size_t size) {
  while (inbox_.size() < size) {
    std::string part(64UL << 10, '\0');
    const std::size_t got = read(part.data(), part.size());
    if (got == 0) return std::exchange(inbox_, {});
    inbox_.append(part, 0, got);
  }
  std::string out = inbox_.substr(0, size);
  inbox_.erase(0, size);
  return out;
}

std::string Peer::read_line() {
  std::string line;
  while (!line.ends_with("\r\n")) {
    const std::string next = read_exactly(1);
    if (next.empty()) return {};
    line += next;
  }
  return line;
}

std::vector<std::string> Peer::read_command() {
  const std::string header = read_line();
  if (header.empty()) return {};
  if (!header.starts_with('*')) throw std::runtime_error("not a command: " + header);
  std::vector<std::string> args(std::stoul(header.substr(1)));
  for (std::string& arg : args) {
    arg = read_exactly(std::stoul(read_line().substr(1)));
    read_exactly(2);
  }
  return args;
}

bool Peer::wait_for_close() {
  try {
    while (!read_exactly(1).empty()) {
    }
    return true;
  } catch (const std::exception&) {
    return false;
  }
}

FakeServer::FakeServer(std::vector<Script> scripts, ServerIdentity identity)
    : scripts_(std::move(scripts)),
      identity_(std::move(identity)),
      acceptor_(io_, tcp::endpoint(asio::ip::address_v4::loopback(), 0)),
      port_(acceptor_.local_endpoint().port()),
      thread_([this] { serve(); }) {}

FakeServer::~FakeServer() {
  ::shutdown(acceptor_.native_handle(), SHUT_RDWR);  // ends an accept() nobody will answer
  join();
}

void FakeServer::join() {
  if (thread_.joinable()) thread_.join();
}

ConnectOptions FakeServer::options() const {
  ConnectOptions options;
  options.port = port_;
  options.tls.enabled = !identity_.cert.empty();
  return options;
}

void FakeServer::serve() {
  for (const Script& script : scripts_) {
    try {
      tcp::socket socket = acceptor_.accept();
      const timeval limit{.tv_sec = 10, .tv_usec = 0};
      ::setsockopt(socket.native_handle(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
      std::unique_ptr<Peer> peer;
      if (identity_.cert.empty()) {
        peer = std::make_unique<TcpPeer>(std::move(socket));
      } else {
        peer = std::make_unique<TlsPeer>(std::move(socket), identity_);
      }
      script(*peer);
    } catch (const std::exception&) {
      // The client went away in the middle of the script: its own assertions say whether it may.
    }
  }
}

}  // namespace sluice::net
