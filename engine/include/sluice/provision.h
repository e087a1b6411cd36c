#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "sluice/job.h"
#include "sluice/result.h"
#include "sluice/server.h"

namespace sluice {

/// A live server, as whoever makes one like it has to know it.
struct ServerDescription {
  std::string uri;     ///< Without secrets.
  std::string flavor;  ///< "redis", "valkey", …
  std::string version;
  std::uint64_t databases = 16;
};
/// Errors: it cannot be reached.
[[nodiscard]] Result<ServerDescription> describe_server(const ServerAddress& address,
                                                        const JobContext& job);

/// What a server is wanted for: it is told to whoever provides it, and decides what is started
/// here.
struct ProvisionOptions {
  /// "local", "local:DIR": a server of this machine, its files in DIR, which is made and must be
  /// empty (default: a new directory sluice-clone-… here). "exec:COMMAND": what /bin/sh makes of
  /// COMMAND prints the URI of one as its first line; its environment has what stands below.
  std::string how;
  std::string program;           ///< local: the server's program; empty: flavor-server, by PATH.
  std::string flavor;            ///< "redis" or "valkey".     SLUICE_SERVER
  std::string version;           ///< Of the source; or empty. SLUICE_VERSION
  std::string name;              ///< Backup or source.        SLUICE_SOURCE
  std::uint64_t keys = 0;        ///< 0: not known.            SLUICE_KEYS
  std::uint64_t bytes = 0;       ///< As RDB; 0: not known.    SLUICE_BYTES
  std::uint64_t databases = 16;  ///< At least.              SLUICE_DATABASES
};

/// A server that was provided.
struct ProvisionedServer {
  ServerAddress address;  ///< With its password.
  std::string uri;        ///< Without.
  // Of a local one:
  std::string directory;  ///< Has server.conf, with the password, for its owner alone.
  std::optional<std::int64_t> pid;
};

/// Starts a server, or has one provided. A local one listens on 127.0.0.1 at a port that is free,
/// with a password of its own, and goes on after this program; server.conf starts it again.
/// Errors: "bad_option"; "provision_failed" with what the program said.
/// Threads: blocks; ends soon when the job is to stop.
[[nodiscard]] Result<ProvisionedServer> provision(const ProvisionOptions& options,
                                                  const JobContext& job);

/// A local one by the directory that it was made in, as provision() left it, whether or not it
/// runs; so that what a program that was killed had made can be taken back. None when there is no
/// such server's configuration.
[[nodiscard]] std::optional<ProvisionedServer> find_provisioned(const std::string& directory);

/// Takes back a local one after a failure: ends the server, and removes what it made. Others stay.
/// Returns what is left, for the operator; empty when nothing is.
[[nodiscard]] std::string take_back(const ProvisionedServer& server);

}  // namespace sluice
