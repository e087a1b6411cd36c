#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace sluice::engine {

/// What a feed has changed at its target, as it is noted before the first change: enough for anyone
/// to undo it. docs/repository-format.md, feeds.
struct FeedState {
  enum class Stage : std::uint8_t {
    feeding,     ///< Changes may have been made; whatever the target holds is a part at most.
    loaded,      ///< The target has acknowledged all of it.
    incomplete,  ///< All is undone, and a part of the data may be there.
  };

  std::string target;  ///< Address without secrets.
  std::string backup;
  std::string instance;
  std::uint64_t keys = 0;  ///< That the target is to have.
  std::string primary_host;
  std::uint16_t primary_port = 0;
  std::string replid;
  std::map<std::string, std::string> settings;  ///< Former values.
  Stage stage = Stage::feeding;
  std::int64_t started_at_ms = 0;

  friend bool operator==(const FeedState&, const FeedState&) = default;
};

[[nodiscard]] std::string encode(const FeedState& state);
/// Nullopt for what is no such text.
[[nodiscard]] std::optional<FeedState> decode_feed_state(std::string_view text);

}  // namespace sluice::engine
