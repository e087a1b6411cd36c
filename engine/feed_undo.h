#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "engine/feed_state.h"
#include "engine/target_console.h"
#include "net/error.h"

namespace sluice::engine {

/// What there was to undo at a target, and what it holds now.
struct FeedUndone {
  bool was_attached = false;  ///< It was a replica of the address in the state.
  bool emptied = false;       ///< What it held was a part of what was fed, and is gone.
  std::uint64_t keys = 0;     ///< That it holds now.
};

/// Whether the target is, by what INFO replication says, a replica of the address in the state.
[[nodiscard]] bool is_attached(const FeedState& state, std::string_view replication);

/// Whether the target has, by what INFO replication says, all that it had acknowledged. A target
/// that was restarted since has another history, unless it had saved.
[[nodiscard]] bool has_all(const FeedState& state, std::string_view replication);

/// Tells the target REPLICAOF NO ONE if it is a replica of the address in the state, and sets its
/// settings as they were. What a replica of ours holds can only be what it was fed: a part of that
/// (stage feeding) is removed, so that it is not taken for more. A target that is no replica (any
/// more) is somebody's own: its keys stay.
///
/// Waits while the target is loading, which nothing can end from outside, and calls `on_wait` then,
/// which may be empty. Errors: the console's; refusals.
[[nodiscard]] net::Result<FeedUndone> undo_feed(TargetConsole& console, const FeedState& state,
                                                const std::function<void()>& on_wait);

}  // namespace sluice::engine
