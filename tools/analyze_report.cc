#include "analyze_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "sluice/catalog.h"
#include "terminal.h"

namespace sluice::tools {
namespace {

using Rows = std::vector<std::vector<std::string>>;

const std::vector<std::string> amount_header{">keys", ">serialized", ">elements", ">memory",
                                             ">share"};

std::vector<std::string> cells(const Amount& amount, const Amount& total) {
  const double share = total.memory_bytes == 0 ? 0
                                               : 100 * static_cast<double>(amount.memory_bytes) /
                                                     static_cast<double>(total.memory_bytes);
  return {human_count(amount.keys), human_bytes(amount.serialized_bytes),
          human_count(amount.elements), human_bytes(amount.memory_bytes),
          fmt::format("{:.1f} %", share)};
}

template <class... Name>
std::vector<std::string> row(const std::vector<std::string>& rest, Name... names) {
  std::vector<std::string> all{std::move(names)...};
  all.insert(all.end(), rest.begin(), rest.end());
  return all;
}

void section(const std::string& title, const std::string& column, const Rows& rows) {
  if (rows.empty()) return;
  fmt::print("\n{}\n", title);
  print_table(row(amount_header, column), rows);
}

template <class Map>
Rows rows_of(const Map& map, const Amount& total) {
  Rows rows;
  for (const auto& [name, amount] : map) {
    rows.push_back(row(cells(amount, total), fmt::format("{}", name)));
  }
  return rows;
}

void add_prefixes(Rows& rows, const PrefixNode& node, const Amount& total) {
  for (const PrefixNode& child : node.children) {
    if (child.is_link()) {
      add_prefixes(rows, child, total);
      continue;
    }
    auto line = row(cells(child.amount, total), child.prefix);
    if (child.missing_memory_max > 0) {
      line.push_back("up to " + human_bytes(child.missing_memory_max) + " more");
    }
    rows.push_back(std::move(line));
    add_prefixes(rows, child, total);
  }
}

void print_prefixes(const AnalyzeResult& result) {
  constexpr std::size_t rows_max = 40;
  Rows rows;
  add_prefixes(rows, result.prefixes, result.total);
  const std::size_t found = rows.size();
  rows.resize(std::min(found, rows_max));
  const bool bounds = std::ranges::any_of(rows, [](const auto& line) { return line.size() > 6; });
  for (auto& line : rows) line.resize(bounds ? 7 : 6);
  fmt::print("\nPrefixes{}\n", found > rows_max ? fmt::format(" (the first {} of {}; --json and "
                                                              "--html have all)",
                                                              rows_max, found)
                                                : "");
  auto header = row(amount_header, "prefix");
  if (bounds) header.emplace_back("uncertain");
  print_table(header, rows);
}

void print_top(const std::string& title, const std::vector<LargeKey>& keys) {
  if (keys.empty()) return;
  fmt::print("\n{}\n", title);
  Rows rows;
  for (const LargeKey& key : keys) {
    rows.push_back({key.key, std::to_string(key.db), key.encoding,
                    human_bytes(key.amount.serialized_bytes), human_count(key.amount.elements),
                    human_bytes(key.amount.memory_bytes),
                    key.expire_at_ms ? format_time(*key.expire_at_ms) : ""});
  }
  print_table({"key", ">db", "encoding", ">serialized", ">elements", ">memory", "expires"}, rows);
}

void print_buckets(const std::string& title, const std::vector<Bucket>& buckets) {
  if (buckets.empty()) return;
  fmt::print("\n{}\n", title);
  Rows rows;
  for (const Bucket& bucket : buckets) {
    rows.push_back({bucket.label, human_count(bucket.keys), human_bytes(bucket.serialized_bytes)});
  }
  print_table({"range", ">keys", ">serialized"}, rows);
}

void print_head(const AnalyzeResult& result) {
  const SlotSpread& slots = result.slots;
  const std::uint64_t memory = result.total.memory_bytes + result.table_memory_bytes;
  const auto sizes = [](const Distribution& d, auto&& show) {
    return fmt::format("median {}, 90 % {}, 99 % {}, largest {}", show(d.p50), show(d.p90),
                       show(d.p99), show(d.max));
  };
  print_fields({
      {"source", fmt::format("{} ({} {}, RDB {})", result.source.uri, result.source.server,
                             result.source.version, result.source.rdb_version)},
      {"as of", format_time(result.at_ms)},
      {"keys", human_count(result.total.keys)},
      {"RDB", human_bytes(result.bytes)},
      {"memory", fmt::format("about {} (model {}{})", human_bytes(memory), result.memory_model,
                             result.used_memory_bytes
                                 ? "; the server said " + human_bytes(*result.used_memory_bytes)
                                 : "")},
      {"key size", sizes(result.serialized_sizes, human_bytes)},
      {"elements", sizes(result.element_counts, human_count)},
      {"expiring",
       fmt::format("{} keys, {} of them expired; {} hash fields", human_count(result.expiring),
                   human_count(result.expired), human_count(result.expiring_fields))},
      {"functions",
       fmt::format("{} libraries, {}", result.functions, human_bytes(result.function_bytes))},
      {"slots", fmt::format("{} of 16,384 used, {} to {} keys a slot, {} keys with a hash tag",
                            human_count(slots.slots_used), human_count(slots.keys_min),
                            human_count(slots.keys_max), human_count(slots.tagged_keys))},
  });
}

void print_clusters(const AnalyzeResult& result) {
  if (result.slots.clusters.empty()) return;
  fmt::print("\nAs a cluster\n");
  Rows rows;
  for (const ShardSpread& cluster : result.slots.clusters) {
    const auto fullest = std::ranges::max_element(cluster.shards, {}, &Amount::memory_bytes);
    rows.push_back({std::to_string(cluster.shards.size()), human_count(fullest->keys),
                    human_bytes(fullest->memory_bytes),
                    fmt::format("{:.2f} x the mean", cluster.imbalance)});
  }
  print_table({">shards", ">keys of the fullest", ">memory", ">imbalance"}, rows);
}

}  // namespace

void print_analysis(const AnalyzeResult& result) {
  print_head(result);
  section("Types", "type", rows_of(result.types, result.total));
  section("Encodings", "encoding", rows_of(result.encodings, result.total));
  section("Databases", "db", rows_of(result.databases, result.total));
  section("Modules", "type", rows_of(result.modules, result.total));
  print_prefixes(result);
  print_top("Largest keys by memory", result.top_by_memory);
  print_top("Largest keys by serialized size", result.top_by_serialized);
  print_top("Largest keys by elements", result.top_by_elements);
  if (result.expiring > 0) print_buckets("Time to live", result.expiries);
  print_buckets("Idle time", result.idle);
  print_buckets("Frequency of access", result.frequency);
  print_clusters(result);
  if (result.unreadable > 0) {
    fmt::print("\nnote: the values of {} key(s) are damaged; run check --depth verify\n",
               human_count(result.unreadable));
  }
}

}  // namespace sluice::tools
