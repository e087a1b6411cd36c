// Jobs that put a backup into a server made for it: clones, what becomes of them, and drills.

#include <fmt/format.h>

#include <filesystem>
#include <random>

#include "service/job_places.h"
#include "service/json.h"
#include "service/restore_outcome.h"
#include "service/text.h"
#include "sluice/catalog.h"
#include "sluice/clone.h"
#include "sluice/provision.h"
#include "sluice/restore.h"

namespace sluice::service {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view local_in = "local:";

/// The directory of one local server of a target.
fs::path directory_of(const TargetEntry& target, std::string_view kind, std::int64_t job) {
  const std::string_view how = target.how;
  if (!how.starts_with(local_in)) return {};
  return fs::path(how.substr(local_in.size())) / fmt::format("{}-{}", kind, job);
}

ProvisionOptions options_for(const TargetEntry& target, const fs::path& directory,
                             const BackupSummary& backup) {
  ProvisionOptions options;
  options.how = directory.empty() ? target.how : std::string(local_in) + directory.string();
  options.program = target.program;
  options.flavor = backup.source.server == "valkey" ? "valkey" : "redis";
  options.version = backup.source.version;
  options.name = backup.id;
  options.keys = backup.keys;
  options.bytes = backup.raw_bytes;
  return options;
}

/// As many databases as the backup has keys in.
Result<std::uint64_t> databases_of(const RepositoryPlace& repository, const std::string& backup) {
  const auto detail = show(repository, backup);
  if (!detail) return std::unexpected(detail.error());
  std::uint64_t databases = 16;
  for (const auto& [db, keys] : detail->databases) databases = std::max(databases, db + 1);
  return databases;
}

Result<RestoreResult> fill(const RepositoryPlace& repository, const std::string& backup,
                           const ServerAddress& address, bool flush, const JobContext& context) {
  RestoreOptions options;
  options.repository = repository;
  options.backup = backup;
  options.target = address;
  options.flush = flush;
  options.verify = Proof::always;
  return sluice::restore(options, context);
}

Error not_there(const std::string& what) {
  return {.stage = Stage::engine, .code = "not_found", .message = what};
}

/// Any of them; half of the time the newest or the oldest, which matter most.
std::size_t choose(std::size_t count) {
  std::random_device random;
  switch (std::uniform_int_distribution<int>(0, 3)(random)) {
    case 0: return count - 1;
    case 1: return 0;
    default: return std::uniform_int_distribution<std::size_t>(0, count - 1)(random);
  }
}

/// A server of our own that goes when it is not needed any more.
class ThrowAway {
 public:
  explicit ThrowAway(ProvisionedServer server) : server_(std::move(server)) {}
  ThrowAway(const ThrowAway&) = delete;
  ThrowAway& operator=(const ThrowAway&) = delete;
  ~ThrowAway() { static_cast<void>(take_back(server_)); }
  [[nodiscard]] const ServerAddress& address() const { return server_.address; }

 private:
  ProvisionedServer server_;
};

}  // namespace

JobOutcome JobWork::clone(const Job& job, const Places& places, const JobContext& context) {
  const std::string name = text_of(parse_object(job.what.options), "target");
  const TargetEntry* target = places.config->target(name);
  const auto entry = catalog_.find(job.what.backup.value_or(""));
  if (target == nullptr)
    return failed(not_there("target " + name + " is not in the configuration"));
  if (!entry) return failed(not_there("the backup is not listed any more"));
  const fs::path directory = directory_of(*target, "clone", job.id);
  Clone clone{.backup = entry->backup.id, .instance = entry->backup.instance, .target = name};
  clone.directory = directory.string();
  clone.created_at_ms = now_ms();
  clone.job = job.id;
  const std::int64_t id = clones_.add(clone);
  ServerAddress address;
  std::optional<ProvisionedServer> made;
  if (target->address) {
    address = *target->address;
    clones_.set_server(id, target->shown_uri, {}, address);
  } else {
    auto options = options_for(*target, directory, entry->backup);
    const auto databases = databases_of(places.repository->place, entry->backup.id);
    if (databases) options.databases = *databases;
    auto provisioned = provision(options, context);
    if (!provisioned) {
      clones_.set_state(id, "failed");
      return failed(provisioned.error());
    }
    made = *std::move(provisioned);
    address = made->address;
    clones_.set_server(id, made->uri, made->directory, address);
  }
  const auto result = fill(places.repository->place, entry->backup.id, address,
                           target->address.has_value(), context);
  JobOutcome outcome = result ? outcome_of(*result) : failed(result.error());
  const bool good = outcome.state == job_state::done;
  if (!good && made && !made->directory.empty()) static_cast<void>(take_back(*made));
  if (good) {
    clones_.set_result(id, "ready", result->verified, result->total.written, result->digest);
  } else {
    clones_.set_state(id, "failed");
  }
  return outcome;
}

JobOutcome JobWork::promote(const Job& job, const Places& places, const JobContext& context) {
  if (places.instance == nullptr) return failed(unknown_instance(job.what.instance));
  const auto id = number_of(parse_object(job.what.options), "clone").value_or(0);
  const auto address = clones_.address(id);
  if (!address) return failed(not_there(fmt::format("clone {} has no server", id)));
  CloneOptions options;
  options.source = *address;
  options.target = places.instance->address;
  options.flush = true;
  const auto result = sluice::clone(options, context);
  if (!result) return failed(result.error());
  std::string text = sluice::to_json(*result);
  if (const auto fault = fault_of(result->copy)) return failed(*fault, std::move(text));
  clones_.set_state(id, "promoted");
  return done(std::move(text));
}

JobOutcome JobWork::drill(const Job& job, const Places& places, const JobContext& context) {
  const TargetEntry* target = places.config->target(places.config->drill_target);
  if (target == nullptr) {
    return failed(
        not_there("drills need a target of kind local: set drill_target in the "
                  "configuration's [service]"));
  }
  const auto backups = catalog_.of(job.what.instance);
  if (backups.empty()) return failed(not_there("there is no backup to restore yet"));
  const BackupSummary chosen = backups[choose(backups.size())].backup;
  Drill record{.job = job.id, .instance = job.what.instance, .backup = chosen.id};
  record.at_ms = now_ms();
  const auto fail = [&](const Error& error) {
    record.message = error.message;
    JobOutcome outcome = failed(error);
    if (outcome.state == job_state::failed) drills_.add(record);
    outcome.backup = chosen.id;
    return outcome;
  };
  auto options = options_for(*target, directory_of(*target, "drill", job.id), chosen);
  const auto databases = databases_of(places.repository->place, chosen.id);
  if (!databases) return fail(databases.error());
  options.databases = *databases;
  auto provisioned = provision(options, context);
  if (!provisioned) return fail(provisioned.error());
  const ThrowAway server(*std::move(provisioned));
  const auto result = fill(places.repository->place, chosen.id, server.address(), false, context);
  if (!result) return fail(result.error());
  record.seconds = result->seconds;
  record.keys = result->total.written;
  if (result->digest && chosen.digest) record.digest_equal = *result->digest == *chosen.digest;
  if (const auto fault = fault_of(*result)) return fail(*fault);
  record.ok = result->verified.value_or(false);
  record.message = record.ok ? "restored, and its digest is that of the source"
                             : "restored, but what it holds was not proven: see the job's notes";
  drills_.add(record);
  JobOutcome outcome = outcome_of(*result);
  outcome.backup = chosen.id;
  return outcome;
}

void JobWork::take_back_left() {
  const auto config = policies_.config();
  for (const TargetEntry& target : config->targets) {
    const std::string_view how = target.how;
    if (!how.starts_with(local_in)) continue;
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(how.substr(local_in.size()), ignored)) {
      if (!entry.path().filename().string().starts_with("drill-")) continue;
      if (const auto left = find_provisioned(entry.path().string())) {
        static_cast<void>(take_back(*left));
      } else {
        fs::remove(entry.path(), ignored);  // if it is empty
      }
    }
  }
  for (const Clone& clone : clones_.list()) {
    if (clone.state != "making") continue;
    if (const auto left = find_provisioned(clone.directory)) static_cast<void>(take_back(*left));
    clones_.set_state(clone.id, "failed");
  }
}

}  // namespace sluice::service
