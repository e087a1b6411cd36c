// What keeps a backup from being fed to a server: the part of feed_target.h that judges.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "engine/feed_target.h"
#include "engine/findings.h"
#include "engine/info_text.h"
#include "rdb/module_id.h"

namespace sluice::engine {
namespace {

constexpr std::string_view other_mode = "; --mode restore does without";

Error refusal(std::string_view code, std::string message) {
  return {.stage = Stage::engine, .code = std::string(code), .message = std::move(message)};
}

std::optional<Error> refuse_role(const FeedTarget& target, const std::string& display) {
  if (target.info.loading)
    return refusal("loading", fmt::format("target {} is still loading its data: wait", display));
  if (target.info.redis_mode == "sentinel")
    return refusal("refused", fmt::format("target {} is a sentinel, which holds no data", display));
  if (target.info.redis_mode == "cluster") {
    return refusal("target_unsuitable",
                   fmt::format("target {} is a node of a cluster, where REPLICAOF is not allowed: "
                               "use --mode restore",
                               display));
  }
  if (target.is_replica()) {
    return refusal("target_unsuitable",
                   fmt::format("target {} is a replica of {}:{}: restore into its primary, or tell "
                               "it REPLICAOF NO ONE first",
                               display, target.primary_host, target.primary_port));
  }
  if (target.info.flavor == net::Flavor::dragonfly || target.info.flavor == net::Flavor::keydb) {
    return refusal("target_unsuitable",
                   fmt::format("target {} is a {}, which feeding was not tried with: use --mode "
                               "restore",
                               display, net::to_text(target.info.flavor)));
  }
  return std::nullopt;
}

std::optional<Error> refuse_settings(const FeedTarget& target, const Manifest& manifest,
                                     const std::string& display) {
  const std::string databases = target.setting("databases");
  if (databases.empty()) {
    return refusal(
        "no_permission",
        fmt::format("target {} does not let this user ask for its settings (CONFIG GET), "
                    "on which it depends whether it can be fed{}",
                    display, other_mode));
  }
  const std::uint64_t needed = manifest.databases.empty() ? 0 : manifest.databases.rbegin()->first;
  if (needed >= info_number(databases)) {
    return refusal(
        "target_unsuitable",
        fmt::format("the backup has keys in database {}, target {} has {} (databases): it "
                    "would end itself while it loads. Start it with --databases {}",
                    needed, display, databases, needed + 1));
  }
  if (target.setting("tls-replication") == "yes") {
    return refusal("target_unsuitable",
                   fmt::format("target {} has tls-replication yes and would speak TLS to us, which "
                               "feeding does not{}",
                               display, other_mode));
  }
  return std::nullopt;
}

std::optional<Error> refuse_contents(const FeedTarget& target, bool will_flush,
                                     const std::string& display) {
  if (will_flush || (target.keys == 0 && target.functions == 0)) return std::nullopt;
  const std::string holds = target.keys > 0
                                ? fmt::format("{} key(s)", target.keys)
                                : fmt::format("{} function libraries", target.functions);
  return refusal("target_not_empty",
                 fmt::format("target {} holds {}, which feeding replaces: choose an empty one, or "
                             "use --flush, or --mode restore with --on-conflict",
                             display, holds));
}

/// Modules by the names of their types; other types are looked for under their own.
std::string_view module_of_type(std::string_view type) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 6> known{
      {{"ReJSON-RL", "ReJSON"},
       {"MBbloom--", "bf"},
       {"MBbloomCF", "bf"},
       {"TSDB-TYPE", "timeseries"},
       {"graphdata", "graph"},
       {"vectorset", "vectorset"}}};
  const auto* const found =
      std::ranges::find(known, type, &std::pair<std::string_view, std::string_view>::first);
  return found == known.end() ? type : found->second;
}

}  // namespace

std::optional<Error> refuse_feed(const FeedTarget& target, const Manifest& manifest,
                                 bool will_flush, const std::string& display) {
  if (auto error = refuse_role(target, display)) return error;
  if (auto error = refuse_settings(target, manifest, display)) return error;
  if (manifest.undecodable > 0) {
    return refusal(
        "backup_unsuitable",
        fmt::format("{} value(s) of the backup cannot be decoded, and a server that loads "
                    "one may end itself: use --mode restore, where it can refuse them",
                    manifest.undecodable));
  }
  return refuse_contents(target, will_flush, display);
}

std::optional<Error> refuse_modules(const FeedTarget& target,
                                    const std::set<std::uint64_t>& modules,
                                    const std::string& display) {
  for (const std::uint64_t id : modules) {
    const std::string type = rdb::module_name(id);
    const std::string_view module =
        module_of_type(std::string_view(type).substr(0, type.find('/')));
    if (std::ranges::find(target.modules, module) != target.modules.end()) continue;
    return refusal(
        "target_unsuitable",
        fmt::format("the backup has data of module type {}, and target {} has loaded {}: "
                    "it would end itself while it loads. Load the module there, or use "
                    "--mode restore",
                    type, display,
                    target.modules.empty() ? "no modules"
                                           : fmt::format("{}", fmt::join(target.modules, ", "))));
  }
  return std::nullopt;
}

std::vector<std::string> feed_warnings(const FeedTarget& target, const Manifest& manifest) {
  std::vector<std::string> warnings;
  const std::uint64_t limit = info_number(target.setting("maxmemory"));
  const auto used =
      std::ranges::find(manifest.aux, "used-mem", &std::pair<std::string, std::string>::first);
  const std::uint64_t needed =
      std::max(manifest.raw_bytes, used == manifest.aux.end() ? 0 : info_number(used->second));
  if (limit > 0 && needed > limit) {
    warnings.push_back(fmt::format(
        "the data took {} in their server, and maxmemory of the target is {}: it is not enforced "
        "while the target loads, but then keys are evicted or writes refused ({})",
        bytes_text(needed), bytes_text(limit), target.setting("maxmemory-policy")));
  }
  if (target.setting("replica-read-only") == "no")
    warnings.emplace_back(
        "replica-read-only is no at the target: others may write there meanwhile");
  return warnings;
}

std::optional<std::string> diskless_load_to_set(const FeedTarget& target) {
  const std::string now = target.setting("repl-diskless-load");
  if (now.empty() || now == "on-empty-db") return std::nullopt;  // before 6.0 there is but one way
  return "on-empty-db";
}

}  // namespace sluice::engine
