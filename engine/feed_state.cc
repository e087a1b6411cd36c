#include "engine/feed_state.h"

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <utility>

namespace sluice::engine {
namespace {

namespace json = boost::json;

constexpr std::string_view magic = "sluice-feed";
constexpr std::array<std::pair<FeedState::Stage, std::string_view>, 3> stages{{
    {FeedState::Stage::feeding, "feeding"},
    {FeedState::Stage::loaded, "loaded"},
    {FeedState::Stage::incomplete, "incomplete"},
}};

std::string text_of(const json::object& root, std::string_view field) {
  const json::value* value = root.if_contains(field);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

std::uint64_t number_of(const json::object& root, std::string_view field) {
  const json::value* value = root.if_contains(field);
  boost::system::error_code bad;
  const auto number = value != nullptr ? value->to_number<std::uint64_t>(bad) : 0;
  return bad ? 0 : number;
}

}  // namespace

std::string encode(const FeedState& state) {
  json::object settings;
  for (const auto& [name, value] : state.settings) settings[name] = value;
  const auto stage = std::ranges::find(stages, state.stage, &decltype(stages)::value_type::first);
  return json::serialize(json::object{{"magic", magic},
                                      {"target", state.target},
                                      {"backup", state.backup},
                                      {"instance", state.instance},
                                      {"keys", state.keys},
                                      {"primary_host", state.primary_host},
                                      {"primary_port", state.primary_port},
                                      {"replid", state.replid},
                                      {"settings", std::move(settings)},
                                      {"stage", stage->second},
                                      {"started_at_ms", state.started_at_ms}});
}

std::optional<FeedState> decode_feed_state(std::string_view text) {
  boost::system::error_code bad;
  const json::value value = json::parse(text, bad);
  const json::object* root = bad ? nullptr : value.if_object();
  if (root == nullptr || text_of(*root, "magic") != magic) return std::nullopt;
  const auto stage =
      std::ranges::find(stages, text_of(*root, "stage"), &decltype(stages)::value_type::second);
  if (stage == stages.end()) return std::nullopt;
  FeedState state{.target = text_of(*root, "target"),
                  .backup = text_of(*root, "backup"),
                  .instance = text_of(*root, "instance"),
                  .keys = number_of(*root, "keys"),
                  .primary_host = text_of(*root, "primary_host"),
                  .primary_port = static_cast<std::uint16_t>(number_of(*root, "primary_port")),
                  .replid = text_of(*root, "replid"),
                  .settings = {},
                  .stage = stage->first,
                  .started_at_ms = static_cast<std::int64_t>(number_of(*root, "started_at_ms"))};
  const json::value* settings = root->if_contains("settings");
  if (settings != nullptr && settings->is_object()) {
    for (const auto& [name, former] : settings->get_object()) {
      if (former.is_string()) state.settings[std::string(name)] = std::string(former.get_string());
    }
  }
  return state;
}

std::string feed_note_name(const ServerLink& link) {
  std::string name = link.connect.host + "-" + std::to_string(link.connect.port);
  constexpr std::string_view allowed =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._";
  for (char& c : name) {
    if (!allowed.contains(c)) c = '_';
  }
  if (name.front() == '.') name.front() = '_';
  constexpr std::size_t bytes_max = 100;
  if (name.size() > bytes_max) name.erase(0, name.size() - bytes_max);
  return name;
}

}  // namespace sluice::engine
