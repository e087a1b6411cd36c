#include "engine/restore_json.h"

#include <boost/json.hpp>

#include "engine/conversion_loss.h"
#include "engine/json.h"
#include "engine/plan_json.h"

namespace sluice {

std::string_view to_string(RestoreMode mode) noexcept {
  switch (mode) {
    case RestoreMode::automatic: return "auto";
    case RestoreMode::feed: return "feed";
    case RestoreMode::restore: return "restore";
    case RestoreMode::commands: return "commands";
  }
  return "unknown";
}

namespace {

boost::json::object json_ledger(const Ledger& ledger) {
  return {{"read", ledger.read},       {"written", ledger.written}, {"filtered", ledger.filtered},
          {"skipped", ledger.skipped}, {"expired", ledger.expired}, {"failed", ledger.failed}};
}

}  // namespace

namespace engine {

boost::json::object json_of(const RestoreResult& result) {
  namespace json = boost::json;
  json::object object{{"backup", result.backup},
                      {"instance", result.instance},
                      {"target", result.target},
                      {"mode", to_string(result.mode)}};
  for (auto& [name, count] : json_ledger(result.total)) object[name] = std::move(count);
  json::object by_type;
  for (const auto& [type, ledger] : result.by_type) by_type[type] = json_ledger(ledger);
  object["by_type"] = std::move(by_type);
  object["functions"] = result.functions;
  object["functions_failed"] = result.functions_failed;
  object["unread"] = result.unread;
  object["runs_skipped"] = result.runs_skipped;
  object["chunks_read"] = result.chunks_read;
  object["resumed_keys"] = result.resumed_keys;
  object["dry_run"] = result.plan.has_value();
  object["plan"] = result.plan ? json::value(json_plan(*result.plan)) : json::value(nullptr);
  object["raw_bytes"] = result.raw_bytes;
  json::array failures;
  for (const RestoreFailure& failure : result.failures) {
    failures.push_back({{"db", failure.db}, {"key", failure.key}, {"message", failure.message}});
  }
  object["failures"] = std::move(failures);
  object["failure_count"] = result.failure_count;
  object["losses"] = json_losses(result.losses);
  object["loss_count"] = result.loss_count;
  object["notes"] = json::value_from(result.notes);
  object["verified"] = result.verified ? json::value(*result.verified) : json::value(nullptr);
  object["digest"] = json_optional(result.digest);
  object["throttled_seconds"] = result.throttled_s;
  object["latency_ms_max"] =
      result.latency_ms_max ? json::value(*result.latency_ms_max) : json::value(nullptr);
  object["seconds"] = result.seconds;
  object["error"] = nullptr;
  if (const auto& error = result.interrupted) {
    object["error"] = json_error(*error);
  }
  return object;
}

}  // namespace engine

std::string to_json(const RestoreResult& result) {
  return boost::json::serialize(engine::json_of(result));
}

}  // namespace sluice
