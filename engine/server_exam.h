#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "engine/findings.h"
#include "engine/server_link.h"
#include "net/client.h"

namespace sluice::engine {

/// What a server says of itself to a user who has only come to ask.
struct ServerExam {
  std::optional<std::string> info;              ///< INFO; absent where that was refused.
  std::map<std::string, std::string> settings;  ///< Those that CONFIG GET gave.
  std::optional<std::string> user;              ///< ACL WHOAMI, from Redis 6.0.
  std::vector<std::string> denied;              ///< Commands that this user may not use.
  bool denied_known = false;                    ///< ACL DRYRUN, from Redis 7.0.
  std::vector<std::string> missing;             ///< Commands that the server does not have.
};

/// Logs in and asks; nothing is changed there. What is refused stays empty.
[[nodiscard]] boost::asio::awaitable<net::Result<ServerExam>> ask_exam(
    boost::asio::any_io_executor executor, ServerLink link);

/// Says what would keep the server from being backed up, or make that go wrong.
void judge_server(const ServerExam& exam, Findings& findings);

}  // namespace sluice::engine
