#include "net/tls.h"

#include <fmt/format.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <utility>

#include "net/deadline.h"
#include "net/socket_error.h"

namespace sluice::net {

namespace asio = boost::asio;
namespace ssl = asio::ssl;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

Error tls_error(std::string detail) {
  return {.code = Errc::tls_failed, .detail = std::move(detail)};
}

class TlsConnection final : public Connection {
 public:
  TlsConnection(tcp::socket socket, ssl::context context, const ConnectOptions& options)
      : Connection(address_of(options), ends_of(socket)),
        context_(std::move(context)),
        stream_(std::move(socket), context_) {}

  [[nodiscard]] ssl::stream<tcp::socket>& stream() noexcept { return stream_; }

 private:
  asio::awaitable<Result<std::size_t>> read_now(std::span<std::byte> into) override {
    const auto buffer = asio::buffer(into.data(), into.size());
    const auto [ec, size] = co_await stream_.async_read_some(buffer, as_result);
    if (ec) co_return std::unexpected(socket_error(ec, {}));
    co_return size;
  }
  asio::awaitable<Result<std::size_t>> write_now(std::span<const std::byte> bytes) override {
    const auto buffer = asio::buffer(bytes.data(), bytes.size());
    const auto [ec, size] = co_await stream_.async_write_some(buffer, as_result);
    if (ec) co_return std::unexpected(socket_error(ec, {}));
    co_return size;
  }

  ssl::context context_;
  ssl::stream<tcp::socket> stream_;
};

Result<void> load_certificates(ssl::context& context, const TlsOptions& options) {
  error_code ec;
  if (options.cacert.empty()) {
    context.set_default_verify_paths(ec);
  } else {
    context.load_verify_file(options.cacert, ec);
  }
  if (ec) {
    return std::unexpected(
        tls_error(fmt::format("CA certificates '{}': {}", options.cacert, ec.message())));
  }
  if (options.cert.empty() != options.key.empty()) {
    return std::unexpected(
        tls_error("a client certificate needs its key, and a key its certificate"));
  }
  if (options.cert.empty()) return {};
  context.use_certificate_chain_file(options.cert, ec);
  if (ec) {
    return std::unexpected(
        tls_error(fmt::format("certificate '{}': {}", options.cert, ec.message())));
  }
  context.use_private_key_file(options.key, ssl::context::pem, ec);
  if (ec) {
    return std::unexpected(tls_error(fmt::format("key '{}': {}", options.key, ec.message())));
  }
  return {};
}

Result<ssl::context> make_context(const TlsOptions& options) {
  ssl::context context(ssl::context::tls_client);
  ::SSL_CTX_set_min_proto_version(context.native_handle(), TLS1_2_VERSION);
  if (auto loaded = load_certificates(context, options); !loaded) {
    return std::unexpected(std::move(loaded.error()));
  }
  error_code ec;
  context.set_verify_mode(options.insecure ? ssl::verify_none : ssl::verify_peer, ec);
  if (ec) return std::unexpected(tls_error(ec.message()));
  return context;
}

// OpenSSL's own check, and not Asio's callback, so that a wrong name has a reason of its own.
bool set_expected_name(::SSL* session, const std::string& name, bool verify) {
  error_code not_address;
  asio::ip::make_address(name, not_address);
  if (!not_address) {  // an IP address is never sent as SNI
    return !verify || ::X509_VERIFY_PARAM_set1_ip_asc(::SSL_get0_param(session), name.c_str()) == 1;
  }
  // SSL_set_tlsext_host_name casts with C syntax; this is what it expands to.
  const long sni_set = ::SSL_ctrl(session, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
                                  const_cast<char*>(name.c_str()));
  if (sni_set != 1 || !verify) return sni_set == 1;
  ::SSL_set_hostflags(session, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  return ::SSL_set1_host(session, name.c_str()) == 1;
}

Error handshake_error(const error_code& ec, ::SSL* session, const std::string& name) {
  if (ec == asio::error::operation_aborted) return cancelled_error();
  const bool verified = ::SSL_get_verify_mode(session) != SSL_VERIFY_NONE;
  const long verdict = ::SSL_get_verify_result(session);
  if (verified && verdict != X509_V_OK) {
    return tls_error(fmt::format("the certificate of '{}' is not trusted: {}", name,
                                 ::X509_verify_cert_error_string(verdict)));
  }
  const Error error = socket_error(ec, {});
  if (error.code == Errc::closed_by_peer) {
    return tls_error("the peer closed during the TLS handshake: is this a TLS port?");
  }
  return tls_error(fmt::format("handshake with '{}': {}", name, ec.message()));
}

}  // namespace

asio::awaitable<Result<std::unique_ptr<Connection>>> start_tls(tcp::socket socket,
                                                               ConnectOptions options) {
  auto context = make_context(options.tls);
  if (!context) co_return std::unexpected(std::move(context.error()));
  auto connection =
      std::make_unique<TlsConnection>(std::move(socket), *std::move(context), options);
  auto& stream = connection->stream();
  const std::string& name = options.tls.sni.empty() ? options.host : options.tls.sni;
  if (!set_expected_name(stream.native_handle(), name, !options.tls.insecure)) {
    co_return std::unexpected(tls_error(fmt::format("'{}' is not a host name", printable(name))));
  }
  const bool cancelled = co_await cancel_requested();
  if (cancelled) co_return std::unexpected(cancelled_error());
  const auto [ec] = co_await stream.async_handshake(ssl::stream_base::client, as_result);
  if (ec) co_return std::unexpected(handshake_error(ec, stream.native_handle(), name));
  co_return std::move(connection);
}

}  // namespace sluice::net
