#include "engine/name_pattern.h"

#include <algorithm>
#include <utility>

#include "rdb/escape.h"

namespace sluice::engine {
namespace {

constexpr std::string_view glob_marks = "*?[";
constexpr std::string_view regex_marks = "|()[]{}^$.*+?\\";

Error bad_regex(std::string_view regex, std::string_view why) {
  return {.stage = Stage::usage,
          .code = "bad_option",
          .message = "regex \"" + rdb::escape(std::as_bytes(std::span(regex))) +
                     "\": " + rdb::escape(std::as_bytes(std::span(why)))};
}

bool is_word(char letter) noexcept {
  return (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') ||
         (letter >= '0' && letter <= '9');
}

/// The alternatives outside of all groups. Nothing where that would take a whole parser.
std::optional<std::vector<std::string_view>> alternatives_of(std::string_view regex) {
  std::vector<std::string_view> alternatives;
  std::size_t begin = 0;
  int depth = 0;
  for (std::size_t at = 0; at < regex.size(); ++at) {
    switch (regex[at]) {
      case '\\':
        ++at;
        if (at < regex.size() && regex[at] == 'Q') return std::nullopt;
        break;
      // What ends a class is not simple; only before what follows it could that matter.
      case '[':
        if (regex.find('|', at) != std::string_view::npos) return std::nullopt;
        break;
      case '(':
        // Flags hold for what follows, and may change what ^ means.
        if (regex.substr(at + 1).starts_with('?') && !regex.substr(at + 1).starts_with("?:"))
          return std::nullopt;
        ++depth;
        break;
      case ')': --depth; break;
      case '|':
        if (depth != 0) break;
        alternatives.push_back(regex.substr(begin, at - begin));
        begin = at + 1;
        break;
      default: break;
    }
  }
  alternatives.push_back(regex.substr(begin));
  return alternatives;
}

/// The literal behind the ^ of one alternative; none when it has no ^ there.
std::optional<NameSpan> span_of_alternative(std::string_view text) {
  if (!text.starts_with('^')) return std::nullopt;
  NameSpan span{.name = {}, .is_prefix = true};
  std::size_t at = 1;
  while (at < text.size()) {
    if (text[at] == '\\') {
      // An escaped letter or digit is a class, an anchor or a code.
      if (at + 1 >= text.size() || is_word(text[at + 1])) break;
      span.name += text[at + 1];
      at += 2;
    } else if (regex_marks.find(text[at]) == std::string_view::npos) {
      span.name += text[at++];
    } else {
      break;
    }
  }
  const bool may_be_absent = at < text.size() && std::string_view("*?{").contains(text[at]);
  if (may_be_absent && span.name.empty()) return std::nullopt;  // of the ^ itself
  if (may_be_absent) span.name.pop_back();
  if (text.substr(at) == "$" || text.substr(at) == "\\z") span.is_prefix = false;
  return span;
}

}  // namespace

NameSpan span_of_glob(std::string_view glob) {
  NameSpan span;
  for (std::size_t at = 0; at < glob.size(); ++at) {
    if (glob_marks.find(glob[at]) != std::string_view::npos) {
      span.is_prefix = true;
      return span;
    }
    if (glob[at] == '\\' && at + 1 < glob.size()) ++at;
    span.name += glob[at];
  }
  return span;
}

bool fills_its_span(std::string_view glob) {
  if (!span_of_glob(glob).is_prefix) return true;
  const std::string_view before = glob.substr(0, glob.size() - 1);
  return glob.ends_with('*') && !before.ends_with('\\') && !span_of_glob(before).is_prefix;
}

std::optional<std::vector<NameSpan>> spans_of_regex(std::string_view regex) {
  const auto alternatives = alternatives_of(regex);
  if (!alternatives) return std::nullopt;
  std::vector<NameSpan> spans;
  for (const std::string_view alternative : *alternatives) {
    auto span = span_of_alternative(alternative);
    if (!span) return std::nullopt;
    spans.push_back(*std::move(span));
  }
  return spans;
}

Result<NameRegex> NameRegex::make(const std::string& regex) {
  if (regex.size() > bytes_max) return std::unexpected(bad_regex(regex, "it is too long"));
  re2::RE2::Options options(re2::RE2::Latin1);  // keys are bytes, whatever they mean
  options.set_log_errors(false);
  options.set_dot_nl(true);
  auto compiled = std::make_unique<re2::RE2>(regex, options);
  if (!compiled->ok()) return std::unexpected(bad_regex(regex, compiled->error()));
  return NameRegex(std::move(compiled));
}

bool NameRegex::found_in(std::string_view name) const {
  return re2::RE2::PartialMatch(re2::StringPiece(name.data(), name.size()), *regex_);
}

}  // namespace sluice::engine
