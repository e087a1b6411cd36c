#include "net/socket_error.h"

#include <boost/asio/error.hpp>
#include <boost/asio/ssl/error.hpp>
#include <utility>

#include "net/deadline.h"

namespace sluice::net {

namespace asio = boost::asio;

Error socket_error(const boost::system::error_code& ec, std::string detail) {
  if (ec == asio::error::operation_aborted) return cancelled_error();
  if (!detail.empty()) detail += ": ";
  detail += ec.message();
  if (ec == asio::error::eof || ec == asio::error::connection_reset ||
      ec == asio::error::broken_pipe || ec == asio::error::connection_aborted ||
      ec == asio::ssl::error::stream_truncated) {
    return {.code = Errc::closed_by_peer, .detail = std::move(detail)};
  }
  if (ec == asio::error::timed_out) return {.code = Errc::timed_out, .detail = std::move(detail)};
  if (ec.category() == asio::error::get_ssl_category() ||
      ec.category() == asio::ssl::error::get_stream_category()) {
    return {.code = Errc::tls_failed, .detail = std::move(detail)};
  }
  return {.code = ec, .detail = std::move(detail)};
}

}  // namespace sluice::net
