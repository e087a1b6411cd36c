#include "engine/analysis.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <string_view>
#include <utility>

#include "rdb/escape.h"

namespace sluice {

Amount& Amount::operator+=(const Amount& more) {
  keys += more.keys;
  serialized_bytes += more.serialized_bytes;
  elements += more.elements;
  memory_bytes += more.memory_bytes;
  return *this;
}

Amount& Amount::operator-=(const Amount& less) {
  keys -= less.keys;
  serialized_bytes -= less.serialized_bytes;
  elements -= less.elements;
  memory_bytes -= less.memory_bytes;
  return *this;
}

}  // namespace sluice

namespace sluice::engine {
namespace {

constexpr std::size_t key_shown_bytes = 128;
constexpr std::size_t heaviest_slots = 10;
constexpr std::int64_t minute_s = 60;
constexpr std::int64_t hour_s = 60 * minute_s;
constexpr std::int64_t day_s = 24 * hour_s;

std::string_view text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::optional<std::uint64_t> number(std::string_view digits) {
  std::uint64_t value = 0;
  const char* const end = digits.data() + digits.size();
  const auto [parsed, ec] = std::from_chars(digits.data(), end, value);
  if (ec != std::errc() || parsed != end) return std::nullopt;
  return value;
}

RangeHistogram times(bool with_past) {
  if (with_past) {
    return {{{0, "expired"},
             {minute_s * 1000, "< 1 minute"},
             {hour_s * 1000, "< 1 hour"},
             {day_s * 1000, "< 1 day"},
             {7 * day_s * 1000, "< 7 days"},
             {30 * day_s * 1000, "< 30 days"},
             {365 * day_s * 1000, "< 1 year"}},
            "1 year or more"};
  }
  return {{{minute_s, "< 1 minute"},
           {hour_s, "< 1 hour"},
           {day_s, "< 1 day"},
           {7 * day_s, "< 7 days"},
           {30 * day_s, "< 30 days"},
           {365 * day_s, "< 1 year"}},
          "1 year or more"};
}

/// Hostile times may be as far apart as they can.
std::int64_t distance(std::int64_t from, std::int64_t to) {
  std::int64_t result = 0;
  if (!__builtin_sub_overflow(to, from, &result)) return result;
  return to < from ? std::numeric_limits<std::int64_t>::min()
                   : std::numeric_limits<std::int64_t>::max();
}

}  // namespace

Analysis::Analysis(ValueMeasure& measure, const AnalyzeOptions& options, std::int64_t now_ms)
    : ValueCheck(measure, {.texts = ValueMeasure::texts, .sizes = true, .strict = false},
                 [this](const rdb::Error&) { ++unreadable_; }),
      measure_(measure),
      options_(options),
      at_ms_(now_ms),
      expiries_(times(true)),
      idle_(times(false)),
      frequency_({{1, "0"},
                  {5, "1 to 4"},
                  {10, "5 to 9"},
                  {50, "10 to 49"},
                  {100, "50 to 99"},
                  {200, "100 to 199"}},
                 "200 to 255"),
      by_serialized_(options.top),
      by_elements_(options.top),
      by_memory_(options.top),
      prefixes_({.separators = options.separators,
                 .depth = options.depth,
                 .fold_ids = options.fold_ids}) {}

bool Analysis::on_aux(std::span<const std::byte> key, std::span<const std::byte> value) {
  const std::string_view name = text(key);
  if (name == "redis-ver" || name == "valkey-ver") {
    measure_.set_model(MemoryModel::of_version(name, text(value)));
  }
  // 2^40 s is 34,000 years: no ctime of a real clock, and no overflow.
  const auto told = number(text(value));
  if (name == "ctime" && told && *told < std::uint64_t{1} << 40) {
    at_ms_ = static_cast<std::int64_t>(*told) * 1000;
  }
  if (name == "used-mem") used_memory_ = told;
  return ValueCheck::on_aux(key, value);
}

bool Analysis::on_function(std::span<const std::byte> source) {
  function_bytes_ += source.size();
  return ValueCheck::on_function(source);
}

bool Analysis::on_record_begin(const rdb::RecordHeader& record) {
  record_ = {.offset = record.offset,
             .value_offset = record.value_offset,
             .db = record.db,
             .type = record.type,
             .expire_at_ms = record.expire_at_ms,
             .lru_idle_s = record.lru_idle_s,
             .lfu_freq = record.lfu_freq,
             .prefix = prefixes_.locate(record.key)};
  if (database_ == nullptr || database_index_ != record.db) {
    database_index_ = record.db;
    database_ = &databases_[record.db];
  }
  record_.slot = key_slot(record.key, record_.has_tag);
  record_.key_bytes = std::min(record.key.size(), key_head_.size());
  std::ranges::copy(record.key.first(record_.key_bytes), key_head_.begin());
  measure_.begin(record, header()->version);
  return ValueCheck::on_record_begin(record);
}

bool Analysis::on_record_end(std::uint64_t offset) {
  if (!ValueCheck::on_record_end(offset)) return false;
  const Amount amount = amount_of(offset);
  total_ += amount;
  add_to_groups(amount);
  add_to_histograms(amount);
  add_to_top(amount);
  return true;
}

Amount Analysis::amount_of(std::uint64_t end_offset) const {
  const std::uint64_t value_bytes = end_offset - record_.value_offset;
  Amount amount{.keys = 1,
                .serialized_bytes = end_offset - record_.offset,
                .elements = measure_.elements(),
                .memory_bytes = measure_.memory_bytes(value_bytes)};
  if (value_refused()) amount.memory_bytes = std::max(amount.memory_bytes, value_bytes);
  return amount;
}

void Analysis::add_to_groups(const Amount& amount) {
  TypeAmount& encoding = encodings_[record_.type->number];
  encoding.type = record_.type;
  encoding.amount += amount;
  database_->amount += amount;
  database_->expiring += record_.expire_at_ms ? 1 : 0;
  if (!measure_.module().empty()) modules_[measure_.module()] += amount;
  prefixes_.add(record_.prefix, amount);
  slots_.add(record_.slot, record_.has_tag, amount);
}

void Analysis::add_to_histograms(const Amount& amount) {
  serialized_sizes_.add(amount.serialized_bytes);
  element_counts_.add(amount.elements);
  expiring_fields_ += measure_.expiring_fields();
  if (record_.expire_at_ms) {
    const std::int64_t left_ms = distance(at_ms_, *record_.expire_at_ms);
    ++expiring_;
    expired_ += left_ms < 0 ? 1 : 0;
    expiries_.add(left_ms, amount.serialized_bytes);
  }
  if (record_.lru_idle_s) {
    constexpr std::uint64_t most = std::numeric_limits<std::int64_t>::max();
    idle_.add(static_cast<std::int64_t>(std::min(*record_.lru_idle_s, most)),
              amount.serialized_bytes);
  }
  if (record_.lfu_freq) frequency_.add(*record_.lfu_freq, amount.serialized_bytes);
}

void Analysis::add_to_top(const Amount& amount) {
  if (by_serialized_.wants(amount.serialized_bytes)) {
    by_serialized_.add(amount.serialized_bytes, describe(amount));
  }
  if (by_elements_.wants(amount.elements)) by_elements_.add(amount.elements, describe(amount));
  if (by_memory_.wants(amount.memory_bytes)) {
    by_memory_.add(amount.memory_bytes, describe(amount));
  }
}

LargeKey Analysis::describe(const Amount& amount) const {
  return {.db = record_.db,
          .key = rdb::escape(std::span(key_head_).first(record_.key_bytes), key_shown_bytes),
          .type = std::string(rdb::to_string(record_.type->logical)),
          .encoding = std::string(record_.type->name),
          .expire_at_ms = record_.expire_at_ms,
          .amount = amount};
}

AnalyzeResult Analysis::take_result() {
  AnalyzeResult result;
  if (header()) result.dialect = header()->dialect == rdb::Dialect::valkey ? "valkey" : "redis";
  result.at_ms = at_ms_;
  result.used_memory_bytes = used_memory_;
  result.memory_model = measure_.model().name();
  result.total = total_;
  result.functions = functions();
  result.function_bytes = function_bytes_;
  result.module_aux = module_aux();
  result.unreadable = unreadable_;
  result.expiring = expiring_;
  result.expired = expired_;
  result.expiring_fields = expiring_fields_;
  result.expiries = expiries_.buckets();
  if (!idle_.empty()) result.idle = idle_.buckets();
  if (!frequency_.empty()) result.frequency = frequency_.buckets();
  result.serialized_sizes = serialized_sizes_.distribution();
  result.element_counts = element_counts_.distribution();
  result.top_by_serialized = by_serialized_.take();
  result.top_by_elements = by_elements_.take();
  result.top_by_memory = by_memory_.take();
  result.prefixes = prefixes_.shown(options_.prefixes);
  result.prefix_folds = prefixes_.folds();
  result.prefix_nodes = prefixes_.size() - 1;
  result.slots = slots_.spread(options_.shards, heaviest_slots);
  take_groups(result);
  return result;
}

void Analysis::take_groups(AnalyzeResult& result) {
  for (const TypeAmount& encoding : encodings_) {
    if (encoding.type == nullptr) continue;
    result.encodings[std::string(encoding.type->name)] += encoding.amount;
    result.types[std::string(rdb::to_string(encoding.type->logical))] += encoding.amount;
  }
  for (const auto& [db, database] : databases_) {
    result.databases[db] = database.amount;
    result.table_memory_bytes += measure_.model().keyspace(database.amount.keys, database.expiring);
  }
  result.modules = std::move(modules_);
}

}  // namespace sluice::engine
