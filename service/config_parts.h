#pragma once

#include <string>

#include "service/config.h"
#include "service/config_reader.h"

namespace sluice::service {

/// A [policies.NAME] table. `zone`: for schedules that name none.
[[nodiscard]] Policy read_policy(const std::string& name, const std::string& zone,
                                 ConfigTable& table);

/// `uri` and how to get in. `shown` is the address without secrets.
void read_server(ConfigTable& table, ServerAddress& address, std::string& shown);

[[nodiscard]] RepositoryEntry read_repository(const std::string& name, ConfigTable& table);
[[nodiscard]] TargetEntry read_target(const std::string& name, ConfigTable& table);
[[nodiscard]] NotifyEntry read_notify(const std::string& name, ConfigTable& table);
void read_listen(ConfigTable& table, ListenEntry& listen);
/// The path of a file that has to be there, beside the configuration or among the credentials.
/// `secret`: others must not read it.
void read_file_path(ConfigTable& table, std::string_view key, bool secret, std::string& into);

}  // namespace sluice::service
