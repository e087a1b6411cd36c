#include "sluice/service.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <malloc.h>
#include <sys/file.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <mutex>

#include "service/api.h"
#include "service/core.h"
#include "service/descriptor.h"
#include "service/gate.h"
#include "service/http_server.h"
#include "service/router.h"

namespace sluice {
namespace {

namespace fs = std::filesystem;
using namespace service;

constexpr std::chrono::milliseconds look_interval(200);
/// Every job brings a few threads: each would keep a heap of its own otherwise.
constexpr int heaps_max = 4;

/// Keeps a second service away from the state; -1 when there is one.
int lock_state(const fs::path& file) {
  const int fd = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0 || ::flock(fd, LOCK_EX | LOCK_NB) == 0) return fd;
  ::close(fd);
  return -1;
}

Result<void> make_state(const Config& config) {
  std::error_code bad;
  fs::create_directories(config.state, bad);
  if (!bad) fs::permissions(config.state, fs::perms::owner_all, bad);
  if (bad) {
    return std::unexpected(Error{
        .stage = Stage::engine,
        .code = "state_failed",
        .message = fmt::format("cannot use {} for the service's state: {}; set state in [service]",
                               config.state, bad.message())});
  }
  return {};
}

Error state_in_use(const Config& config) {
  return {.stage = Stage::engine,
          .code = "state_in_use",
          .message = fmt::format("another service uses {}: stop it, or set another state in "
                                 "[service]",
                                 config.state)};
}

std::vector<Route> all_routes() {
  std::vector<Route> routes;
  add_session_routes(routes);
  add_account_routes(routes);
  add_instance_routes(routes);
  add_backup_routes(routes);
  add_key_routes(routes);
  add_recovery_routes(routes);
  add_job_routes(routes);
  return routes;
}

void read_again(const ServeOptions& options, Core& core) {
  auto config = read_config(options.config);
  if (!config) {
    core.config_failed();
    core.log("the configuration stays as it was: " + config.error().message);
    return;
  }
  const auto before = core.config();
  if (config->listen.address != before->listen.address || config->state != before->state)
    core.log("address and state are taken over at the next start only");
  core.reload(std::make_shared<const Config>(*std::move(config)));
  core.log("the configuration was read anew");
}

void wait_for_end(const ServeOptions& options, Core& core, const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any timer;
  while (!stop.stop_requested()) {
    if (options.reload != nullptr && options.reload->exchange(false)) read_again(options, core);
    std::unique_lock lock(mutex);
    timer.wait_for(lock, stop, look_interval, [] { return false; });
  }
}

}  // namespace

Result<void> serve(const ServeOptions& options, std::stop_token stop) {
  ::mallopt(M_ARENA_MAX, heaps_max);
  auto read = read_config(options.config);
  if (!read) return std::unexpected(read.error());
  const auto config = std::make_shared<const Config>(*std::move(read));
  // Retention counts days as the process does.
  ::setenv("TZ", config->time_zone.c_str(), 1);
  ::tzset();
  if (auto made = make_state(*config); !made) return made;
  const Descriptor lock(lock_state(fs::path(config->state) / "LOCK"));
  if (lock.get() < 0) return std::unexpected(state_in_use(*config));
  auto database = Database::open((fs::path(config->state) / "service.db").string());
  if (!database) return std::unexpected(database.error());
  Core core(*std::move(database), config, options.version, options.log);
  std::unique_ptr<Gate> gate;
  std::unique_ptr<Router> router;
  HttpServer server(
      config->listen, [&router](const HttpRequest& request) { return router->handle(request); },
      [&router](const HttpRequest& request) { return router->is_slow(request); });
  core.set_network(server.executor());
  if (auto listening = server.open(); !listening) return listening;
  gate = std::make_unique<Gate>(core.accounts, config->listen, server.url());
  router = std::make_unique<Router>(core, *gate, all_routes());
  core.start();
  core.log(fmt::format("listening at {}", server.url()));
  if (!core.accounts.has_users()) {
    core.log(fmt::format("no account yet: make the first at {}/#/setup?token={}", server.url(),
                         core.accounts.setup_token()));
  }
  server.run();
  wait_for_end(options, core, stop);
  core.log("stopping: jobs that run are cancelled, and done again at the next start");
  return {};
}

Result<void> check_service_config(const std::string& config) {
  const auto read = read_config(config);
  if (!read) return std::unexpected(read.error());
  return {};
}

std::string starting_service_config() { return starting_config(); }

}  // namespace sluice
