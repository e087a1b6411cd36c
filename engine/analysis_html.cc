#include <fmt/format.h>

#include <algorithm>

#include "engine/html_page.h"
#include "sluice/analyze.h"
#include "sluice/catalog.h"

namespace sluice {
namespace {

using engine::HtmlPage;
using engine::page_bytes;
using engine::page_count;
using Cells = std::vector<HtmlPage::Cell>;

const std::vector<std::string> amount_header{"Keys", "Serialized", "Elements", "Memory", "Share"};

HtmlPage::Cell plain(std::string text, int indent = 0) {
  return {.text = std::move(text), .indent = indent};
}

HtmlPage::Cell number(std::string text) { return {.text = std::move(text), .number = true}; }

void add_amount(Cells& cells, const Amount& amount, const Amount& total) {
  cells.push_back(number(page_count(amount.keys)));
  cells.push_back(number(page_bytes(amount.serialized_bytes)));
  cells.push_back(number(page_count(amount.elements)));
  cells.push_back(number(page_bytes(amount.memory_bytes)));
  const double share = total.memory_bytes == 0 ? 0
                                               : static_cast<double>(amount.memory_bytes) /
                                                     static_cast<double>(total.memory_bytes);
  HtmlPage::Cell last = number(fmt::format("{:.1f} %", 100 * share));
  last.share = share;
  cells.push_back(std::move(last));
}

std::vector<std::string> with_first(std::string first, std::vector<std::string> header) {
  header.insert(header.begin(), std::move(first));
  return header;
}

template <class Map>
void amounts(HtmlPage& page, const std::string& title, const Map& map, const Amount& total) {
  if (map.empty()) return;
  page.begin_section(title);
  std::vector<HtmlPage::Bar> bars;
  std::vector<Cells> rows;
  for (const auto& [name, amount] : map) {
    const std::string label = fmt::format("{}", name);
    bars.push_back({.label = label,
                    .size = static_cast<double>(amount.memory_bytes),
                    .value = page_bytes(amount.memory_bytes)});
    rows.push_back({plain(label)});
    add_amount(rows.back(), amount, total);
  }
  std::ranges::stable_sort(bars, std::ranges::greater(), &HtmlPage::Bar::size);
  bars.resize(std::min<std::size_t>(bars.size(), 24));
  page.bars("Estimated memory", bars);
  page.table(title, with_first("Name", amount_header), rows);
  page.end_section();
}

void add_prefixes(std::vector<Cells>& rows, const PrefixNode& node, const Amount& total,
                  int depth) {
  for (const PrefixNode& child : node.children) {
    if (child.is_link()) {
      add_prefixes(rows, child, total, depth);
      continue;
    }
    Cells row{plain(child.prefix, depth)};
    add_amount(row, child.amount, total);
    row.push_back(plain(child.missing_memory_max == 0
                            ? ""
                            : "up to " + page_bytes(child.missing_memory_max) + " more"));
    rows.push_back(std::move(row));
    add_prefixes(rows, child, total, depth + 1);
  }
  if (node.other.keys == 0) return;
  Cells row{plain("(other)", depth)};
  add_amount(row, node.other, total);
  row.push_back(plain(""));
  rows.push_back(std::move(row));
}

void prefixes(HtmlPage& page, const AnalyzeResult& result) {
  page.begin_section("Prefixes");
  page.paragraph(
      "Segments that look like ids are put together as *. Every key is counted once at "
      "each level; (other) is what is not shown by itself.");
  std::vector<HtmlPage::Bar> bars;
  for (const PrefixNode& node : result.prefixes.children) {
    if (bars.size() == 16) break;
    bars.push_back({.label = node.prefix,
                    .size = static_cast<double>(node.amount.memory_bytes),
                    .value = page_bytes(node.amount.memory_bytes)});
  }
  page.bars("Estimated memory of the largest", bars);
  std::vector<Cells> rows;
  add_prefixes(rows, result.prefixes, result.total, 0);
  auto header = with_first("Prefix", amount_header);
  header.emplace_back("Uncertain");
  page.table("By prefix", header, rows);
  page.end_section();
}

void largest(HtmlPage& page, const std::string& title, const std::vector<LargeKey>& keys) {
  if (keys.empty()) return;
  page.begin_section(title);
  std::vector<Cells> rows;
  rows.reserve(keys.size());
  for (const LargeKey& key : keys) {
    rows.push_back({plain(key.key), number(std::to_string(key.db)), plain(key.encoding),
                    number(page_bytes(key.amount.serialized_bytes)),
                    number(page_count(key.amount.elements)),
                    number(page_bytes(key.amount.memory_bytes)),
                    plain(key.expire_at_ms ? format_time(*key.expire_at_ms) : "")});
  }
  page.table(title, {"Key", "Database", "Encoding", "Serialized", "Elements", "Memory", "Expires"},
             rows);
  page.end_section();
}

void ranges(HtmlPage& page, const std::string& title, const std::vector<Bucket>& buckets) {
  if (buckets.empty()) return;
  page.begin_section(title);
  std::vector<HtmlPage::Bar> bars;
  std::vector<Cells> rows;
  for (const Bucket& bucket : buckets) {
    bars.push_back({.label = bucket.label,
                    .size = static_cast<double>(bucket.keys),
                    .value = page_count(bucket.keys)});
    rows.push_back({plain(bucket.label), number(page_count(bucket.keys)),
                    number(page_bytes(bucket.serialized_bytes))});
  }
  page.bars("Keys", bars);
  page.table(title, {"Range", "Keys", "Serialized"}, rows);
  page.end_section();
}

void sizes(HtmlPage& page, const std::string& title, const Distribution& distribution,
           std::string (*show)(std::uint64_t)) {
  if (distribution.powers.empty()) return;
  page.begin_section(title);
  page.paragraph(fmt::format("Median {}, 90 % up to {}, 99 % up to {}, largest {}.",
                             show(distribution.p50), show(distribution.p90), show(distribution.p99),
                             show(distribution.max)));
  std::vector<HtmlPage::Bar> bars;
  std::vector<Cells> rows;
  for (const auto& [below, keys] : distribution.powers) {
    const std::string label = "below " + show(below);
    bars.push_back({.label = label, .size = static_cast<double>(keys), .value = page_count(keys)});
    rows.push_back({plain(label), number(page_count(keys))});
  }
  page.bars("Keys", bars);
  page.table(title, {"Size", "Keys"}, rows);
  page.end_section();
}

void slots(HtmlPage& page, const AnalyzeResult& result) {
  const SlotSpread& spread = result.slots;
  page.begin_section("Hash slots");
  page.paragraph(
      fmt::format("{} of 16,384 slots hold keys: {} to {} keys a slot, {:.1f} on the "
                  "mean. {} keys have a hash tag.",
                  page_count(spread.slots_used), page_count(spread.keys_min),
                  page_count(spread.keys_max), spread.keys_mean, page_count(spread.tagged_keys)));
  for (const ShardSpread& cluster : spread.clusters) {
    if (cluster.shards.size() > 64) continue;
    std::vector<HtmlPage::Bar> bars;
    bars.reserve(cluster.shards.size());
    for (std::size_t i = 0; i < cluster.shards.size(); ++i) {
      bars.push_back(
          {.label = fmt::format("shard {}", i + 1),
           .size = static_cast<double>(cluster.shards[i].memory_bytes),
           .value = fmt::format("{}, {} keys", page_bytes(cluster.shards[i].memory_bytes),
                                page_count(cluster.shards[i].keys))});
    }
    page.bars(fmt::format("Estimated memory over {} shards; the fullest has {:.2f} times the mean",
                          cluster.shards.size(), cluster.imbalance),
              bars);
  }
  std::vector<Cells> rows;
  for (const SlotLoad& slot : spread.heaviest) {
    rows.push_back({plain(std::to_string(slot.slot))});
    add_amount(rows.back(), slot.amount, result.total);
  }
  page.table("Heaviest slots", with_first("Slot", amount_header), rows);
  page.end_section();
}

void head(HtmlPage& page, const AnalyzeResult& result) {
  page.paragraph(fmt::format("{} {} {}, RDB version {}. As of {}.", result.source.uri,
                             result.source.server, result.source.version, result.source.rdb_version,
                             format_time(result.at_ms)));
  std::vector<std::pair<std::string, std::string>> figures{
      {"Keys", page_count(result.total.keys)},
      {"RDB", page_bytes(result.bytes)},
      {"Estimated memory", page_bytes(result.total.memory_bytes + result.table_memory_bytes)},
      {"Expiring keys", page_count(result.expiring)},
      {"Expired", page_count(result.expired)},
      {"Expiring fields", page_count(result.expiring_fields)},
      {"Function libraries", page_count(result.functions)}};
  if (result.used_memory_bytes) {
    figures.insert(figures.begin() + 3,
                   {"Server's used memory", page_bytes(*result.used_memory_bytes)});
  }
  page.figures(figures);
  page.paragraph(fmt::format("Memory is an estimate after the structures of {}; sizes are 1024s.",
                             result.memory_model));
  if (result.unreadable > 0) {
    page.paragraph(fmt::format("The values of {} keys are damaged and counted by their size alone.",
                               page_count(result.unreadable)));
  }
}

}  // namespace

std::string to_html(const AnalyzeResult& result) {
  HtmlPage page("Dataset of " + result.source.uri);
  head(page, result);
  amounts(page, "Types", result.types, result.total);
  prefixes(page, result);
  largest(page, "Largest keys by memory", result.top_by_memory);
  largest(page, "Largest keys by serialized size", result.top_by_serialized);
  largest(page, "Largest keys by elements", result.top_by_elements);
  if (result.expiring > 0) ranges(page, "Time to live", result.expiries);
  ranges(page, "Idle time", result.idle);
  ranges(page, "Frequency of access", result.frequency);
  sizes(page, "Serialized sizes", result.serialized_sizes, page_bytes);
  sizes(page, "Elements a key", result.element_counts, page_count);
  amounts(page, "Encodings", result.encodings, result.total);
  amounts(page, "Databases", result.databases, result.total);
  amounts(page, "Modules", result.modules, result.total);
  slots(page, result);
  return page.take();
}

}  // namespace sluice
