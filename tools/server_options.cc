#include "server_options.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <utility>

namespace sluice::tools {

Result<std::string> read_password(const std::string& path) {
  std::ifstream file(path);
  std::string password;
  if (!file || !std::getline(file, password)) {
    return std::unexpected(Error{.stage = Stage::usage,
                                 .code = "bad_password_file",
                                 .message = "cannot read a password from " + path});
  }
  if (password.ends_with('\r')) password.pop_back();
  return password;
}

namespace {

std::optional<std::string> environment(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  if (value == nullptr || *value == '\0') return std::nullopt;
  return value;
}

}  // namespace

void add_server_options(CLI::App& app, ServerOptions& options, const std::string& side) {
  app.add_option("--" + side + "-password-file", options.password_file,
                 "File whose first line is the password of the " + side)
      ->type_name("FILE");
  app.add_flag("--cluster", options.cluster,
               "The " + side + " is a node of a cluster: all of the cluster is meant");
  app.add_option("--cacert", options.tls.cacert, "CA certificate(s) to verify the server with")
      ->type_name("FILE");
  app.add_option("--cert", options.tls.cert, "Client certificate")->type_name("FILE");
  app.add_option("--key", options.tls.key, "Private key of the client certificate")
      ->type_name("FILE");
  app.add_option("--sni", options.tls.sni, "Server name to ask for and to verify")
      ->type_name("NAME");
  app.add_flag("--insecure", options.tls.insecure, "Do not verify the server's certificate");
  app.add_option("--timeout", options.timeout_s,
                 "Give the " + side + " up when it is silent for this many seconds")
      ->type_name("S")
      ->check(CLI::Range(0.1, 86'400.0))
      ->capture_default_str();
}

Result<ServerAddress> make_address(const std::string& uri, const ServerOptions& options,
                                   const std::string& side) {
  ServerAddress address;
  address.uri = uri;
  address.tls = options.tls;
  address.cluster = options.cluster;
  address.sentinel_password = environment("SLUICE_SENTINEL_AUTH");
  address.timeout = std::chrono::milliseconds(static_cast<long>(options.timeout_s * 1000));
  if (has_password(uri)) return address;
  if (!options.password_file.empty()) {
    auto password = read_password(options.password_file);
    if (!password) return std::unexpected(password.error());
    address.password = std::move(*password);
    return address;
  }
  std::string own = "SLUICE_" + side + "_AUTH";
  std::ranges::transform(own, own.begin(), [](unsigned char letter) {
    return static_cast<char>(std::toupper(letter));
  });
  for (const std::string& name :
       {own, std::string("VALKEYCLI_AUTH"), std::string("REDISCLI_AUTH")}) {
    address.password = environment(name);
    if (address.password) break;
  }
  return address;
}

Result<Place> make_place(const std::string& name, const ServerOptions& options,
                         const Globals& globals) {
  Place place;
  place.name = name;
  place.repository = globals.repository;
  place.io = globals.io_backend();
  if (is_server_uri(name)) {
    auto address = make_address(name, options, "source");
    if (!address) return std::unexpected(address.error());
    place.server = std::move(*address);
  }
  return place;
}

}  // namespace sluice::tools
