#include "engine/manifest.h"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <stdexcept>

#include "engine/json.h"
#include "rdb/escape.h"

namespace sluice::engine {
namespace {

namespace json = boost::json;

json::array encode_aux(const std::vector<std::pair<std::string, std::string>>& aux) {
  json::array list;
  for (const auto& [key, value] : aux) {
    list.push_back(json::array{key, value});
  }
  return list;
}

std::string escaped(const std::string& text) {
  return rdb::escape(std::as_bytes(std::span(text)), text.size());
}

Error bad_manifest(const std::string& object, std::string_view why) {
  return {.stage = Stage::storage,
          .code = "corrupt",
          .message = fmt::format("repository: manifest of {}: {}", object, why)};
}

BackupSource decode_source(const json::object& object) {
  return {.uri = json::value_to<std::string>(object.at("uri")),
          .server = json::value_to<std::string>(object.at("server")),
          .version = json::value_to<std::string>(object.at("version")),
          .rdb_version = object.at("rdb_version").to_number<unsigned>(),
          .replid = json::value_to<std::string>(object.at("replid")),
          .offset = object.at("offset").to_number<std::uint64_t>()};
}

BackupShard decode_shard(const json::object& object) {
  BackupShard shard;
  shard.source = decode_source(object);
  shard.node_id = json::value_to<std::string>(object.at("node"));
  shard.from_replica = object.at("replica").as_bool();
  shard.keys = object.at("keys").to_number<std::uint64_t>();
  for (const json::value& range : object.at("slots").as_array()) {
    shard.slots.push_back(
        {.first = range.at(0).to_number<unsigned>(), .last = range.at(1).to_number<unsigned>()});
  }
  return shard;
}

std::string text_or_empty(const json::object& object, std::string_view name) {
  const json::value* found = object.if_contains(name);
  return found != nullptr ? json::value_to<std::string>(*found) : std::string();
}

std::int64_t decode_time(const json::value& value) {
  constexpr std::int64_t year_10000_ms = 253'402'300'800'000;
  const auto ms = value.to_number<std::int64_t>();
  if (ms < 0 || ms >= year_10000_ms) throw std::out_of_range("a time is out of range");
  return ms;
}

std::vector<LongValue> decode_long_values(const json::array& list, std::uint64_t raw_bytes) {
  std::vector<LongValue> values;
  for (const json::value& entry : list) {
    const LongValue value{.record = entry.at(0).to_number<std::uint64_t>(),
                          .value_bytes = entry.at(1).to_number<std::uint64_t>()};
    if (value.value_bytes == 0 || value.value_bytes > raw_bytes ||
        (!values.empty() && value.record <= values.back().record)) {
      throw std::out_of_range("the list of long values is not one");
    }
    values.push_back(value);
  }
  return values;
}

/// Throws on what does not fit; decode_manifest() turns that into an Error.
Manifest decode_object(const json::object& object) {
  Manifest manifest;
  manifest.source = decode_source(object.at("source").as_object());
  if (const json::value* shards = object.if_contains("shards")) {
    for (const json::value& shard : shards->as_array())
      manifest.shards.push_back(decode_shard(shard.as_object()));
  }
  manifest.layout = json::value_to<std::string>(object.at("layout"));
  manifest.order = text_or_empty(object, "order");
  manifest.compression = text_or_empty(object, "compression");
  manifest.parent = text_or_empty(object, "parent");
  manifest.dialect = json::value_to<std::string>(object.at("dialect"));
  manifest.crc = json::value_to<std::string>(object.at("crc"));
  manifest.crc64 = object.at("crc64").to_number<std::uint64_t>();
  manifest.raw_bytes = object.at("raw_bytes").to_number<std::uint64_t>();
  manifest.keys = object.at("keys").to_number<std::uint64_t>();
  for (const auto& [name, count] : object.at("types").as_object()) {
    manifest.types.emplace(name, count.to_number<std::uint64_t>());
  }
  for (const json::value& entry : object.at("databases").as_array()) {
    manifest.databases.emplace(entry.at(0).to_number<std::uint64_t>(),
                               entry.at(1).to_number<std::uint64_t>());
  }
  manifest.functions = object.at("functions").to_number<std::uint64_t>();
  manifest.module_aux = object.at("module_aux").to_number<std::uint64_t>();
  for (const json::value& entry : object.at("aux").as_array()) {
    manifest.aux.emplace_back(json::value_to<std::string>(entry.at(0)),
                              json::value_to<std::string>(entry.at(1)));
  }
  manifest.long_values =
      decode_long_values(object.at("long_values").as_array(), manifest.raw_bytes);
  if (const json::value& digest = object.at("digest"); !digest.is_null()) {
    manifest.digest = json::value_to<std::string>(digest);
  }
  if (const json::value* undecodable = object.if_contains("undecodable")) {
    manifest.undecodable = undecodable->to_number<std::uint64_t>();
  }
  manifest.started_at_ms = decode_time(object.at("started_at_ms"));
  manifest.finished_at_ms = decode_time(object.at("finished_at_ms"));
  return manifest;
}

}  // namespace

std::string encode(const Manifest& manifest) {
  json::array databases;
  for (const auto& [db, keys] : manifest.databases) databases.push_back(json::array{db, keys});
  json::array long_values;
  for (const LongValue& value : manifest.long_values) {
    long_values.push_back(json::array{value.record, value.value_bytes});
  }
  json::object object{
      {"version", Manifest::version},
      {"layout", manifest.layout},
      {"order", manifest.order},
      {"compression", manifest.compression},
      {"parent", manifest.parent},
      {"source", json_source(manifest.source)},
      {"dialect", manifest.dialect},
      {"crc", manifest.crc},
      {"crc64", manifest.crc64},
      {"raw_bytes", manifest.raw_bytes},
      {"keys", manifest.keys},
      {"types", json_counts(manifest.types)},
      {"databases", std::move(databases)},
      {"functions", manifest.functions},
      {"module_aux", manifest.module_aux},
      {"aux", encode_aux(manifest.aux)},
      {"long_values", std::move(long_values)},
      {"digest", json_optional(manifest.digest)},
      {"undecodable", manifest.undecodable},
      {"started_at_ms", manifest.started_at_ms},
      {"finished_at_ms", manifest.finished_at_ms},
  };
  if (!manifest.shards.empty()) object["shards"] = json_shards(manifest.shards);
  return json::serialize(object);
}

Result<Manifest> decode_manifest(const std::string& text, const std::string& object) {
  boost::system::error_code ec;
  const json::value value = json::parse(text, ec);
  if (ec || !value.is_object()) return std::unexpected(bad_manifest(object, "is not JSON"));
  try {
    const auto version = value.at("version").to_number<int>();
    if (version > Manifest::version) {
      return std::unexpected(Error{
          .stage = Stage::storage,
          .code = "unsupported_format",
          .message = fmt::format("backup {} has manifest version {}; this sluice reads up to {}: "
                                 "use a newer one",
                                 object, version, Manifest::version)});
    }
    return decode_object(value.as_object());
  } catch (const std::exception& problem) {  // Boost.JSON's way to say: absent, or another type
    return std::unexpected(bad_manifest(object, problem.what()));
  }
}

std::vector<BackupShard> printable(std::vector<BackupShard> shards) {
  for (BackupShard& shard : shards) {
    shard.source = printable(shard.source);
    shard.node_id = escaped(shard.node_id);
  }
  return shards;
}

BackupSource printable(const BackupSource& source) {
  BackupSource safe = source;
  safe.uri = escaped(source.uri);
  safe.server = escaped(source.server);
  safe.version = escaped(source.version);
  safe.replid = escaped(source.replid);
  return safe;
}

void take_facts(Manifest& manifest, const StreamFacts& facts) {
  const rdb::Header header = facts.header().value_or(rdb::Header{});
  const rdb::Trailer trailer = facts.trailer().value_or(rdb::Trailer{});
  manifest.source.rdb_version = header.version;
  manifest.dialect = header.dialect == rdb::Dialect::valkey ? "valkey" : "redis";
  manifest.crc = trailer.checksum == rdb::Trailer::Checksum::ok ? "ok" : "absent";
  manifest.crc64 = trailer.crc64;
  manifest.raw_bytes = trailer.bytes;
  manifest.keys = facts.keys();
  manifest.types = facts.types();
  manifest.databases = facts.databases();
  manifest.functions = facts.functions();
  manifest.module_aux = facts.module_aux();
  manifest.aux.clear();
  for (const auto& [key, value] : facts.aux()) {
    manifest.aux.emplace_back(escaped(key), escaped(value));
  }
  manifest.long_values = facts.long_values();
}

void take_digest(Manifest& manifest, const DigestOutcome& digest) {
  manifest.digest = digest.digest;
  manifest.undecodable = digest.undecodable;
}

std::optional<std::string> difference(const Manifest& manifest, const DigestReader& digest) {
  if (!manifest.digest || !rdb::is_current_digest(*manifest.digest)) return std::nullopt;
  if (digest.undecodable() > 0) {
    return "a value cannot be decoded that could be when the backup was taken: " +
           digest.first_problem();
  }
  if (digest.digest() == manifest.digest) return std::nullopt;
  return fmt::format("digest: the manifest says {}, the data hold {}", *manifest.digest,
                     digest.digest().value_or("none"));
}

std::vector<std::string> differences(const Manifest& manifest, const StreamFacts& facts) {
  Manifest seen = manifest;
  take_facts(seen, facts);
  std::vector<std::string> found;
  const auto compare = [&found](std::string_view what, std::uint64_t listed, std::uint64_t read) {
    if (listed != read) {
      found.push_back(
          fmt::format("{}: the manifest says {}, the data hold {}", what, listed, read));
    }
  };
  compare("RDB version", manifest.source.rdb_version, seen.source.rdb_version);
  if (manifest.layout == Manifest::layout_stream) {
    compare("bytes", manifest.raw_bytes, seen.raw_bytes);
    compare("CRC64", manifest.crc64, seen.crc64);
  }
  compare("keys", manifest.keys, seen.keys);
  compare("function libraries", manifest.functions, seen.functions);
  if (manifest.types != seen.types) found.emplace_back("the counts by type differ");
  if (manifest.databases != seen.databases) found.emplace_back("the counts by database differ");
  if (manifest.long_values != seen.long_values)
    found.emplace_back("the list of long values differs");
  return found;
}

}  // namespace sluice::engine
