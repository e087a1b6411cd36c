#include "web_server.h"

#include <algorithm>
#include <boost/asio/ip/address_v4.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <sstream>

namespace sluice::service {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::ip::tcp;

WebServer::WebServer(std::vector<unsigned> statuses, const std::string& certificate,
                     const std::string& key)
    : statuses_(std::move(statuses)),
      acceptor_(context_, tcp::endpoint(asio::ip::address_v4::loopback(), 0)),
      port_(acceptor_.local_endpoint().port()) {
  if (!certificate.empty()) {
    tls_ = std::make_unique<asio::ssl::context>(asio::ssl::context::tls_server);
    tls_->use_certificate_chain_file(certificate);
    tls_->use_private_key_file(key, asio::ssl::context::pem);
  }
  thread_ = std::thread([this] { run(); });
}

WebServer::~WebServer() {
  {
    const std::lock_guard guard(mutex_);
    is_ending_ = true;
  }
  // The accept that waits is woken by one more connection.
  boost::system::error_code ignored;
  tcp::socket socket(context_);
  socket.connect(tcp::endpoint(asio::ip::address_v4::loopback(), port_), ignored);
  thread_.join();
}

std::string WebServer::url(const std::string& path) const {
  return std::string(tls_ ? "https" : "http") + "://127.0.0.1:" + std::to_string(port_) + path;
}

std::vector<WebServer::Request> WebServer::requests() const {
  const std::lock_guard guard(mutex_);
  return requests_;
}

void WebServer::run() {
  for (;;) {
    tcp::socket socket(context_);
    boost::system::error_code failed;
    acceptor_.accept(socket, failed);
    {
      const std::lock_guard guard(mutex_);
      if (is_ending_ || failed) return;
    }
    if (tls_) {
      asio::ssl::stream<tcp::socket> stream(std::move(socket), *tls_);
      stream.handshake(asio::ssl::stream_base::server, failed);
      if (!failed) answer(stream);
    } else {
      answer(socket);
      silent_.push_back(std::move(socket));  // one that is silent stays open
    }
  }
}

template <class Stream>
void WebServer::answer(Stream& stream) {
  boost::beast::flat_buffer buffer;
  http::request<http::string_body> request;
  boost::system::error_code failed;
  http::read(stream, buffer, request, failed);
  if (failed) return;
  std::ostringstream headers;
  for (const auto& field : request) headers << field.name_string() << ": " << field.value() << '\n';
  std::size_t number = 0;
  {
    const std::lock_guard guard(mutex_);
    requests_.push_back({.method = std::string(request.method_string()),
                         .target = std::string(request.target()),
                         .headers = headers.str(),
                         .body = request.body()});
    number = std::min(requests_.size(), statuses_.size()) - 1;
  }
  if (statuses_[number] == silence) return;
  http::response<http::string_body> response;
  response.result(statuses_[number]);
  response.keep_alive(false);
  if (!location_.empty()) response.set(http::field::location, location_);
  if (statuses_[number] != 204) response.body() = "what the server says";
  response.prepare_payload();
  http::write(stream, response, failed);
}

}  // namespace sluice::service
