// Backups: by time range and status, in full, verified, pinned, removed, downloaded.

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "service/api.h"
#include "service/api_backup.h"
#include "service/api_json.h"
#include "service/json.h"
#include "service/rdb_download.h"
#include "sluice/catalog.h"
#include "sluice/prune.h"
#include "sluice/verify.h"

namespace sluice::service {
namespace {

namespace json = boost::json;

bool has_status(const BackupSummary& backup, const std::string& status) {
  if (status == "damaged") return is_damaged(backup);
  if (status == "verified") return backup.verified && backup.verified->ok && !backup.damage;
  if (status == "unverified") return !backup.verified;
  if (status == "pinned") return backup.pinned.has_value();
  return !is_damaged(backup);
}

/// A time in the query; false when there is one that is none.
bool time_of(const Call& call, const std::string& name, std::optional<std::int64_t>& time) {
  const auto text = call.request.parameter(name);
  if (!text) return true;
  const auto parsed = parse_time(*text);
  if (parsed) time = *parsed;
  return parsed.has_value();
}

HttpResponse list_backups(Call& call) {
  std::optional<std::int64_t> from;
  std::optional<std::int64_t> to;
  if (!time_of(call, "from", from) || !time_of(call, "to", to))
    return error_response(422, "bad_time", "from and to are RFC 3339: 2026-11-25T02:00:00Z");
  const auto instance = call.request.parameter("instance");
  const auto status = call.request.parameter("status");
  if (status && *status != "ok" && *status != "damaged" && *status != "verified" &&
      *status != "unverified" && *status != "pinned")
    return error_response(422, "bad_status",
                          "status is one of ok, verified, unverified, damaged, pinned");
  const unsigned limit = limit_of(call, 100, 1000);
  const auto found = call.core.catalog.select(
      [&](const BackupSummary& backup) {
        return (!instance || backup.instance == *instance) &&
               (!from || backup.started_at_ms >= *from) && (!to || backup.started_at_ms <= *to) &&
               (!status || has_status(backup, *status));
      },
      call.request.parameter("before"), limit);
  json::array backups;
  for (const auto& entry : found) backups.push_back(backup_json(call.core, entry));
  json::object answer{{"backups", std::move(backups)}, {"next", nullptr}};
  if (found.size() == limit) answer["next"] = found.back().backup.id;
  return json_response(answer);
}

HttpResponse get_backup(Call& call) {
  return with_backup(call, [&call](const BackupAtHand& at) {
    const auto detail = show(at.repository.place, at.entry.backup.id);
    if (!detail) return error_response(detail.error());
    return json_response(
        {{"backup", backup_json(call.core, at.entry)}, {"detail", json::parse(to_json(*detail))}});
  });
}

HttpResponse verify_backup(Call& call) {
  return with_backup(call, [&call](const BackupAtHand& at) {
    std::string level = text_of(call.body, "level");
    if (level.empty()) level = "digest";
    if (!parse_verify_level(level))
      return error_response(422, "bad_level",
                            "level is one of list, stored, decoded, parsed, digest");
    return queue(call, {.type = JobType::verify,
                        .instance = at.entry.backup.instance,
                        .repository = at.entry.repository,
                        .backup = at.entry.backup.id,
                        .options = json::serialize(json::object{{"level", level}})});
  });
}

HttpResponse answer_again(Call& call, const BackupAtHand& at) {
  call.core.refresh(at.entry.repository, at.entry.backup.instance);
  const auto entry = call.core.catalog.find(at.entry.backup.id);
  if (!entry) return no_such("backup", at.entry.backup.id);
  return json_response({{"backup", backup_json(call.core, *entry)}});
}

HttpResponse pin_backup(Call& call) {
  return with_backup(call, [&call](const BackupAtHand& at) {
    const std::string note = text_of(call.body, "note");
    call.detail = note;
    const auto pinned = pin(at.repository.place, at.entry.backup.id, note);
    if (!pinned) return error_response(pinned.error());
    return answer_again(call, at);
  });
}

HttpResponse unpin_backup(Call& call) {
  return with_backup(call, [&call](const BackupAtHand& at) {
    const auto unpinned = unpin(at.repository.place, at.entry.backup.id);
    if (!unpinned) return error_response(unpinned.error());
    return answer_again(call, at);
  });
}

HttpResponse remove_backup(Call& call) {
  return with_backup(call, [&call](const BackupAtHand& at) {
    if (text_of(call.body, "confirm") != at.entry.backup.id)
      return error_response(422, "not_confirmed", "type the id of the backup to have it removed");
    return queue(call, {.type = JobType::remove,
                        .instance = at.entry.backup.instance,
                        .repository = at.entry.repository,
                        .backup = at.entry.backup.id});
  });
}

HttpResponse download(Call& call) {
  return with_backup(call, [&call](const BackupAtHand& at) {
    const BackupSummary& backup = at.entry.backup;
    auto source = RdbDownload::start(at.repository.place, backup.id, call.core.network());
    if (!source) return error_response(500, "fault", "no pipe can be had: too many open files");
    HttpResponse response{.status = 200, .type = "application/octet-stream", .body = {}};
    response.headers.emplace_back(
        "Content-Disposition",
        "attachment; filename=\"" + backup.instance + "-" + backup.id + ".rdb\"");
    response.source = std::move(source);
    return response;
  });
}

HttpResponse analyse(Call& call) {
  return with_backup(call, [&call](const BackupAtHand& at) {
    return queue(call, {.type = JobType::analyze,
                        .instance = at.entry.backup.instance,
                        .repository = at.entry.repository,
                        .backup = at.entry.backup.id});
  });
}

HttpResponse get_analysis(Call& call) {
  const auto result = call.core.analysis_of(call.part("id"));
  if (!result) return no_such("analysis of backup", call.part("id"));
  return {.status = 200, .body = *result};
}

HttpResponse list_trash(Call& call) {
  const auto wanted = call.request.parameter("repository");
  json::array backups;
  std::uint64_t packs = 0;
  std::uint64_t bytes = 0;
  for (const RepositoryEntry& repository : call.core.config()->repositories) {
    if (wanted && repository.name != *wanted) continue;
    const auto contents = trash(repository.place);
    if (!contents) return error_response(contents.error());
    for (const TrashEntry& entry : contents->backups) {
      backups.push_back(json::object{{"id", entry.id},
                                     {"instance", entry.instance},
                                     {"removed_at", format_time(entry.removed_at_ms)},
                                     {"repository", repository.name}});
    }
    packs += contents->packs;
    bytes += contents->bytes;
  }
  return json_response({{"backups", std::move(backups)}, {"packs", packs}, {"bytes", bytes}});
}

HttpResponse bring_back(Call& call) {
  for (const RepositoryEntry& repository : call.core.config()->repositories) {
    const auto entry = restore_from_trash(repository.place, call.part("id"));
    if (!entry && entry.error().code == "not_found") continue;
    if (!entry) return error_response(entry.error());
    call.core.refresh(repository.name, entry->instance);
    return json_response({{"id", entry->id}});
  }
  return no_such("backup in the trash", call.part("id"));
}

}  // namespace

void add_backup_routes(std::vector<Route>& routes) {
  routes.push_back({"GET", "/backups", Role::viewer, list_backups});
  routes.push_back({"GET", "/backups/{id}", Role::viewer, get_backup, {}, true});
  routes.push_back(
      {"POST", "/backups/{id}/verify", Role::operator_, verify_backup, "backup.verify"});
  routes.push_back({"GET", "/backups/{id}/rdb", Role::operator_, download, "backup.download"});
  routes.push_back({"PUT", "/backups/{id}/pin", Role::operator_, pin_backup, "backup.pin", true});
  routes.push_back(
      {"DELETE", "/backups/{id}/pin", Role::admin, unpin_backup, "backup.unpin", true});
  routes.push_back({"DELETE", "/backups/{id}", Role::admin, remove_backup, "backup.delete"});
  routes.push_back({"POST", "/backups/{id}/analysis", Role::operator_, analyse, "backup.analyse"});
  routes.push_back({"GET", "/backups/{id}/analysis", Role::operator_, get_analysis});
  routes.push_back({"GET", "/trash", Role::viewer, list_trash, {}, true});
  routes.push_back({"POST", "/trash/{id}/restore", Role::admin, bring_back, "trash.restore", true});
}

}  // namespace sluice::service
