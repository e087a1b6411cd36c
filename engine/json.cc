#include "engine/json.h"

#include <array>
#include <boost/json.hpp>
#include <span>

#include "engine/json_text.h"
#include "engine/output_buffer.h"
#include "sluice/catalog.h"

namespace sluice {
namespace engine {

namespace json = boost::json;

json::object json_counts(const std::map<std::string, std::uint64_t>& counts) {
  json::object object;
  for (const auto& [name, count] : counts) object[name] = count;
  return object;
}

json::value json_optional(const std::optional<std::string>& text) {
  return text ? json::value(*text) : json::value(nullptr);
}

std::string json_text(const json::object& root, std::string_view field) {
  const json::value* value = root.if_contains(field);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

std::uint64_t json_number(const json::object& root, std::string_view field) {
  const json::value* value = root.if_contains(field);
  boost::system::error_code bad;
  const auto number = value != nullptr ? value->to_number<std::uint64_t>(bad) : 0;
  return bad ? 0 : number;
}

json::value json_bytes(std::string_view bytes) {
  const auto text = std::as_bytes(std::span(bytes));
  if (is_utf8(text)) return json::string(bytes);
  std::string base64;
  OutputBuffer out(OutputBuffer::room_max, [&base64](std::span<const std::byte> part) {
    base64.append(reinterpret_cast<const char*>(part.data()), part.size());
    return true;
  });
  Base64Writer writer(out);
  writer.append(text);
  writer.finish();
  out.flush();
  return json::object{{"$base64", base64}};
}

json::object json_error(const Error& error) {
  constexpr std::array<std::string_view, 5> stages{"usage", "net", "rdb", "storage", "engine"};
  return {{"stage", stages.at(static_cast<std::size_t>(error.stage))},
          {"code", error.code},
          {"message", error.message}};
}

json::object json_source(const BackupSource& source) {
  return {{"uri", source.uri},         {"server", source.server},
          {"version", source.version}, {"rdb_version", source.rdb_version},
          {"replid", source.replid},   {"offset", source.offset}};
}

json::array json_shards(const std::vector<BackupShard>& shards) {
  json::array list;
  for (const BackupShard& shard : shards) {
    json::object object = json_source(shard.source);
    object["node"] = shard.node_id;
    object["replica"] = shard.from_replica;
    json::array slots;
    for (const SlotSpan& span : shard.slots) slots.push_back(json::array{span.first, span.last});
    object["slots"] = std::move(slots);
    object["keys"] = shard.keys;
    list.push_back(std::move(object));
  }
  return list;
}

json::object json_summary(const BackupSummary& summary) {
  const auto& verified = summary.verified;
  const auto verified_at =
      verified ? std::optional(format_time(verified->finished_at_ms)) : std::nullopt;
  const auto verified_level = verified ? std::optional(verified->level) : std::nullopt;
  return {{"id", summary.id},
          {"instance", summary.instance},
          {"repo", summary.repo},
          {"layout", summary.layout},
          {"order", summary.order.empty() ? json::value(nullptr) : json::value(summary.order)},
          {"compression", summary.compression},
          {"parent", json_optional(summary.parent)},
          {"source", json_source(summary.source)},
          {"shards", json_shards(summary.shards)},
          {"keys", summary.keys},
          {"types", json_counts(summary.types)},
          {"raw_bytes", summary.raw_bytes},
          {"stored_bytes", summary.stored_bytes},
          {"new_bytes", summary.new_bytes},
          {"digest", json_optional(summary.digest)},
          {"undecodable", summary.undecodable},
          {"started_at", format_time(summary.started_at_ms)},
          {"finished_at", format_time(summary.finished_at_ms)},
          {"seconds", summary.seconds},
          {"damage", json_optional(summary.damage)},
          {"pinned", json_optional(summary.pinned)},
          {"verified_at", json_optional(verified_at)},
          {"verified_level", json_optional(verified_level)},
          {"verified_ok", verified ? json::value(verified->ok) : json::value(nullptr)}};
}

}  // namespace engine

std::string to_json(const Error& error) {
  return boost::json::serialize(boost::json::object{{"error", engine::json_error(error)}});
}

std::string to_json(const BackupSummary& summary) {
  return boost::json::serialize(engine::json_summary(summary));
}

std::string to_json(const std::vector<BackupSummary>& backups) {
  boost::json::array list;
  for (const BackupSummary& summary : backups) list.push_back(engine::json_summary(summary));
  return boost::json::serialize(list);
}

std::string to_json(const BackupDetail& detail) {
  boost::json::object object = engine::json_summary(detail.summary);
  object["chunks"] = detail.chunks;
  object["runs"] = detail.runs;
  object["fragments"] = detail.fragments;
  object["chain_depths"] = boost::json::value_from(detail.chain_depths);
  object["packs"] = boost::json::value_from(detail.packs);
  object["pack_file_bytes"] = detail.pack_file_bytes;
  object["own_packs"] = detail.own_packs;
  object["own_pack_file_bytes"] = detail.own_pack_file_bytes;
  object["used_by"] = boost::json::value_from(detail.used_by);
  object["functions"] = detail.functions;
  boost::json::object databases;
  for (const auto& [db, keys] : detail.databases) databases[std::to_string(db)] = keys;
  object["databases"] = std::move(databases);
  boost::json::array aux;
  for (const auto& [key, value] : detail.aux) aux.push_back(boost::json::array{key, value});
  object["aux"] = std::move(aux);
  return boost::json::serialize(object);
}

}  // namespace sluice
