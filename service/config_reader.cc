#include "service/config_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>

#include "service/nearest_name.h"
#include "service/quantity.h"

namespace sluice::service {
namespace {

std::string_view kind_of(const toml::node& node) noexcept {
  if (node.is_string()) return "a string";
  if (node.is_number()) return "a number";
  if (node.is_boolean()) return "true or false";
  if (node.is_array()) return "a list";
  if (node.is_table()) return "a table";
  return "a date or time";
}

}  // namespace

ConfigReading::ConfigReading(const std::string& file) : file_(file) {
  std::error_code ignored;
  places_.directory = std::filesystem::absolute(file, ignored).parent_path();
  if (const char* credentials = std::getenv("CREDENTIALS_DIRECTORY"))
    places_.credentials = credentials;
}

void ConfigReading::tell(std::size_t line, std::string what, std::string instead) {
  mistakes_.push_back(
      {.line = line, .text = fmt::format("{}:{}: {}: {}", file_, line, what, instead)});
}

std::string ConfigReading::text() const {
  auto mistakes = mistakes_;
  std::ranges::stable_sort(mistakes, {}, &Mistake::line);
  std::string text;
  for (const Mistake& mistake : mistakes) {
    if (!text.empty()) text += '\n';
    text += mistake.text;
  }
  return text;
}

bool is_name(std::string_view text) noexcept {
  constexpr std::size_t size_max = 64;
  const auto is_alnum = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0; };
  const auto is_inner = [&](char c) { return is_alnum(c) || c == '.' || c == '_' || c == '-'; };
  return !text.empty() && text.size() <= size_max && is_alnum(text[0]) &&
         std::ranges::all_of(text, is_inner);
}

ConfigTable::ConfigTable(const toml::table& table, std::string name, std::size_t line,
                         ConfigReading& reading)
    : table_(table), name_(std::move(name)), line_(line), reading_(reading) {}

std::string ConfigTable::label(std::string_view key) const {
  if (key.empty()) return name_;
  return name_.empty() ? std::string(key) : fmt::format("{} {}", name_, key);
}

std::size_t ConfigTable::line(std::string_view key) const {
  const auto found = table_.find(key);
  return found == table_.end() ? line_ : found->first.source().begin.line;
}

void ConfigTable::refuse(std::string_view key, const std::string& what, std::string instead) {
  reading_.tell(line(key), fmt::format("{}: {}", label(key), what), std::move(instead));
}

bool ConfigTable::refuse_type(std::string_view key, const toml::node& node,
                              const std::string& instead) {
  refuse(key, fmt::format("is {}", kind_of(node)), instead);
  return false;
}

bool ConfigTable::refuse_value(std::string_view key, const std::string& raw,
                               const std::string& instead) {
  refuse(key, fmt::format("cannot be {}", raw), instead);
  return false;
}

const toml::node* ConfigTable::node(std::string_view key) {
  known_.emplace_back(key);
  return table_.get(key);
}

bool ConfigTable::read_raw(std::string_view key, std::string& into) {
  const toml::node* const found = node(key);
  if (found == nullptr) return false;
  const auto* const text = found->as_string();
  if (text == nullptr) return refuse_type(key, *found, fmt::format("write {} = \"…\"", key));
  into = text->get();
  return true;
}

bool ConfigTable::read_text(std::string_view key, std::string& raw, std::string& text) {
  if (!read_raw(key, raw)) return false;
  auto expanded = expand(raw, reading_.places());
  if (!expanded) {
    refuse(key, std::move(expanded.error()));
    return false;
  }
  text = *std::move(expanded);
  return true;
}

bool ConfigTable::read(std::string_view key, std::string& into) {
  std::string raw;
  return read_text(key, raw, into);
}

bool ConfigTable::read(std::string_view key, bool& into) {
  const toml::node* const found = node(key);
  if (found == nullptr) return false;
  const auto* const value = found->as_boolean();
  if (value == nullptr) return refuse_type(key, *found, "write true or false, without quotes");
  into = value->get();
  return true;
}

bool ConfigTable::read(std::string_view key, double& into, double least, double most) {
  const toml::node* const found = node(key);
  if (found == nullptr) return false;
  const auto value = found->is_number() ? found->value<double>() : std::nullopt;
  const std::string instead = fmt::format("write a number from {} to {}", least, most);
  if (!value) return refuse_type(key, *found, instead);
  if (!(*value >= least && *value <= most))
    return refuse_value(key, fmt::to_string(*value), instead);
  into = *value;
  return true;
}

bool ConfigTable::read(std::string_view key, unsigned& into, unsigned least, unsigned most) {
  const toml::node* const found = node(key);
  if (found == nullptr) return false;
  const std::string instead = fmt::format("write a whole number from {} to {}", least, most);
  const auto* const value = found->as_integer();
  if (value == nullptr) return refuse_type(key, *found, instead);
  if (std::cmp_less(value->get(), least) || std::cmp_greater(value->get(), most))
    return refuse_value(key, fmt::to_string(value->get()), instead);
  into = static_cast<unsigned>(value->get());
  return true;
}

bool ConfigTable::read(std::string_view key, std::vector<std::string>& into) {
  const toml::node* const found = node(key);
  if (found == nullptr) return false;
  const std::string instead = fmt::format("write {} = [\"…\", \"…\"]", key);
  const auto* const list = found->as_array();
  if (list == nullptr) return refuse_type(key, *found, instead);
  std::vector<std::string> texts;
  for (const toml::node& one : *list) {
    const auto* const text = one.as_string();
    if (text == nullptr) return refuse_type(key, one, instead);
    auto expanded = expand(text->get(), reading_.places());
    if (!expanded) {
      refuse(key, std::move(expanded.error()));
      return false;
    }
    texts.push_back(*std::move(expanded));
  }
  into = std::move(texts);
  return true;
}

bool ConfigTable::read_duration(std::string_view key, std::int64_t& into_ms, std::int64_t least_ms,
                                std::int64_t most_ms) {
  const auto parse = [&](const std::string& text) {
    const auto value = parse_duration_ms(text);
    return value && *value >= least_ms && *value <= most_ms ? value : std::nullopt;
  };
  return read_as(key, into_ms, parse,
                 fmt::format(R"(write a time from "{}" to "{}": a number and s, m, h or d)",
                             duration_text(least_ms), duration_text(most_ms)));
}

bool ConfigTable::with_table(std::string_view key, const std::function<void(ConfigTable&)>& use) {
  const toml::node* const found = node(key);
  if (found == nullptr) return false;
  const auto* const inner = found->as_table();
  if (inner == nullptr) {
    return refuse_type(key, *found,
                       name_.empty() ? fmt::format("write [{}] on a line", key)
                                     : fmt::format("write {} = {{ … }}", key));
  }
  ConfigTable table(*inner, name_.empty() ? fmt::format("[{}]", key) : label(key), line(key),
                    reading_);
  use(table);
  table.finish();
  return true;
}

void ConfigTable::for_each(std::string_view key,
                           const std::function<void(const std::string&, ConfigTable&)>& use) {
  const toml::node* const found = node(key);
  if (found == nullptr) return;
  const std::string instead = fmt::format("write [{}.NAME] on a line", key);
  const auto* const tables = found->as_table();
  if (tables == nullptr) {
    refuse_type(key, *found, instead);
    return;
  }
  for (const auto& [name, one] : *tables) {
    const std::string label = fmt::format("[{}.{}]", key, name.str());
    const std::size_t line = name.source().begin.line;
    if (!is_name(name.str()))
      reading_.tell(line, label + ": that is no name",
                    "write a letter or digit, then up to 63 of letters, digits, '.', '_', '-'");
    if (!one.is_table()) {
      reading_.tell(line, fmt::format("[{}] {}: is {}", key, name.str(), kind_of(one)), instead);
      continue;
    }
    ConfigTable table(*one.as_table(), label, line, reading_);
    use(std::string(name.str()), table);
    table.finish();
  }
}

void ConfigTable::read_strings(std::string_view key,
                               const std::function<void(const std::string&, std::string)>& use) {
  with_table(key, [&](ConfigTable& strings) {
    for (const auto& [name, unused] : strings.table_) {
      std::string text;
      if (strings.read(name.str(), text)) use(std::string(name.str()), std::move(text));
    }
  });
}

void ConfigTable::finish() {
  for (const auto& [key, unused] : table_) {
    if (std::ranges::find(known_, key.str()) != known_.end()) continue;
    reading_.tell(
        key.source().begin.line,
        fmt::format("{}: no such {}", label(key.str()), name_.empty() ? "table" : "setting"),
        name_advice(key.str(), known_));
  }
}

}  // namespace sluice::service
