#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/thread_pool.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "service/config.h"
#include "service/http_message.h"
#include "sluice/result.h"

namespace sluice::service {

/// Serves HTTP/1.1 on one address: TCP, with or without TLS, or a Unix socket. One thread does the
/// network, a few more call the handler, so that an answer that takes its time delays no other.
/// Threads: open(), run() and the destructor from one thread. The handler is called on several.
class HttpServer {
 public:
  using Handler = std::function<HttpResponse(const HttpRequest&)>;
  /// Whether a request may take long: those have threads of their own.
  using IsSlow = std::function<bool(const HttpRequest&)>;

  static constexpr std::size_t body_max = 256 << 10;
  static constexpr unsigned connections_max = 512;

  HttpServer(ListenEntry listen, Handler handler, IsSlow is_slow);
  /// Cuts the connections.
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  /// Takes the address. Errors: "listen_failed", "bad_certificate".
  [[nodiscard]] Result<void> open();
  /// Begins to answer.
  void run();
  /// "http://127.0.0.1:7780"; with the port that was given when 0 was asked for.
  [[nodiscard]] std::string url() const { return url_; }
  [[nodiscard]] boost::asio::any_io_executor executor() { return io_.get_executor(); }

 private:
  using Socket = boost::asio::generic::stream_protocol::socket;

  Result<void> load_certificate();
  Result<void> listen_tcp(const std::string& host, const std::string& port);
  Result<void> listen_unix(const std::string& path);
  template <class Acceptor>
  boost::asio::awaitable<void> accept(std::shared_ptr<Acceptor> acceptor);
  boost::asio::awaitable<void> serve_socket(Socket socket, std::string peer);
  template <class Stream>
  boost::asio::awaitable<void> serve(Stream& stream, std::string peer);
  template <class Stream>
  boost::asio::awaitable<bool> answer(Stream& stream, HttpRequest& request, unsigned version,
                                      bool keep_alive);
  template <class Stream>
  boost::asio::awaitable<bool> send_pieces(Stream& stream, const HttpResponse& response);
  boost::asio::awaitable<HttpResponse> respond(const HttpRequest& request);

  const ListenEntry listen_;
  Handler handler_;
  IsSlow is_slow_;
  std::string url_;
  std::string unix_path_;
  std::optional<boost::asio::ssl::context> tls_;
  unsigned connections_ = 0;
  boost::asio::io_context io_{1};
  boost::asio::thread_pool quick_{2};
  boost::asio::thread_pool slow_{2};
  std::thread thread_;
};

}  // namespace sluice::service
