#include "restore_report.h"

#include <fmt/format.h>

#include <vector>

#include "terminal.h"

namespace sluice::tools {
namespace {

void print(const RestorePlan& plan) {
  std::vector<std::vector<std::string>> rows;
  const auto add_row = [&rows](const std::string& name, const PlannedWrites& writes) {
    rows.push_back({name, human_count(writes.added), human_count(writes.replaced),
                    human_bytes(writes.memory_bytes)});
  };
  for (const auto& [type, writes] : plan.by_type) add_row(type, writes);
  add_row("all", plan.total);
  print_table({"TYPE", ">ADDED", ">REPLACED", ">MEMORY"}, rows);
  fmt::print("memory there: {} of {}, and {} for {} (model {}){}\n",
             plan.used_memory ? human_bytes(*plan.used_memory) : "?",
             !plan.maxmemory        ? "?"
             : *plan.maxmemory == 0 ? "no limit"
                                    : human_bytes(*plan.maxmemory),
             human_bytes(plan.total.memory_bytes + plan.table_memory_bytes), "these keys",
             plan.memory_model, plan.fits && !*plan.fits ? ": does NOT fit" : "");
}

}  // namespace

void print_result(const RestoreResult& result, const std::string& title) {
  std::vector<std::vector<std::string>> rows;
  const auto add_row = [&rows](const std::string& name, const Ledger& ledger) {
    rows.push_back({name, human_count(ledger.read), human_count(ledger.written),
                    human_count(ledger.filtered), human_count(ledger.skipped),
                    human_count(ledger.expired), human_count(ledger.failed)});
  };
  for (const auto& [type, ledger] : result.by_type) add_row(type, ledger);
  add_row("all", result.total);
  fmt::print("{} -> {} in {}\n", title, result.target, human_seconds(result.seconds));
  print_table({"TYPE", ">READ", ">WRITTEN", ">FILTERED", ">SKIPPED", ">EXPIRED", ">FAILED"}, rows);
  if (result.plan) print(*result.plan);
  if (result.unread > 0) {
    fmt::print("unread: {} keys in {} runs that the filter cannot mean\n",
               human_count(result.unread), human_count(result.runs_skipped));
  }
  if (result.functions > 0) fmt::print("function libraries: {}\n", result.functions);
  if (result.throttled_s > 0) {
    fmt::print("held back for {}: PINGs took up to {:.1f} ms\n", human_seconds(result.throttled_s),
               result.latency_ms_max.value_or(0));
  }
  if (result.verified) fmt::print("verified: {}\n", *result.verified ? "yes" : "NO");
  if (result.digest) fmt::print("digest: {}\n", *result.digest);
  for (const RdbLoss& loss : result.losses) fmt::print("lost: {}\n", loss.message);
  if (result.loss_count > result.losses.size()) {
    fmt::print("and {} more losses\n", result.loss_count - result.losses.size());
  }
  for (const std::string& note : result.notes) fmt::print("note: {}\n", note);
  for (const RestoreFailure& failure : result.failures) {
    fmt::print("failed: db {} \"{}\": {}\n", failure.db, failure.key, failure.message);
  }
  if (result.failure_count > result.failures.size()) {
    fmt::print("and {} more\n", result.failure_count - result.failures.size());
  }
}

int exit_code_of(const RestoreResult& result, const Globals& globals) {
  if (result.interrupted) {
    Globals said = globals;
    said.json = false;  // stdout has the result already
    return report(*result.interrupted, said);
  }
  if (result.verified && !*result.verified) return exit_code::different;
  const bool incomplete = result.total.failed > 0 || result.total.skipped > 0 ||
                          result.functions_failed > 0 || result.loss_count > 0;
  return incomplete ? exit_code::incomplete : exit_code::done;
}

}  // namespace sluice::tools
