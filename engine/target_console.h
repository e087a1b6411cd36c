#pragma once

#include <initializer_list>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>

#include "engine/io_thread.h"
#include "engine/server_link.h"
#include "net/client.h"
#include "net/connection.h"
#include "net/error.h"

namespace sluice::engine {

/// A connection over which a server is asked and told things, one after another. Opened when it is
/// first needed, and again after it broke.
///
/// Errors:   those of log_in() and net::Client; an error reply is a Reply, unless the call says
///           otherwise.
/// Threads:  one at a time, which blocks. Lifetime: `io` and `link` outlive it.
class TargetConsole {
 public:
  TargetConsole(IoThread& io, const ServerLink& link) : io_(io), link_(link) {}

  /// Calls are given up when `stop` is asked for.
  void set_stop(std::stop_token stop) { stop_ = std::move(stop); }

  [[nodiscard]] net::Result<net::Reply> call(std::initializer_list<std::string_view> command);
  /// The same; an error reply is an error, as net::refusal() says.
  [[nodiscard]] net::Result<net::Reply> order(std::initializer_list<std::string_view> command);
  /// The text of INFO of one section.
  [[nodiscard]] net::Result<std::string> info(std::string_view section);

  /// The ends of the connection, which is opened for that.
  [[nodiscard]] net::Result<net::ConnectionEnds> ends();
  [[nodiscard]] const ServerLink& link() const noexcept { return link_; }

 private:
  [[nodiscard]] net::Result<void> open();

  IoThread& io_;
  const ServerLink& link_;
  std::stop_token stop_;
  std::unique_ptr<net::Connection> connection_;
  std::unique_ptr<net::Client> client_;
};

}  // namespace sluice::engine
