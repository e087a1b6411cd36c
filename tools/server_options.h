#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "cli.h"
#include "sluice/place.h"
#include "sluice/result.h"
#include "sluice/server.h"

namespace sluice::tools {

/// The options of one live server: TLS, password and time-out.
struct ServerOptions {
  TlsSettings tls;
  std::string password_file;
  bool cluster = false;
  double timeout_s = 60;
};

/// `side` is "source" or "target".
void add_server_options(CLI::App& app, ServerOptions& options, const std::string& side);

/// The address with its password: the one in the URI, the password file, SLUICE_<SIDE>_AUTH,
/// VALKEYCLI_AUTH, REDISCLI_AUTH, whichever comes first. That of sentinels: the one in the URI,
/// SLUICE_SENTINEL_AUTH, else the server's.
[[nodiscard]] Result<ServerAddress> make_address(const std::string& uri,
                                                 const ServerOptions& options,
                                                 const std::string& side);

/// The first line of a file.
[[nodiscard]] Result<std::string> read_password(const std::string& path);

/// The place of that name, with what it takes to get in when it is a live server.
[[nodiscard]] Result<Place> make_place(const std::string& name, const ServerOptions& options,
                                       const Globals& globals);

}  // namespace sluice::tools
