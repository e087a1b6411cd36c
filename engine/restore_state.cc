#include "engine/restore_state.h"

#include <fmt/format.h>

#include <array>
#include <boost/json.hpp>
#include <charconv>
#include <utility>

#include "engine/conversion_loss.h"
#include "engine/json.h"
#include "engine/restore_json.h"

namespace sluice::engine {
namespace {

namespace json = boost::json;

constexpr std::string_view magic = "sluice-restore";
constexpr std::size_t named_bytes_max = 12 << 10;  // of failures, and of losses

json::object json_of(const KeyConditions& conditions) {
  json::array slots;
  for (const SlotRange& range : conditions.slots) slots.push_back({range.first, range.last});
  return {{"globs", json::value_from(conditions.globs)},
          {"regexes", json::value_from(conditions.regexes)},
          {"key_files", json::value_from(conditions.key_files)},
          {"types", json::value_from(conditions.types)},
          {"databases", json::value_from(conditions.databases)},
          {"slots", std::move(slots)}};
}

json::object json_of(const Filter& filter) {
  json::array databases;
  for (const auto& [from, to] : filter.databases) databases.push_back({from, to});
  return {{"only", json_of(filter.keys.only)},
          {"except", json_of(filter.keys.except)},
          {"databases", std::move(databases)},
          {"prefix", json_bytes(filter.prefix)},
          {"ttl", static_cast<int>(filter.ttl)},
          {"shift_ms", filter.shift_ms ? json::value(*filter.shift_ms) : json::value(nullptr)},
          {"functions", filter.functions}};
}

/// As many from the beginning as have room; the counts tell how many there are.
json::array first_of(json::array all) {
  std::size_t bytes = 0;
  std::size_t count = 0;
  for (; count < all.size() && bytes < named_bytes_max; ++count) {
    bytes += json::serialize(all[count]).size();
  }
  if (bytes > named_bytes_max) --count;
  all.resize(count);
  return all;
}

json::object json_sums(const DigestWindows::Sums& all) {
  json::object sums;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const auto& [sum, terms] = all[i];
    if (terms == 0) continue;
    sums[std::to_string(i)] = fmt::format("{:016x}{:016x} {}", sum.high, sum.low, terms);
  }
  return sums;
}

template <typename Number>
bool take_number(std::string_view& text, std::size_t digits, int base, Number& number) {
  const std::string_view part = text.substr(0, digits);
  const auto [end, bad] = std::from_chars(part.data(), part.data() + part.size(), number, base);
  text.remove_prefix(part.size());
  return bad == std::errc() && end == part.data() + part.size();
}

bool take_sum(std::string_view index, std::string_view text, DigestWindows::Sums& sums) {
  constexpr std::size_t hex_digits = 16;
  std::size_t window = 0;
  DigestWindows::Window sum;
  if (!take_number(index, index.size(), 10, window) || window >= sums.size()) return false;
  if (!take_number(text, hex_digits, 16, sum.sum.high)) return false;
  if (!take_number(text, hex_digits, 16, sum.sum.low) || !text.starts_with(' ')) return false;
  text.remove_prefix(1);
  if (!take_number(text, text.size(), 10, sum.terms)) return false;
  sums[window] = sum;
  return true;
}

std::optional<DigestWindows::Sums> sums_of(const json::object& kept) {
  DigestWindows::Sums sums(DigestWindows::window_count);
  for (const auto& [index, sum] : kept) {
    if (!sum.is_string() || !take_sum(index, sum.get_string(), sums)) return std::nullopt;
  }
  return sums;
}

const json::object* object_of(const json::object& root, std::string_view field) {
  const json::value* value = root.if_contains(field);
  return value != nullptr ? value->if_object() : nullptr;
}

/// Objects of an array; what is none is left out.
template <typename Take>
void for_each_in(const json::object& root, std::string_view field, const Take& take) {
  const json::value* value = root.if_contains(field);
  if (value == nullptr || !value->is_array()) return;
  for (const json::value& entry : value->get_array()) {
    if (entry.is_object()) take(entry.get_object());
  }
}

Ledger ledger_of(const json::object& counts) {
  return {.read = json_number(counts, "read"),
          .written = json_number(counts, "written"),
          .filtered = json_number(counts, "filtered"),
          .skipped = json_number(counts, "skipped"),
          .expired = json_number(counts, "expired"),
          .failed = json_number(counts, "failed")};
}

RdbLoss loss_of(const json::object& loss) {
  RdbLoss found{.of = json_text(loss, "of"),
                .db = json_number(loss, "db"),
                .name = json_text(loss, "name"),
                .type = json_text(loss, "type"),
                .what = {},
                .message = json_text(loss, "message")};
  const json::value* what = loss.if_contains("what");
  if (what == nullptr || !what->is_array()) return found;
  for (const json::value& each : what->get_array()) {
    if (each.is_string()) found.what.emplace_back(each.get_string());
  }
  return found;
}

RestoreResult counts_of(const json::object& root) {
  RestoreResult counts;
  if (const json::object* types = object_of(root, "by_type")) {
    for (const auto& [type, ledger] : *types) {
      if (ledger.is_object()) counts.by_type[std::string(type)] = ledger_of(ledger.get_object());
    }
  }
  counts.functions = json_number(root, "functions");
  counts.functions_failed = json_number(root, "functions_failed");
  for_each_in(root, "failures", [&](const json::object& failure) {
    counts.failures.push_back({.db = json_number(failure, "db"),
                               .key = json_text(failure, "key"),
                               .message = json_text(failure, "message")});
  });
  counts.failure_count = json_number(root, "failure_count");
  for_each_in(root, "losses",
              [&](const json::object& loss) { counts.losses.push_back(loss_of(loss)); });
  counts.loss_count = json_number(root, "loss_count");
  return counts;
}

}  // namespace

std::string encode(const RestoreState& state) {
  json::object counted = json_of(state.so_far.counts);
  json::object root{{"magic", magic},
                    {"target", state.target},
                    {"backup", state.backup},
                    {"instance", state.instance},
                    {"keys", state.keys},
                    {"server", state.server},
                    {"options", state.options},
                    {"records", state.records},
                    {"sent_end", state.sent_end},
                    {"started_at_ms", state.started_at_ms},
                    {"by_type", counted["by_type"]},
                    {"functions", counted["functions"]},
                    {"functions_failed", counted["functions_failed"]},
                    {"failures", first_of(counted["failures"].get_array())},
                    {"failure_count", counted["failure_count"]},
                    {"losses", first_of(counted["losses"].get_array())},
                    {"loss_count", counted["loss_count"]}};
  if (const auto& written = state.so_far.written) {
    root["sums"] = json_sums(*written);
    root["sums_start_ms"] = state.so_far.start_ms;
    root["gap"] = state.so_far.written_gap;
  }
  return json::serialize(root);
}

std::optional<RestoreState> decode_restore_state(std::string_view text) {
  boost::system::error_code bad;
  const json::value value = json::parse(text, bad);
  const json::object* root = bad ? nullptr : value.if_object();
  if (root == nullptr || json_text(*root, "magic") != magic) return std::nullopt;
  RestoreState state{
      .target = json_text(*root, "target"),
      .backup = json_text(*root, "backup"),
      .instance = json_text(*root, "instance"),
      .keys = json_number(*root, "keys"),
      .server = json_text(*root, "server"),
      .options = json_text(*root, "options"),
      .started_at_ms = static_cast<std::int64_t>(json_number(*root, "started_at_ms")),
      .records = json_number(*root, "records"),
      .sent_end = json_number(*root, "sent_end"),
      .so_far = {}};
  state.so_far.start_ms = static_cast<std::int64_t>(json_number(*root, "sums_start_ms"));
  state.so_far.counts = counts_of(*root);
  state.so_far.written_gap = json_text(*root, "gap");
  if (const json::object* sums = object_of(*root, "sums")) {
    state.so_far.written = sums_of(*sums);
    if (!state.so_far.written) return std::nullopt;
  }
  return state;
}

std::string options_text(const RestoreOptions& options) {
  constexpr std::array policies{"refuse", "replace", "skip"};
  return json::serialize(
      json::object{{"mode", to_string(options.mode)},
                   {"on_conflict", policies.at(static_cast<std::size_t>(options.on_conflict))},
                   {"filter", json_of(options.filter)}});
}

std::string identity_of(const ReadyTarget& target) {
  return target.cluster ? target.run_ids : target.info.run_id;
}

}  // namespace sluice::engine
