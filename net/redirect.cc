#include "net/redirect.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "net/key_slot.h"

namespace sluice::net {
namespace {

constexpr std::array<std::string_view, 7> passing{
    "CLUSTERDOWN", "TRYAGAIN", "LOADING", "MASTERDOWN", "READONLY", "NOREPLICAS", "NOGOODSLAVE"};

std::string_view take_word(std::string_view& text) {
  const std::string_view word = text.substr(0, text.find(' '));
  text.remove_prefix(std::min(word.size() + 1, text.size()));
  return word;
}

template <class Number>
bool parse_whole(std::string_view digits, Number& number) {
  const auto [end, ec] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  return ec == std::errc() && end == digits.data() + digits.size();
}

}  // namespace

Redirect parse_redirect(std::string_view error, std::string_view asked_host) {
  Redirect redirect;
  const std::string_view word = take_word(error);
  if (std::ranges::find(passing, word) != passing.end()) {
    redirect.kind = Redirect::Kind::wait;
    return redirect;
  }
  if (word != "MOVED" && word != "ASK") return redirect;
  redirect.kind = word == "MOVED" ? Redirect::Kind::moved : Redirect::Kind::ask;
  const bool has_slot = parse_whole(take_word(error), redirect.slot);
  const std::string_view address = take_word(error);
  const std::size_t colon = address.rfind(':');
  if (!has_slot || redirect.slot >= cluster_slots || colon == std::string_view::npos ||
      !parse_whole(address.substr(colon + 1), redirect.address.port)) {
    redirect.kind = Redirect::Kind::wait;  // the map will say
    return redirect;
  }
  const std::string_view host = address.substr(0, colon);
  if (host == "?") redirect.address = {};
  if (host != "?") redirect.address.host = host.empty() ? asked_host : host;
  return redirect;
}

}  // namespace sluice::net
