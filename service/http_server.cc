#include "service/http_server.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl/ssl_stream.hpp>
#include <exception>
#include <utility>

#include "sluice/result.h"

namespace sluice::service {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;

using PlainStream = beast::basic_stream<asio::generic::stream_protocol>;
using TlsStream = beast::ssl_stream<PlainStream>;

constexpr std::chrono::seconds request_time_max(60);
constexpr std::chrono::seconds write_time_max(60);
constexpr std::uint32_t header_max = 16 << 10;
constexpr std::chrono::milliseconds accept_pause(100);

Error listen_failed(const std::string& address, const std::string& what) {
  return {
      .stage = Stage::engine,
      .code = "listen_failed",
      .message = fmt::format("cannot listen at {}: {}; change address in [listen], or stop what "
                             "listens there",
                             address, what)};
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

void set_common(http::fields& fields, const HttpResponse& response, bool tls) {
  fields.set(http::field::content_type, response.type);
  fields.set(http::field::cache_control, "no-store");
  fields.set("X-Content-Type-Options", "nosniff");
  fields.set("Referrer-Policy", "no-referrer");
  fields.set("X-Frame-Options", "DENY");
  fields.set("Cross-Origin-Opener-Policy", "same-origin");
  fields.set("Cross-Origin-Resource-Policy", "same-origin");
  fields.set("Content-Security-Policy",
             "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
             "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'");
  if (tls) fields.set("Strict-Transport-Security", "max-age=31536000");
  for (const auto& [name, value] : response.headers) fields.insert(name, value);
}

template <class Message>
HttpRequest request_of(const Message& message, const std::string& peer, bool tls) {
  HttpRequest request;
  request.method = std::string(message.method_string());
  for (const auto& field : message) {
    const std::string name = lower(std::string_view(field.name_string()));
    request.headers[name] = std::string(field.value());
  }
  request.body = message.body();
  request.peer = peer;
  request.tls = tls;
  return request;
}

asio::awaitable<HttpResponse> call(const HttpServer::Handler& handler, const HttpRequest& request) {
  try {
    co_return handler(request);
  } catch (const std::exception& problem) {
    co_return error_response(
        500, "fault",
        fmt::format("{}; this is a fault of sluice, please report it", problem.what()));
  }
}

PlainStream& plain(PlainStream& stream) { return stream; }
PlainStream& plain(TlsStream& stream) { return stream.next_layer(); }

}  // namespace

HttpServer::HttpServer(ListenEntry listen, Handler handler, IsSlow is_slow)
    : listen_(std::move(listen)), handler_(std::move(handler)), is_slow_(std::move(is_slow)) {}

HttpServer::~HttpServer() {
  io_.stop();
  if (thread_.joinable()) thread_.join();
  quick_.join();
  slow_.join();
  if (!unix_path_.empty()) ::unlink(unix_path_.c_str());
}

Result<void> HttpServer::open() {
  if (!listen_.certificate.empty()) {
    if (auto loaded = load_certificate(); !loaded) return loaded;
  }
  constexpr std::string_view unix_scheme = "unix:";
  if (listen_.address.starts_with(unix_scheme)) {
    return listen_unix(listen_.address.substr(unix_scheme.size()));
  }
  const std::size_t colon = listen_.address.rfind(':');
  std::string host = listen_.address.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  return listen_tcp(host, listen_.address.substr(colon + 1));
}

void HttpServer::run() {
  thread_ = std::thread([this] { io_.run(); });
}

Result<void> HttpServer::load_certificate() {
  tls_.emplace(asio::ssl::context::tls_server);
  boost::system::error_code bad;
  tls_->set_options(asio::ssl::context::default_workarounds | asio::ssl::context::no_tlsv1 |
                        asio::ssl::context::no_tlsv1_1,
                    bad);
  if (!bad) tls_->use_certificate_chain_file(listen_.certificate, bad);
  if (!bad) tls_->use_private_key_file(listen_.key, asio::ssl::context::pem, bad);
  if (!bad) return {};
  return std::unexpected(
      Error{.stage = Stage::usage,
            .code = "bad_certificate",
            .message = fmt::format("certificate {} with key {}: {}; both have to be PEM and belong "
                                   "together",
                                   listen_.certificate, listen_.key, bad.message())});
}

Result<void> HttpServer::listen_tcp(const std::string& host, const std::string& port) {
  using asio::ip::tcp;
  boost::system::error_code bad;
  tcp::resolver resolver(io_);
  const auto found = resolver.resolve(host, port, tcp::resolver::passive, bad);
  if (bad) return std::unexpected(listen_failed(listen_.address, bad.message()));
  auto acceptor = std::make_shared<tcp::acceptor>(io_);
  const tcp::endpoint endpoint = found.begin()->endpoint();
  acceptor->open(endpoint.protocol(), bad);
  if (!bad) acceptor->set_option(asio::socket_base::reuse_address(true), bad);
  if (!bad) acceptor->bind(endpoint, bad);
  if (!bad) acceptor->listen(asio::socket_base::max_listen_connections, bad);
  if (bad) return std::unexpected(listen_failed(listen_.address, bad.message()));
  const auto bound = acceptor->local_endpoint();
  const std::string shown = bound.address().is_v6()
                                ? fmt::format("[{}]", bound.address().to_string())
                                : bound.address().to_string();
  url_ = fmt::format("{}://{}:{}", tls_ ? "https" : "http", shown, bound.port());
  asio::co_spawn(io_, accept(std::move(acceptor)), asio::detached);
  return {};
}

Result<void> HttpServer::listen_unix(const std::string& path) {
  using asio::local::stream_protocol;
  boost::system::error_code bad;
  auto acceptor = std::make_shared<stream_protocol::acceptor>(io_);
  struct stat found{};
  if (::lstat(path.c_str(), &found) == 0 && S_ISSOCK(found.st_mode)) ::unlink(path.c_str());
  acceptor->open(stream_protocol(), bad);
  const mode_t before = ::umask(0117);
  if (!bad) acceptor->bind(stream_protocol::endpoint(path), bad);
  ::umask(before);
  if (!bad) acceptor->listen(asio::socket_base::max_listen_connections, bad);
  if (bad) return std::unexpected(listen_failed(listen_.address, bad.message()));
  unix_path_ = path;
  url_ = "unix:" + path;
  asio::co_spawn(io_, accept(std::move(acceptor)), asio::detached);
  return {};
}

template <class Acceptor>
asio::awaitable<void> HttpServer::accept(std::shared_ptr<Acceptor> acceptor) {
  asio::steady_timer timer(io_);
  while (true) {
    auto [bad, socket] = co_await acceptor->async_accept(asio::as_tuple(asio::use_awaitable));
    if (bad || connections_ >= connections_max) {
      timer.expires_after(accept_pause);
      co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
      continue;
    }
    std::string peer = "local";
    if constexpr (std::is_same_v<Acceptor, asio::ip::tcp::acceptor>) {
      boost::system::error_code gone;
      const auto endpoint = socket.remote_endpoint(gone);
      if (gone) continue;
      peer = endpoint.address().to_string();
    }
    asio::co_spawn(io_, serve_socket(Socket(std::move(socket)), std::move(peer)), asio::detached);
  }
}

asio::awaitable<void> HttpServer::serve_socket(Socket socket, std::string peer) {
  struct Count {
    explicit Count(unsigned& count) : value(count) { ++value; }
    Count(const Count&) = delete;
    Count& operator=(const Count&) = delete;
    ~Count() { --value; }
    unsigned& value;
  };
  const Count count(connections_);
  try {
    if (tls_) {
      TlsStream stream(PlainStream(std::move(socket)), *tls_);
      stream.next_layer().expires_after(request_time_max);
      co_await stream.async_handshake(asio::ssl::stream_base::server, asio::use_awaitable);
      co_await serve(stream, std::move(peer));
    } else {
      PlainStream stream(std::move(socket));
      co_await serve(stream, std::move(peer));
    }
  } catch (const std::exception&) {
    // The client went away, or sent what is no HTTP.
  }
}

template <class Stream>
asio::awaitable<void> HttpServer::serve(Stream& stream, std::string peer) {
  beast::flat_buffer buffer;
  bool more = true;
  while (more) {
    http::request_parser<http::string_body> parser;
    parser.body_limit(body_max);
    parser.header_limit(header_max);
    plain(stream).expires_after(request_time_max);
    const auto [bad, size] =
        co_await http::async_read(stream, buffer, parser, asio::as_tuple(asio::use_awaitable));
    if (bad) break;
    const auto& message = parser.get();
    HttpRequest request = request_of(message, peer, tls_.has_value());
    const bool well_formed = split_target(std::string_view(message.target()), request);
    if (!well_formed) request.segments = {"malformed"};
    more = co_await answer(stream, request, message.version(), message.keep_alive());
  }
  boost::system::error_code ignored;
  plain(stream).socket().shutdown(asio::socket_base::shutdown_send, ignored);
}

asio::awaitable<HttpResponse> HttpServer::respond(const HttpRequest& request) {
  if (is_slow_(request)) {
    co_return co_await asio::co_spawn(slow_, call(handler_, request), asio::use_awaitable);
  }
  co_return co_await asio::co_spawn(quick_, call(handler_, request), asio::use_awaitable);
}

template <class Stream>
asio::awaitable<bool> HttpServer::answer(Stream& stream, HttpRequest& request, unsigned version,
                                         bool keep_alive) {
  plain(stream).expires_never();  // the handler may take its time
  const HttpResponse response = co_await respond(request);
  if (response.source) {
    http::response<http::empty_body> head(static_cast<http::status>(response.status), 11);
    set_common(head, response, request.tls);
    head.chunked(true);
    head.keep_alive(false);
    http::response_serializer<http::empty_body> serializer(head);
    plain(stream).expires_after(write_time_max);
    co_await http::async_write_header(stream, serializer, asio::use_awaitable);
    co_await send_pieces(stream, response);
    co_return false;
  }
  http::response<http::string_body> message(static_cast<http::status>(response.status), version);
  set_common(message, response, request.tls);
  message.keep_alive(keep_alive);
  if (request.method == "HEAD") {
    message.content_length(response.body.size());
  } else {
    message.body() = response.body;
    message.prepare_payload();
  }
  plain(stream).expires_after(write_time_max);
  http::serializer<false, http::string_body> serializer(message);
  if (request.method == "HEAD") {
    co_await http::async_write_header(stream, serializer, asio::use_awaitable);
  } else {
    co_await http::async_write(stream, serializer, asio::use_awaitable);
  }
  co_return keep_alive;
}

template <class Stream>
asio::awaitable<bool> HttpServer::send_pieces(Stream& stream, const HttpResponse& response) {
  std::string piece;
  while (true) {
    piece.clear();
    plain(stream).expires_never();
    const auto state = co_await response.source->next(piece);
    if (state == BodySource::State::broken) co_return false;
    plain(stream).expires_after(write_time_max);
    if (!piece.empty()) {
      co_await asio::async_write(stream, http::make_chunk(asio::buffer(piece)),
                                 asio::use_awaitable);
    }
    if (state == BodySource::State::end) break;
  }
  co_await asio::async_write(stream, http::make_chunk_last(), asio::use_awaitable);
  co_return true;
}

}  // namespace sluice::service
