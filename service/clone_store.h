#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "service/database.h"
#include "sluice/server.h"

namespace sluice::service {

/// A server that holds a backup, and what became of it.
struct Clone {
  std::int64_t id = 0;
  std::string backup = {};
  std::string instance = {};   ///< Of the backup.
  std::string target = {};     ///< Name of the configuration's.
  std::string uri = {};        ///< Without secrets; empty until it is known.
  std::string directory = {};  ///< Of a local one.
  std::int64_t created_at_ms = 0;
  std::string state = "making";  ///< making ready failed gone promoted
  std::optional<bool> verified = {};
  std::uint64_t keys = 0;
  std::optional<std::string> digest = {};
  std::int64_t job = 0;
};

/// The clones in the service's state. Threads: any.
class CloneStore {
 public:
  explicit CloneStore(Database& database) : database_(database) {}

  [[nodiscard]] std::int64_t add(const Clone& clone);
  /// Where it is; `address` with its secrets is kept for promote and take-back.
  void set_server(std::int64_t id, const std::string& uri, const std::string& directory,
                  const ServerAddress& address);
  void set_state(std::int64_t id, const std::string& state);
  void set_result(std::int64_t id, const std::string& state, std::optional<bool> verified,
                  std::uint64_t keys, const std::optional<std::string>& digest);
  [[nodiscard]] std::optional<Clone> find(std::int64_t id);
  [[nodiscard]] std::optional<ServerAddress> address(std::int64_t id);
  [[nodiscard]] std::vector<Clone> list();  ///< Newest first.

 private:
  Database& database_;
};

}  // namespace sluice::service
