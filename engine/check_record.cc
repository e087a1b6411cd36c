#include "engine/check_record.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>

#include "engine/errors.h"

namespace sluice::engine {
namespace {

namespace json = boost::json;

constexpr std::array<std::string_view, verify_level_count> level_names{"list", "stored", "decoded",
                                                                       "parsed", "digest"};

constexpr std::size_t index_of(VerifyLevel level) noexcept {
  return static_cast<std::size_t>(level);
}

json::object encode_sums(const ChunkSums& sums) {
  json::array databases;
  for (const auto& [db, keys] : sums.databases) databases.push_back(json::array{db, keys});
  return {{"chunks", sums.chunks},
          {"raw_bytes", sums.raw_bytes},
          {"keys", sums.keys},
          {"long_values", sums.long_values},
          {"undecodable", sums.undecodable},
          {"digest", {sums.digest.low, sums.digest.high}},
          {"types", json::value_from(sums.types)},
          {"databases", std::move(databases)}};
}

/// Throws what Boost.JSON throws. So do the others that decode.
ChunkSums decode_sums(const json::object& object) {
  const auto number = [](const json::value& value) { return value.to_number<std::uint64_t>(); };
  ChunkSums sums{.chunks = number(object.at("chunks")),
                 .raw_bytes = number(object.at("raw_bytes")),
                 .keys = number(object.at("keys")),
                 .long_values = number(object.at("long_values")),
                 .undecodable = number(object.at("undecodable")),
                 .digest = {.low = number(object.at("digest").as_array().at(0)),
                            .high = number(object.at("digest").as_array().at(1))},
                 .types = {},
                 .databases = {}};
  const json::array& types = object.at("types").as_array();
  for (std::size_t i = 0; i < std::min(types.size(), sums.types.size()); ++i)
    sums.types[i] = number(types[i]);
  for (const json::value& pair : object.at("databases").as_array())
    sums.databases[number(pair.as_array().at(0))] = number(pair.as_array().at(1));
  return sums;
}

/// Throws std::invalid_argument.
VerifyLevel decode_level(const json::value& value) {
  const auto level = parse_verify_level(std::string_view(value.as_string()));
  if (!level) throw std::invalid_argument("a level is unknown");
  return *level;
}

json::array encode_ranges(const std::vector<std::pair<std::uint32_t, std::uint32_t>>& ranges) {
  json::array list;
  for (const auto& [first, end] : ranges) list.push_back(json::array{first, end});
  return list;
}

std::vector<std::pair<std::uint32_t, std::uint32_t>> decode_ranges(const json::array& list) {
  std::vector<std::pair<std::uint32_t, std::uint32_t>> ranges;
  for (const json::value& range : list) {
    ranges.emplace_back(range.as_array().at(0).to_number<std::uint32_t>(),
                        range.as_array().at(1).to_number<std::uint32_t>());
  }
  return ranges;
}

CheckProgress decode_progress(const json::object& object) {
  CheckProgress progress{.level = decode_level(object.at("level")),
                         .manifest = std::string(object.at("manifest").as_string()),
                         .next_chunk = object.at("next_chunk").to_number<std::uint32_t>(),
                         .damaged = {},
                         .sums = decode_sums(object.at("sums").as_object()),
                         .packs = decode_ranges(object.at("packs").as_array())};
  for (const json::value& chunk : object.at("damaged").as_array())
    progress.damaged.push_back(chunk.to_number<std::uint32_t>());
  return progress;
}

CheckRecord decode_object(const json::object& object) {
  CheckRecord record{.tool = std::string(object.at("tool").as_string()),
                     .good_at_ms = {},
                     .bad = {},
                     .progress = {}};
  for (const auto& [name, at] : object.at("good").as_object()) {
    if (const auto level = parse_verify_level(name))
      record.good_at_ms[index_of(*level)] = at.to_number<std::int64_t>();
  }
  if (const json::value* bad = object.if_contains("bad")) {
    record.bad =
        CheckRecord::Bad{.level = decode_level(bad->as_object().at("level")),
                         .at_ms = bad->as_object().at("at").to_number<std::int64_t>(),
                         .problems = bad->as_object().at("problems").to_number<std::uint64_t>(),
                         .data = bad->as_object().at("data").as_bool()};
  }
  if (const json::value* progress = object.if_contains("progress"))
    record.progress = decode_progress(progress->as_object());
  return record;
}

Error bad_record(std::string_view code, const std::string& object, std::string_view what) {
  return {.stage = Stage::storage,
          .code = std::string(code),
          .message = fmt::format("what the last check of backup {} left {}", object, what)};
}

}  // namespace

bool CheckProgress::has_pack(std::uint32_t position) const noexcept {
  return std::ranges::any_of(packs, [position](const auto& range) {
    return range.first <= position && position < range.second;
  });
}

void CheckProgress::add_pack(std::uint32_t position) {
  if (packs.empty() || packs.back().second != position) packs.emplace_back(position, position);
  packs.back().second = position + 1;
}

std::optional<std::int64_t> CheckRecord::good_since(VerifyLevel level) const noexcept {
  if (bad) return std::nullopt;
  std::optional<std::int64_t> newest;
  for (std::size_t i = index_of(level); i < good_at_ms.size(); ++i)
    newest = std::max(newest, good_at_ms[i]);
  return newest;
}

std::optional<LastCheck> CheckRecord::last() const {
  if (bad) {
    return LastCheck{
        .finished_at_ms = bad->at_ms, .level = std::string(to_string(bad->level)), .ok = false};
  }
  for (std::size_t i = good_at_ms.size(); i-- > 0;) {
    if (good_at_ms[i]) {
      return LastCheck{
          .finished_at_ms = *good_at_ms[i], .level = std::string(level_names[i]), .ok = true};
    }
  }
  return std::nullopt;
}

void CheckRecord::note_good(VerifyLevel level, std::int64_t at_ms) {
  good_at_ms[index_of(level)] = at_ms;
  if (bad && bad->level <= level) bad.reset();
  progress.reset();
}

void CheckRecord::note_bad(const Bad& found) {
  for (std::size_t i = index_of(found.level); i < good_at_ms.size(); ++i) good_at_ms[i].reset();
  // A shallow check does not see what a deeper one saw, which stands as long as nothing else says.
  const bool deeper = bad && bad->level > found.level;
  if (!deeper) {
    bad = found;
  } else {
    bad->data = bad->data || found.data;
  }
  progress.reset();
}

std::string encode(const CheckRecord& record) {
  json::object good;
  for (std::size_t i = 0; i < record.good_at_ms.size(); ++i) {
    if (record.good_at_ms[i]) good[level_names[i]] = *record.good_at_ms[i];
  }
  json::object object{
      {"version", CheckRecord::version}, {"tool", record.tool}, {"good", std::move(good)}};
  if (record.bad) {
    object["bad"] = {{"level", to_string(record.bad->level)},
                     {"at", record.bad->at_ms},
                     {"problems", record.bad->problems},
                     {"data", record.bad->data}};
  }
  if (record.progress) {
    const CheckProgress& progress = *record.progress;
    object["progress"] = {
        {"level", to_string(progress.level)}, {"manifest", progress.manifest},
        {"next_chunk", progress.next_chunk},  {"damaged", json::value_from(progress.damaged)},
        {"sums", encode_sums(progress.sums)}, {"packs", encode_ranges(progress.packs)}};
  }
  return json::serialize(object);
}

Result<CheckRecord> decode_check_record(const std::string& text, const std::string& object) {
  boost::system::error_code ec;
  const json::value value = json::parse(text, ec);
  if (ec || !value.is_object())
    return std::unexpected(bad_record("corrupt", object, "is not JSON"));
  try {
    if (value.at("version").to_number<int>() > CheckRecord::version)
      return std::unexpected(bad_record("unsupported_format", object, "is of a newer sluice"));
    return decode_object(value.as_object());
  } catch (const std::exception& problem) {  // Boost.JSON's way to say: absent, or another type
    return std::unexpected(bad_record("corrupt", object, problem.what()));
  }
}

Result<CheckRecord> load_check_record(const storage::Repository& repository,
                                      const storage::BackupKey& key) {
  const auto text = repository.checked(key);
  if (!text) return std::unexpected(from_storage(text.error()));
  if (!*text) return CheckRecord{};
  return decode_check_record(**text, key.id);
}

}  // namespace sluice::engine

namespace sluice {

std::string_view to_string(VerifyLevel level) noexcept {
  return engine::level_names[engine::index_of(level)];
}

std::optional<VerifyLevel> parse_verify_level(std::string_view text) noexcept {
  const auto found = std::ranges::find(engine::level_names, text);
  if (found == engine::level_names.end()) return std::nullopt;
  return static_cast<VerifyLevel>(found - engine::level_names.begin());
}

}  // namespace sluice
