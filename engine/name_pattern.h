#pragma once

#include <re2/re2.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/result.h"

namespace sluice::engine {

/// Names that are this one, or that begin with it.
struct NameSpan {
  std::string name;
  bool is_prefix = false;

  friend bool operator==(const NameSpan&, const NameSpan&) = default;
};

/// The literal beginning of a glob; the whole of it when there is nothing else in it.
[[nodiscard]] NameSpan span_of_glob(std::string_view glob);
/// Whether a glob takes all that lies in its span: a literal, and a literal before one last star.
[[nodiscard]] bool fills_its_span(std::string_view glob);

/// Where names can begin that a regex is found in, one for each alternative; none when they can
/// begin with anything. Never too few: what is not understood is anything.
[[nodiscard]] std::optional<std::vector<NameSpan>> spans_of_regex(std::string_view regex);

/// A compiled regex. Linear in the name's length, whatever the regex (RE2).
class NameRegex {
 public:
  static constexpr std::size_t bytes_max = 4096;

  /// Errors: "bad_option" says what is wrong with it.
  [[nodiscard]] static Result<NameRegex> make(const std::string& regex);

  /// Whether it is found in the name, anywhere unless it is anchored.
  [[nodiscard]] bool found_in(std::string_view name) const;

 private:
  explicit NameRegex(std::unique_ptr<re2::RE2> regex) : regex_(std::move(regex)) {}

  std::unique_ptr<re2::RE2> regex_;
};

}  // namespace sluice::engine
