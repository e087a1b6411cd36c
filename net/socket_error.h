#pragma once

#include <boost/system/error_code.hpp>
#include <string>

#include "net/error.h"

namespace sluice::net {

/// The one place where Asio's codes become ours: end of stream and resets are closed_by_peer,
/// aborted operations cancelled, OpenSSL's tls_failed; others stay the system's own.
[[nodiscard]] Error socket_error(const boost::system::error_code& ec, std::string detail);

}  // namespace sluice::net
