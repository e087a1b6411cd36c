#include "filter_options.h"

#include <charconv>
#include <optional>
#include <string_view>

#include "duration.h"

namespace sluice::tools {
namespace {

Error bad_option(std::string message) {
  return {.stage = Stage::usage, .code = "bad_option", .message = std::move(message)};
}

template <class Number>
std::optional<Number> number_in(std::string_view text) {
  Number number = 0;
  const char* const end = text.data() + text.size();
  const auto [behind, ec] = std::from_chars(text.data(), end, number);
  return ec == std::errc() && behind == end ? std::optional(number) : std::nullopt;
}

/// Two numbers with `mark` between them.
template <class Number>
std::optional<std::pair<Number, Number>> pair_in(std::string_view text, char mark) {
  const std::size_t at = text.find(mark);
  if (at == std::string_view::npos) return std::nullopt;
  const auto first = number_in<Number>(text.substr(0, at));
  const auto second = number_in<Number>(text.substr(at + 1));
  if (!first || !second) return std::nullopt;
  return std::pair(*first, *second);
}

/// "7", "0-5460".
Result<void> add_slots(const std::vector<std::string>& texts, std::vector<SlotRange>& slots) {
  for (const std::string& text : texts) {
    const auto one = number_in<std::uint16_t>(text);
    const auto range = one ? std::pair(*one, *one) : pair_in<std::uint16_t>(text, '-');
    if (!range) return std::unexpected(bad_option("\"" + text + "\" is no range of slots: 0-5460"));
    slots.push_back({.first = range->first, .last = range->second});
  }
  return {};
}

Result<void> add_databases(const std::vector<std::string>& texts, Filter& filter) {
  for (const std::string& text : texts) {
    const auto pair = pair_in<std::uint64_t>(text, ':');
    if (!pair) return std::unexpected(bad_option("\"" + text + "\" is no pair of databases: 3:0"));
    if (!filter.databases.insert(*pair).second) {
      return std::unexpected(bad_option("--map-db says twice where database " +
                                        std::to_string(pair->first) + " goes"));
    }
  }
  return {};
}

/// "keep", "drop", "shift", "shift=12h", "shift=-30m".
Result<void> take_ttl(std::string_view text, Filter& filter) {
  constexpr std::string_view by = "shift=";
  if (text == "keep") return {};
  filter.ttl = text == "drop" ? TtlMode::drop : TtlMode::shift;
  if (text == "drop" || text == "shift") return {};
  if (!text.starts_with(by))
    return std::unexpected(bad_option("--ttl is keep, drop, shift or shift=DURATION"));
  text.remove_prefix(by.size());
  const bool is_back = text.starts_with('-');
  if (is_back || text.starts_with('+')) text.remove_prefix(1);
  const auto duration = parse_duration_ms(std::string(text));
  if (!duration) return std::unexpected(duration.error());
  filter.shift_ms = is_back ? -*duration : *duration;
  return {};
}

void add_conditions(CLI::App& app, KeyConditions& keys, std::vector<std::string>& slots,
                    const std::string& dashes, const std::string& which) {
  const auto add = [&](const std::string& name, auto& values, const std::string& what,
                       const char* type) {
    app.add_option(dashes + name, values, which + what)
        ->type_name(type)
        ->expected(1)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
        ->group("Keys");
  };
  add("match", keys.globs, "keys whose name matches, as KEYS has it", "GLOB");
  add("match-regex", keys.regexes, "keys whose name has this in it (RE2)", "RE");
  add("key-file", keys.key_files, "keys whose names are in a file, one a line", "FILE");
  add("type", keys.types, "keys of this type", "T");
  add("db", keys.databases, "keys of this database", "N");
  add("slot", slots, "keys of these slots of a cluster", "A-B");
}

}  // namespace

void add_choosing_options(CLI::App& app, FilterOptions& options) {
  add_conditions(app, options.only, options.only_slots, "--", "Only ");
  add_conditions(app, options.except, options.except_slots, "--no-", "Not ");
}

void add_mapping_options(CLI::App& app, FilterOptions& options) {
  app.add_option("--map-db", options.databases, "Keys of the first database go to the second")
      ->type_name("N:N")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->group("Keys");
  app.add_option("--add-prefix", options.prefix, "Put before every name")
      ->type_name("TEXT")
      ->group("Keys");
  app.add_option("--ttl", options.ttl,
                 "keep: keys expire when they would have; drop: never; shift: later by the time "
                 "since the data were saved, or by what is said")
      ->type_name("keep|drop|shift[=DURATION]")
      ->capture_default_str()
      ->group("Keys");
}

void add_functions_option(CLI::App& app, FilterOptions& options) {
  app.add_flag("--functions", options.functions, "Function libraries too, though keys are chosen")
      ->group("Keys");
}

Result<Filter> to_filter(const FilterOptions& options) {
  Filter filter{.keys = {.only = options.only, .except = options.except},
                .databases = {},
                .prefix = options.prefix,
                .ttl = TtlMode::keep,
                .shift_ms = {},
                .functions = options.functions};
  if (auto added = add_slots(options.only_slots, filter.keys.only.slots); !added)
    return std::unexpected(added.error());
  if (auto added = add_slots(options.except_slots, filter.keys.except.slots); !added)
    return std::unexpected(added.error());
  if (auto added = add_databases(options.databases, filter); !added)
    return std::unexpected(added.error());
  if (auto taken = take_ttl(options.ttl, filter); !taken) return std::unexpected(taken.error());
  return filter;
}

}  // namespace sluice::tools
