#include "engine/feed_state.h"

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <utility>

#include "engine/json.h"

namespace sluice::engine {
namespace {

namespace json = boost::json;

constexpr std::string_view magic = "sluice-feed";
constexpr std::array<std::pair<FeedState::Stage, std::string_view>, 3> stages{{
    {FeedState::Stage::feeding, "feeding"},
    {FeedState::Stage::loaded, "loaded"},
    {FeedState::Stage::incomplete, "incomplete"},
}};

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
  if (root == nullptr || json_text(*root, "magic") != magic) return std::nullopt;
  const auto stage =
      std::ranges::find(stages, json_text(*root, "stage"), &decltype(stages)::value_type::second);
  if (stage == stages.end()) return std::nullopt;
  FeedState state{.target = json_text(*root, "target"),
                  .backup = json_text(*root, "backup"),
                  .instance = json_text(*root, "instance"),
                  .keys = json_number(*root, "keys"),
                  .primary_host = json_text(*root, "primary_host"),
                  .primary_port = static_cast<std::uint16_t>(json_number(*root, "primary_port")),
                  .replid = json_text(*root, "replid"),
                  .settings = {},
                  .stage = stage->first,
                  .started_at_ms = static_cast<std::int64_t>(json_number(*root, "started_at_ms"))};
  const json::value* settings = root->if_contains("settings");
  if (settings != nullptr && settings->is_object()) {
    for (const auto& [name, former] : settings->get_object()) {
      if (former.is_string()) state.settings[std::string(name)] = std::string(former.get_string());
    }
  }
  return state;
}

}  // namespace sluice::engine
