#pragma once

#include <toml++/toml.h>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "service/config_text.h"
#include "service/secret_file.h"

namespace sluice::service {

/// Where a configuration is read from, and the mistakes that were found in it.
class ConfigReading {
 public:
  explicit ConfigReading(const std::string& file);

  void tell(std::size_t line, std::string what, std::string instead);
  [[nodiscard]] std::size_t mistake_count() const noexcept { return mistakes_.size(); }
  /// "FILE:LINE: what: what to write instead", one a line, by line.
  [[nodiscard]] std::string text() const;
  [[nodiscard]] const FilePlaces& places() const noexcept { return places_; }

 private:
  struct Mistake {
    std::size_t line = 0;
    std::string text;
  };
  std::string file_;
  FilePlaces places_;
  std::vector<Mistake> mistakes_;
};

/// A table of the configuration. read() leaves its target as it is where the setting is missing or
/// wrong; what is wrong is told to the reading. What a message repeats of a value is as it stands
/// in the file, before ${…} is replaced. Borrows the table and the reading.
class ConfigTable {
 public:
  /// `name` as messages have it: "[instances.orders]"; empty for the whole file.
  ConfigTable(const toml::table& table, std::string name, std::size_t line, ConfigReading& reading);

  bool read(std::string_view key, std::string& into);
  bool read(std::string_view key, bool& into);
  bool read(std::string_view key, double& into, double least, double most);
  bool read(std::string_view key, unsigned& into, unsigned least, unsigned most);
  /// Of an array of strings; `text` of one is expanded.
  bool read(std::string_view key, std::vector<std::string>& into);
  /// As it stands in the file, references and all.
  bool read_raw(std::string_view key, std::string& into);
  bool read_duration(std::string_view key, std::int64_t& into_ms, std::int64_t least_ms,
                     std::int64_t most_ms);
  /// A string that `parse` makes something of, giving std::optional. `instead`: what to write.
  template <class T, class Parse>
  bool read_as(std::string_view key, T& into, const Parse& parse, const std::string& instead) {
    std::string raw;
    std::string text;
    if (!read_text(key, raw, text)) return false;
    auto value = parse(text);
    if (!value) return refuse_value(key, '"' + raw + '"', instead);
    into = *std::move(value);
    return true;
  }

  /// Calls `use` with the table of that name, when there is one.
  bool with_table(std::string_view key, const std::function<void(ConfigTable&)>& use);
  /// Calls `use` with each table in the table `key` and its name; the names are checked.
  void for_each(std::string_view key,
                const std::function<void(const std::string&, ConfigTable&)>& use);
  /// Names and strings of a table that has nothing else.
  void read_strings(std::string_view key,
                    const std::function<void(const std::string&, std::string)>& use);

  /// Tells every key that nobody has asked for.
  void finish();

  [[nodiscard]] bool has(std::string_view key) const { return table_.contains(key); }
  [[nodiscard]] const toml::node* node(std::string_view key);
  /// The line of a key; of the table when it has none.
  [[nodiscard]] std::size_t line(std::string_view key = {}) const;
  [[nodiscard]] ConfigReading& reading() noexcept { return reading_; }
  /// "[instances.orders] uri: …".
  void refuse(std::string_view key, const std::string& what, std::string instead);
  void refuse(std::string_view key, Refusal refusal) {
    refuse(key, refusal.what, std::move(refusal.instead));
  }

 private:
  [[nodiscard]] std::string label(std::string_view key) const;
  bool read_text(std::string_view key, std::string& raw, std::string& text);
  bool refuse_value(std::string_view key, const std::string& raw, const std::string& instead);
  bool refuse_type(std::string_view key, const toml::node& node, const std::string& instead);

  const toml::table& table_;
  std::string name_;
  std::size_t line_;
  ConfigReading& reading_;
  std::vector<std::string> known_;
};

/// A letter or digit, then up to 63 of letters, digits, '.', '_', '-'.
[[nodiscard]] bool is_name(std::string_view text) noexcept;

}  // namespace sluice::service
