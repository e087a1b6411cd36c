#include "engine/key_chooser.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "engine/glob.h"
#include "engine/key_file.h"

namespace sluice::engine {
namespace {

Error bad_option(std::string message) {
  return {.stage = Stage::usage, .code = "bad_option", .message = std::move(message)};
}

std::optional<std::size_t> type_number(std::string_view name) {
  for (std::size_t i = 0; i < rdb::logical_type_count; ++i) {
    if (to_string(static_cast<rdb::LogicalType>(i)) == name) return i;
  }
  return std::nullopt;
}

std::string type_names() {
  std::string names;
  for (std::size_t i = 0; i < rdb::logical_type_count; ++i) {
    if (i > 0) names += ", ";
    names += to_string(static_cast<rdb::LogicalType>(i));
  }
  return names;
}

Result<void> add_slots(const SlotRange& range, SlotSet& slots) {
  if (range.first > range.last || range.last >= cluster_slots) {
    return std::unexpected(bad_option("slots " + std::to_string(range.first) + "-" +
                                      std::to_string(range.last) +
                                      ": a range ascends, and ends at 16383 or before"));
  }
  for (std::size_t slot = range.first; slot <= range.last; ++slot) slots.set(slot);
  return {};
}

}  // namespace

Result<KeyMatcher> KeyMatcher::make(const KeyConditions& conditions) {
  KeyMatcher matcher;
  matcher.conditions_ = conditions;
  matcher.databases_.insert(conditions.databases.begin(), conditions.databases.end());
  for (const std::string& regex : conditions.regexes) {
    auto compiled = NameRegex::make(regex);
    if (!compiled) return std::unexpected(compiled.error());
    matcher.regexes_.push_back(*std::move(compiled));
  }
  for (const std::string& path : conditions.key_files) {
    if (auto read = read_key_file(path, matcher.names_); !read)
      return std::unexpected(read.error());
  }
  for (const std::string& type : conditions.types) {
    const auto number = type_number(type);
    if (!number)
      return std::unexpected(bad_option("no type \"" + type + "\": there are " + type_names()));
    matcher.types_.set(*number);
  }
  for (const SlotRange& range : conditions.slots) {
    if (auto added = add_slots(range, matcher.slots_); !added)
      return std::unexpected(added.error());
  }
  return matcher;
}

bool KeyMatcher::is_name(std::span<const std::byte> key) const {
  const std::string_view name(reinterpret_cast<const char*>(key.data()), key.size());
  const auto is_glob = [name](const std::string& glob) { return matches_glob(glob, name); };
  const auto is_found = [name](const NameRegex& regex) { return regex.found_in(name); };
  if (!names_.empty() && names_.contains(std::string(name))) return true;
  return std::ranges::any_of(conditions_.globs, is_glob) || std::ranges::any_of(regexes_, is_found);
}

bool KeyMatcher::is_slot(std::span<const std::byte> key) const noexcept {
  bool has_tag = false;
  return slots_[key_slot(key, has_tag)];
}

std::optional<std::vector<NameSpan>> KeyMatcher::spans() const {
  std::vector<NameSpan> spans;
  for (const std::string& glob : conditions_.globs) spans.push_back(span_of_glob(glob));
  for (const std::string& regex : conditions_.regexes) {
    auto of_regex = spans_of_regex(regex);
    if (!of_regex) return std::nullopt;
    std::ranges::move(*of_regex, std::back_inserter(spans));
  }
  for (const std::string& name : names_) spans.push_back({.name = name, .is_prefix = false});
  return spans;
}

std::vector<NameSpan> KeyMatcher::full_spans() const {
  std::vector<NameSpan> spans;
  for (const std::string& glob : conditions_.globs) {
    if (fills_its_span(glob)) spans.push_back(span_of_glob(glob));
  }
  return spans;
}

Result<KeyChooser> KeyChooser::make(const KeyChoice& choice) {
  KeyChooser chooser;
  chooser.all_ = choice.all();
  auto only = KeyMatcher::make(choice.only);
  if (!only) return std::unexpected(only.error());
  auto except = KeyMatcher::make(choice.except);
  if (!except) return std::unexpected(except.error());
  chooser.only_ = *std::move(only);
  chooser.except_ = *std::move(except);
  return chooser;
}

bool KeyChooser::takes_database(std::uint64_t db) const {
  return (!only_.has_databases() || only_.is_database(db)) && !except_.is_database(db);
}

bool KeyChooser::takes(std::uint64_t db, std::span<const std::byte> key,
                       rdb::LogicalType type) const {
  if (all_) return true;
  if (!takes_database(db) || except_.is_type(type)) return false;
  if (only_.has_types() && !only_.is_type(type)) return false;
  if (only_.has_slots() && !only_.is_slot(key)) return false;
  if (except_.has_slots() && except_.is_slot(key)) return false;
  if (only_.has_names() && !only_.is_name(key)) return false;
  return !except_.has_names() || !except_.is_name(key);
}

bool KeyChooser::by_database_alone() const noexcept {
  const auto is_so = [](const KeyMatcher& matcher) {
    return !matcher.has_names() && !matcher.has_types() && !matcher.has_slots();
  };
  return is_so(only_) && is_so(except_);
}

}  // namespace sluice::engine
