#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/result.h"

namespace sluice::service {

/// What a job does. The names are those of the API.
enum class JobType : std::uint8_t {
  backup,
  verify,
  prune,
  remove,
  analyze,
  diff,
  plan,
  restore,
  clone,
  promote,
  drill,
};
[[nodiscard]] std::string_view to_string(JobType type) noexcept;
[[nodiscard]] std::optional<JobType> parse_job_type(std::string_view text) noexcept;

/// Whether a job of this type may be done again by itself: it changes no server.
[[nodiscard]] constexpr bool is_repeatable(JobType type) noexcept {
  return type != JobType::restore && type != JobType::promote && type != JobType::clone;
}
/// Whether it only reads, so that it goes on beside another job of its instance.
[[nodiscard]] constexpr bool only_reads(JobType type) noexcept {
  return type == JobType::plan || type == JobType::analyze || type == JobType::diff;
}

namespace job_state {
inline constexpr std::string_view queued = "queued";
inline constexpr std::string_view running = "running";
inline constexpr std::string_view done = "done";
inline constexpr std::string_view failed = "failed";
inline constexpr std::string_view cancelled = "cancelled";
inline constexpr std::string_view interrupted = "interrupted";  ///< The service ended meanwhile.
}  // namespace job_state

namespace job_cause {
inline constexpr std::string_view manual = "manual";
inline constexpr std::string_view schedule = "schedule";
inline constexpr std::string_view catch_up = "catch-up";  ///< Its time passed while nobody ran.
inline constexpr std::string_view retry = "retry";
}  // namespace job_cause

/// What somebody, or a schedule, wants done.
struct NewJob {
  JobType type = JobType::backup;
  std::string instance = {};  ///< Empty: of a whole repository.
  std::string repository = {};
  std::optional<std::string> backup = {};
  std::string cause{job_cause::manual};
  std::optional<std::string> actor = {};
  unsigned attempt = 1;
  std::optional<std::int64_t> retry_of = {};
  std::int64_t not_before_ms = 0;
  std::string options = "{}";  ///< JSON, by type.
};

/// A job as the state has it. Times are Unix milliseconds.
struct Job {
  std::int64_t id = 0;
  NewJob what;
  std::string state = {};
  std::int64_t created_at_ms = 0;
  std::optional<std::int64_t> started_at_ms = {};
  std::optional<std::int64_t> finished_at_ms = {};
  std::vector<std::string> notices = {};
  std::optional<std::string> error = {};   ///< JSON of an Error.
  std::optional<std::string> result = {};  ///< JSON; only when it was asked for.

  [[nodiscard]] bool is_over() const noexcept {
    return state != job_state::queued && state != job_state::running;
  }
};

}  // namespace sluice::service
