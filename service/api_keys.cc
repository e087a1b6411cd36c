// What is in backups: keys, their values, their history, and what differs.

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <sstream>

#include "service/api.h"
#include "service/api_backup.h"
#include "service/captured_output.h"
#include "service/json.h"
#include "service/key_text.h"
#include "sluice/catalog.h"
#include "sluice/export.h"
#include "sluice/history.h"

namespace sluice::service {
namespace {

namespace json = boost::json;

constexpr std::size_t value_bytes_max = 1 << 20;
constexpr std::size_t listing_bytes_max = 4 << 20;
constexpr std::chrono::seconds search_time_max(5);
constexpr std::chrono::seconds value_time_max(20);
/// db,key,type,encoding,pexpireat,idle_s,freq,elements,value_bytes
constexpr std::size_t csv_columns = 9;

Place place_of(const BackupAtHand& at) {
  Place place;
  place.name = at.entry.backup.id;
  place.repository = at.repository.place;
  return place;
}

json::value number_or_null(const std::string& digits) {
  if (digits.empty()) return nullptr;
  return std::stoll(digits);
}

json::object key_json(const std::vector<std::string>& fields) {
  json::object key{{"db", std::stoll(fields[0])},
                   {"key", fields[1]},
                   {"type", fields[2]},
                   {"encoding", fields[3]},
                   {"expiry", nullptr},
                   {"num_elements", number_or_null(fields[7])},
                   {"size_in_bytes", number_or_null(fields[8])}};
  if (!fields[4].empty()) key["expiry"] = format_time(std::stoll(fields[4]));
  return key;
}

/// Which keys the query means. False when a number in it is none.
bool choose(const Call& call, KeyChoice& keys) {
  if (const auto prefix = call.request.parameter("prefix"))
    keys.only.globs.push_back(prefix_glob(unescaped(*prefix)));
  if (const auto match = call.request.parameter("match")) keys.only.globs.push_back(*match);
  if (const auto type = call.request.parameter("type")) keys.only.types.push_back(*type);
  const auto db = call.request.parameter("db");
  if (!db) return true;
  if (db->size() > 9 || db->find_first_not_of("0123456789") != std::string::npos) return false;
  keys.only.databases.push_back(std::stoull(*db));
  return true;
}

HttpResponse bad_db() { return error_response(422, "bad_db", "db is the number of a database"); }

HttpResponse search_keys(Call& call) {
  return with_backup(call, [&call](const BackupAtHand& at) {
    ExportOptions options{.place = place_of(at), .format = TextFormat::csv};
    if (!choose(call, options.keys)) return bad_db();
    const unsigned limit = limit_of(call, 100, 1000);
    const auto captured =
        capture(listing_bytes_max, search_time_max,
                [&options](const std::string& path, const JobContext& job) -> Result<void> {
                  ExportOptions to = options;
                  to.output = path;
                  const auto exported = export_place(to, job);
                  if (!exported) return std::unexpected(exported.error());
                  return {};
                });
    if (captured.end == CapturedOutput::End::whole && !captured.outcome)
      return error_response(captured.outcome.error());
    std::istringstream lines(captured.text);
    std::string line;
    std::getline(lines, line);  // the names of the columns
    json::array keys;
    bool more = captured.end != CapturedOutput::End::whole;
    while (std::getline(lines, line)) {
      if (keys.size() == limit) more = true;
      if (keys.size() == limit || lines.eof()) break;  // the last line may be cut
      const auto fields = csv_fields(line);
      if (fields.size() == csv_columns) keys.push_back(key_json(fields));
    }
    json::object answer{{"keys", std::move(keys)}, {"more", more}, {"truncated_by", nullptr}};
    if (more) answer["truncated_by"] = captured.end == CapturedOutput::End::time ? "time" : "limit";
    return json_response(answer);
  });
}

HttpResponse get_value(Call& call) {
  return with_backup(call, [&call](const BackupAtHand& at) {
    GetOptions options{.place = place_of(at), .key = {}, .db = {}};
    options.format = ValueFormat::json_line;
    options.key = unescaped(call.request.parameter("key").value_or(""));
    KeyChoice keys;
    if (!choose(call, keys)) return bad_db();
    if (!keys.only.databases.empty()) options.db = keys.only.databases.front();
    const auto captured =
        capture(value_bytes_max, value_time_max,
                [&options](const std::string& path, const JobContext& job) -> Result<void> {
                  GetOptions to = options;
                  to.output = path;
                  return get_key(to, job);
                });
    if (captured.end != CapturedOutput::End::whole) {
      return error_response(
          413, "too_large",
          "the value is longer than 1 MiB as JSON: use `sluice get " + at.entry.backup.id + "`");
    }
    if (!captured.outcome) return error_response(captured.outcome.error());
    return HttpResponse{.status = 200, .body = captured.text};
  });
}

HttpResponse get_history(Call& call) {
  const auto config = call.core.config();
  const InstanceEntry* instance = config->instance(call.part("name"));
  if (instance == nullptr) return no_such("instance", call.part("name"));
  HistoryOptions options;
  options.repository = config->repository(instance->repository)->place;
  options.instance = instance->name;
  options.key = unescaped(call.request.parameter("key").value_or(""));
  KeyChoice keys;
  if (!choose(call, keys)) return bad_db();
  if (!keys.only.databases.empty()) options.db = keys.only.databases.front();
  for (const auto& [name, time] :
       {std::pair{"from", &options.from_ms}, std::pair{"to", &options.to_ms}}) {
    const auto text = call.request.parameter(name);
    if (!text) continue;
    const auto parsed = parse_time(*text);
    if (!parsed) return error_response(422, parsed.error());
    *time = *parsed;
  }
  const auto states = history(options, {});
  if (!states) return error_response(states.error());
  return json_response({{"states", json::parse(to_json(*states))}});
}

HttpResponse compare(Call& call) {
  const std::string a = text_of(call.body, "a");
  const std::string b = text_of(call.body, "b");
  return with_backup(call, a, [&](const BackupAtHand& first) {
    return with_backup(call, b, [&](const BackupAtHand& second) {
      if (first.entry.repository != second.entry.repository) {
        return error_response(422, "two_repositories",
                              "both backups have to be in one repository; `sluice diff` compares "
                              "others");
      }
      return queue(call, {.type = JobType::diff,
                          .instance = first.entry.backup.instance,
                          .repository = first.entry.repository,
                          .backup = a,
                          .options = json::serialize(json::object{{"a", a}, {"b", b}})});
    });
  });
}

}  // namespace

void add_key_routes(std::vector<Route>& routes) {
  routes.push_back({"GET", "/backups/{id}/keys", Role::operator_, search_keys, {}, true});
  routes.push_back({"GET", "/backups/{id}/key", Role::operator_, get_value, {}, true});
  routes.push_back({"GET", "/instances/{name}/history", Role::operator_, get_history, {}, true});
  routes.push_back({"POST", "/diffs", Role::operator_, compare, "diff.run"});
}

}  // namespace sluice::service
