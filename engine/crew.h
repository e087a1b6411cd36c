#pragma once

#include <functional>
#include <span>

namespace sluice::engine {

/// Runs each of `jobs` in a thread of its own and waits for all of them, calling `tick` ten times a
/// second meanwhile, in this thread. Throws what the first job that threw did, once all have ended.
void run_crew(std::span<const std::function<void()>> jobs, const std::function<void()>& tick);

}  // namespace sluice::engine
