#pragma once

#include <vector>

#include "service/router.h"

namespace sluice::service {

/// The operations of the API, by what they are about.
void add_session_routes(std::vector<Route>& routes);
void add_account_routes(std::vector<Route>& routes);
void add_instance_routes(std::vector<Route>& routes);
void add_backup_routes(std::vector<Route>& routes);
void add_key_routes(std::vector<Route>& routes);
void add_recovery_routes(std::vector<Route>& routes);
void add_job_routes(std::vector<Route>& routes);

/// A number in the query, between 1 and `most`; `otherwise` when there is none.
[[nodiscard]] unsigned limit_of(const Call& call, unsigned otherwise, unsigned most);

/// A number in decimal digits, whole; none when it is not one, or too long.
[[nodiscard]] std::optional<std::int64_t> number_in(std::string_view text);

/// 404.
[[nodiscard]] HttpResponse no_such(std::string_view what, const std::string& name);

/// Queues a job for the caller and answers with it.
[[nodiscard]] HttpResponse queue(Call& call, NewJob job);

}  // namespace sluice::service
