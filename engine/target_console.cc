#include "engine/target_console.h"

#include <span>
#include <utility>
#include <vector>

namespace sluice::engine {

net::Result<void> TargetConsole::open() {
  if (client_) return {};
  auto connection = io_.run(log_in(io_.executor(), link_), stop_);
  if (!connection) return std::unexpected(connection.error());
  connection_ = std::move(*connection);
  const net::ClientOptions options{.silence_timeout = link_.timeout, .limits = {}};
  client_ = std::make_unique<net::Client>(*connection_, options);
  return {};
}

net::Result<net::Reply> TargetConsole::call(std::initializer_list<std::string_view> command) {
  if (auto opened = open(); !opened) return std::unexpected(opened.error());
  const std::vector<std::string_view> arguments(command);
  auto reply = io_.run(client_->call_args(std::span(arguments)), stop_);
  if (!reply) {
    client_.reset();
    connection_.reset();
  }
  return reply;
}

net::Result<net::Reply> TargetConsole::order(std::initializer_list<std::string_view> command) {
  auto reply = call(command);
  if (!reply || !reply->is_error()) return reply;
  std::string name(*command.begin());
  if (name == "CONFIG") name += " " + std::string(command.begin()[1]);
  return std::unexpected(net::refusal(name, reply->text));
}

net::Result<std::string> TargetConsole::info(std::string_view section) {
  auto reply = order({"INFO", section});
  if (!reply) return std::unexpected(reply.error());
  return std::move(reply->text);
}

net::Result<net::ConnectionEnds> TargetConsole::ends() {
  if (auto opened = open(); !opened) return std::unexpected(opened.error());
  return connection_->ends();
}

}  // namespace sluice::engine
