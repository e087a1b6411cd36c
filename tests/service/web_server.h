#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace sluice::service {

/// A web server for one test: takes one request a connection, and answers as it is told.
class WebServer {
 public:
  struct Request {
    std::string method;
    std::string target;
    std::string headers;  ///< "Name: value" lines.
    std::string body;
  };
  static constexpr unsigned silence = 0;  ///< In place of a status: no answer, ever.

  /// `statuses`: of the answers in turn; the last one goes on. With a certificate: TLS.
  explicit WebServer(std::vector<unsigned> statuses, const std::string& certificate = {},
                     const std::string& key = {});
  ~WebServer();
  WebServer(const WebServer&) = delete;
  WebServer& operator=(const WebServer&) = delete;

  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] std::string url(const std::string& path = "/hook") const;
  [[nodiscard]] std::vector<Request> requests() const;
  void redirect_to(std::string location) { location_ = std::move(location); }

 private:
  void run();
  template <class Stream>
  void answer(Stream& stream);

  std::vector<unsigned> statuses_;
  std::string location_;
  boost::asio::io_context context_;
  std::unique_ptr<boost::asio::ssl::context> tls_;
  boost::asio::ip::tcp::acceptor acceptor_;
  std::uint16_t port_;
  mutable std::mutex mutex_;
  std::vector<Request> requests_;
  bool is_ending_ = false;
  std::vector<boost::asio::ip::tcp::socket> silent_;
  std::thread thread_;
};

}  // namespace sluice::service
