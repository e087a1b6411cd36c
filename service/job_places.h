#pragma once

#include <memory>
#include <string>

#include "service/config.h"
#include "service/job.h"
#include "service/job_work.h"

namespace sluice::service {

/// What a job works on, by the configuration of the moment that it began in.
struct JobWork::Places {
  std::shared_ptr<const Config> config;
  const RepositoryEntry* repository = nullptr;
  const InstanceEntry* instance = nullptr;  ///< Null when the configuration has none of that name.
};

[[nodiscard]] JobOutcome done(std::string result);
[[nodiscard]] JobOutcome failed(const Error& error, std::optional<std::string> result = {});

[[nodiscard]] Error unknown_instance(const std::string& name);

}  // namespace sluice::service
