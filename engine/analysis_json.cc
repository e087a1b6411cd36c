#include <boost/json.hpp>

#include "engine/json.h"
#include "sluice/analyze.h"
#include "sluice/catalog.h"

namespace sluice {
namespace {

namespace json = boost::json;

json::object json_of(const Amount& amount) {
  return {{"keys", amount.keys},
          {"serialized_bytes", amount.serialized_bytes},
          {"elements", amount.elements},
          {"memory_bytes", amount.memory_bytes}};
}

template <class Map>
json::object json_of_map(const Map& map) {
  json::object object;
  for (const auto& [name, amount] : map) {
    if constexpr (std::is_integral_v<std::remove_cvref_t<decltype(name)>>) {
      object[std::to_string(name)] = json_of(amount);
    } else {
      object[name] = json_of(amount);
    }
  }
  return object;
}

json::array json_of(const std::vector<LargeKey>& keys) {
  json::array list;
  for (const LargeKey& key : keys) {
    json::object object{{"db", key.db},
                        {"key", key.key},
                        {"type", key.type},
                        {"encoding", key.encoding},
                        {"pexpireat", nullptr},
                        {"serialized_bytes", key.amount.serialized_bytes},
                        {"elements", key.amount.elements},
                        {"memory_bytes", key.amount.memory_bytes}};
    if (key.expire_at_ms) object["pexpireat"] = *key.expire_at_ms;
    list.push_back(std::move(object));
  }
  return list;
}

json::array json_of(const std::vector<Bucket>& buckets) {
  json::array list;
  for (const Bucket& bucket : buckets) {
    list.push_back({{"range", bucket.label},
                    {"keys", bucket.keys},
                    {"serialized_bytes", bucket.serialized_bytes}});
  }
  return list;
}

json::object json_of(const Distribution& sizes) {
  json::array powers;
  for (const auto& [below, keys] : sizes.powers) {
    powers.push_back({{"below", below}, {"keys", keys}});
  }
  return {{"p50", sizes.p50},
          {"p90", sizes.p90},
          {"p99", sizes.p99},
          {"max", sizes.max},
          {"powers", std::move(powers)}};
}

json::object json_of(const PrefixNode& node) {
  json::array children;
  for (const PrefixNode& child : node.children) children.push_back(json_of(child));
  json::object object = json_of(node.amount);
  object["prefix"] = node.prefix;
  object["own"] = json_of(node.own);
  object["other"] = json_of(node.other);
  object["missing_keys_max"] = node.missing_keys_max;
  object["missing_memory_max"] = node.missing_memory_max;
  object["children"] = std::move(children);
  return object;
}

json::object json_of(const SlotSpread& slots) {
  json::array heaviest;
  for (const SlotLoad& slot : slots.heaviest) {
    json::object object = json_of(slot.amount);
    object["slot"] = slot.slot;
    heaviest.push_back(std::move(object));
  }
  json::array clusters;
  for (const ShardSpread& cluster : slots.clusters) {
    json::array shards;
    for (const Amount& shard : cluster.shards) shards.push_back(json_of(shard));
    clusters.push_back({{"shards", std::move(shards)}, {"imbalance", cluster.imbalance}});
  }
  return {{"used", slots.slots_used},         {"keys_min", slots.keys_min},
          {"keys_max", slots.keys_max},       {"keys_mean", slots.keys_mean},
          {"tagged_keys", slots.tagged_keys}, {"heaviest", std::move(heaviest)},
          {"clusters", std::move(clusters)}};
}

json::object json_of(const BackupSource& source) {
  return {{"uri", source.uri},
          {"server", source.server},
          {"version", source.version},
          {"rdb_version", source.rdb_version}};
}

void add_groups(json::object& object, const AnalyzeResult& result) {
  object["types"] = json_of_map(result.types);
  object["encodings"] = json_of_map(result.encodings);
  object["databases"] = json_of_map(result.databases);
  object["modules"] = json_of_map(result.modules);
  object["functions"] = result.functions;
  object["function_bytes"] = result.function_bytes;
  object["module_aux"] = result.module_aux;
}

}  // namespace

std::string to_json(const AnalyzeResult& result) {
  json::object object{{"source", json_of(result.source)},
                      {"backup", engine::json_optional(result.backup)},
                      {"dialect", result.dialect},
                      {"at", format_time(result.at_ms)},
                      {"bytes", result.bytes},
                      {"used_memory_bytes", nullptr},
                      {"memory_model", result.memory_model},
                      {"total", json_of(result.total)},
                      {"table_memory_bytes", result.table_memory_bytes},
                      {"unreadable", result.unreadable}};
  if (result.used_memory_bytes) object["used_memory_bytes"] = *result.used_memory_bytes;
  add_groups(object, result);
  object["expiring"] = result.expiring;
  object["expired"] = result.expired;
  object["expiring_fields"] = result.expiring_fields;
  object["expiries"] = json_of(result.expiries);
  object["idle"] = json_of(result.idle);
  object["frequency"] = json_of(result.frequency);
  object["serialized_sizes"] = json_of(result.serialized_sizes);
  object["element_counts"] = json_of(result.element_counts);
  object["top_by_serialized"] = json_of(result.top_by_serialized);
  object["top_by_elements"] = json_of(result.top_by_elements);
  object["top_by_memory"] = json_of(result.top_by_memory);
  object["prefixes"] = json_of(result.prefixes);
  object["prefix_nodes"] = result.prefix_nodes;
  object["prefix_folds"] = result.prefix_folds;
  object["slots"] = json_of(result.slots);
  object["seconds"] = result.seconds;
  return json::serialize(object);
}

}  // namespace sluice
