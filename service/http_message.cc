#include "service/http_message.h"

#include <algorithm>
#include <array>
#include <boost/json/serialize.hpp>
#include <charconv>

#include "service/json.h"

namespace sluice::service {
namespace {

struct CodeStatus {
  std::string_view code;
  unsigned status;
};
constexpr std::array statuses{
    CodeStatus{"not_found", 404}, CodeStatus{"no_such_key", 404}, CodeStatus{"busy", 409},
    CodeStatus{"exists", 409},    CodeStatus{"pinned", 409},      CodeStatus{"last_admin", 409},
    CodeStatus{"bad_login", 401}, CodeStatus{"bad_token", 403},   CodeStatus{"too_many_tries", 429},
    CodeStatus{"too_large", 413}, CodeStatus{"fault", 500},
};

/// Calls `take` with each piece of the text between separators.
template <class Take>
void split(std::string_view text, char separator, Take take) {
  while (true) {
    const std::size_t at = text.find(separator);
    take(text.substr(0, at));
    if (at == std::string_view::npos) return;
    text.remove_prefix(at + 1);
  }
}

}  // namespace

std::string HttpRequest::header(const std::string& name) const {
  const auto found = headers.find(name);
  return found == headers.end() ? std::string() : found->second;
}

std::optional<std::string> HttpRequest::parameter(const std::string& name) const {
  const auto found = query.find(name);
  if (found == query.end() || found->second.empty()) return std::nullopt;
  return found->second;
}

std::string HttpRequest::cookie(std::string_view name) const {
  std::string value;
  split(header("cookie"), ';', [&](std::string_view pair) {
    while (pair.starts_with(' ')) pair.remove_prefix(1);
    if (pair.starts_with(name) && pair.substr(name.size()).starts_with('='))
      value = pair.substr(name.size() + 1);
  });
  return value;
}

HttpResponse json_response(const boost::json::object& object, unsigned status) {
  return {.status = status, .body = boost::json::serialize(object)};
}

HttpResponse error_response(unsigned status, const Error& error) {
  return {.status = status, .body = to_json(error)};
}

HttpResponse error_response(const Error& error) {
  const auto known = std::ranges::find(statuses, error.code, &CodeStatus::code);
  if (known != statuses.end()) return error_response(known->status, error);
  return error_response(error.stage == Stage::usage ? 422 : 500, error);
}

HttpResponse error_response(unsigned status, std::string code, std::string message) {
  return error_response(
      status, {.stage = Stage::usage, .code = std::move(code), .message = std::move(message)});
}

std::optional<std::string> percent_decoded(std::string_view text, bool plus) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+' && plus) {
      out += ' ';
    } else if (text[i] != '%') {
      out += text[i];
    } else {
      unsigned char byte = 0;
      if (i + 2 >= text.size()) return std::nullopt;
      const char* first = text.data() + i + 1;
      if (std::from_chars(first, first + 2, byte, 16).ptr != first + 2) return std::nullopt;
      out += static_cast<char>(byte);
      i += 2;
    }
  }
  return out;
}

bool split_target(std::string_view target, HttpRequest& request) {
  if (!target.starts_with('/')) return false;
  const std::size_t mark = target.find('?');
  request.path = target.substr(0, mark);
  bool good = true;
  split(std::string_view(request.path).substr(1), '/', [&](std::string_view segment) {
    const auto decoded = percent_decoded(segment, false);
    good = good && decoded;
    if (decoded) request.segments.push_back(*decoded);
  });
  if (mark == std::string_view::npos) return good;
  split(target.substr(mark + 1), '&', [&](std::string_view pair) {
    const std::size_t at = pair.find('=');
    const auto name = percent_decoded(pair.substr(0, at), true);
    const auto value = at == std::string_view::npos ? std::optional<std::string>("")
                                                    : percent_decoded(pair.substr(at + 1), true);
    good = good && name && value;
    if (name && value) request.query[*name] = *value;
  });
  return good;
}

}  // namespace sluice::service
