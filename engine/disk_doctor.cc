#include "engine/disk_doctor.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <string>

#include "engine/clock.h"
#include "engine/errors.h"
#include "engine/repository_access.h"
#include "sluice/catalog.h"
#include "storage/file_system.h"
#include "storage/io_hint.h"
#include "storage/io_queue.h"
#include "storage/io_trial.h"

namespace sluice::engine {
namespace {

constexpr std::uint64_t trial_bytes_max = 64U << 20;
constexpr std::uint64_t trial_bytes_min = 4U << 20;
constexpr int rounds = 2;
constexpr double slow_write_mb_s = 20;
constexpr double slow_sync_ms = 100;

std::string memlock_text() {
  const std::uint64_t bytes = storage::memlock_bytes();
  if (bytes == std::numeric_limits<std::uint64_t>::max()) return "unlimited";
  return fmt::format("{} KiB", bytes >> 10);
}

std::string_view way_to_write(bool direct) {
  return direct ? "backups are written past the page cache"
                : "backups are written through the page cache";
}

std::vector<storage::IoBackend> backends_of(IoBackend io) {
  if (io != IoBackend::automatic) return {storage_backend(io)};
  return {storage::IoBackend::io_uring, storage::IoBackend::threads};
}

/// The better figures of a way that was tried before, or a new row.
void add_trial(DiskBench& bench, const storage::IoTrial& trial) {
  const std::string backend(storage::to_string(trial.kind));
  const auto same = [&](const DiskSpeed& speed) {
    return speed.backend == backend && speed.direct == trial.direct;
  };
  auto row = std::ranges::find_if(bench.speeds, same);
  if (row == bench.speeds.end()) {
    bench.speeds.push_back({.backend = backend, .direct = trial.direct});
    row = std::prev(bench.speeds.end());
  }
  row->write_mb_s = std::max(row->write_mb_s, trial.write_mb_s);
  row->read_mb_s = std::max(row->read_mb_s, trial.read_mb_s);
}

/// Tries each way in turn, round by round: whatever else the disk has to do then hits all of them.
/// What cannot be done there (no io_uring, no direct I/O) has no row.
Result<std::optional<storage::Error>> try_each(const DiskPlace& place, IoBackend io,
                                               DiskBench& bench, ProgressMeter& meter,
                                               const JobContext& job) {
  const storage::IoTrialLimits limits{.bytes_max = std::min(trial_bytes_max, place.free_bytes / 8)};
  std::optional<storage::Error> problem;
  for (int round = 0; round < rounds; ++round) {
    for (const storage::IoBackend backend : backends_of(io)) {
      for (const bool direct : {false, true}) {
        if (job.stop.stop_requested()) return std::unexpected(cancelled());
        meter.update(0, 0);
        const auto trial = storage::try_io(*place.scratch, backend, direct, limits);
        if (trial) {
          add_trial(bench, *trial);
        } else if (!direct && trial.error().code != storage::Errc::io_unavailable) {
          problem = trial.error();
        }
      }
    }
  }
  return bench.speeds.empty() ? problem : std::nullopt;
}

/// Of the backend that backups will use, which is tried first.
double write_rate(const DiskBench& bench, bool direct) {
  for (const DiskSpeed& speed : bench.speeds) {
    if (speed.backend == bench.speeds.front().backend && speed.direct == direct)
      return speed.write_mb_s;
  }
  return 0;
}

void choose(const DiskPlace& place, DiskBench& bench, Findings& findings) {
  const double buffered = write_rate(bench, false);
  const double direct = write_rate(bench, true);
  bench.direct = storage::prefers_direct(direct, buffered);
  const std::string why =
      direct == 0 ? fmt::format("there is no O_DIRECT here; {:.0f} MB/s", buffered)
                  : fmt::format("{:.0f} MB/s with O_DIRECT, {:.0f} without", direct, buffered);
  const std::string text = fmt::format("{} ({})", way_to_write(bench.direct), why);
  if (!place.is_repository) {
    findings.ok("direct_io", text);
    return;
  }
  const auto kept = storage::write_io_hint(
      *place.root, {.direct = bench.direct,
                    .measured_at_ms = static_cast<std::uint64_t>(unix_now_ms()),
                    .direct_mb_s = direct,
                    .buffered_mb_s = buffered,
                    .kernel = storage::kernel_release()});
  bench.kept = kept.has_value();
  if (kept) {
    findings.ok("direct_io", text);
  } else {
    findings.warn("direct_io", text + ", but that cannot be kept: " + to_string(kept.error()),
                  "run doctor as the user who takes the backups");
  }
}

void judge_speed(const DiskBench& bench, Findings& findings) {
  const double rate = std::max(write_rate(bench, false), write_rate(bench, true));
  const std::string text =
      fmt::format("{:.0f} MB/s written; a sync takes {:.1f} ms ({:.1f} at most)", rate,
                  bench.sync_median_ms, bench.sync_max_ms);
  if (rate < slow_write_mb_s) {
    findings.warn("disk", text,
                  "a source drops a replica that is too slow: give it a larger "
                  "client-output-buffer-limit for replicas, or keep backups on a faster disk");
  } else if (bench.sync_median_ms > slow_sync_ms) {
    findings.warn("disk", text,
                  "each backup syncs some dozen times: see what else keeps the disk busy");
  } else {
    findings.ok("disk", text);
  }
}

}  // namespace

void examine_io(const DiskPlace& place, IoBackend io, Findings& findings) {
  const auto queue =
      storage::IoQueue::open({.backend = storage_backend(io), .decorate = {}}, place.scratch->path);
  if (!queue) {
    findings.fail("io_uring", storage::to_string(queue.error()),
                  "use --io auto, which falls back to threads");
    return;
  }
  if ((*queue)->kind() != storage::IoKind::io_uring) {
    const std::string& reason = (*queue)->fallback_reason();
    if (reason.empty()) {
      findings.ok("io_uring", "not used: threads were asked for");
      return;
    }
    // What fails and what mends it come as one line: "<call> failed with <errno>: <cause>".
    findings.warn("io_uring", "threads are used instead, which costs CPU: " + reason,
                  "do what is said above, or leave it: backups are as good without");
    return;
  }
  findings.ok("io_uring", "works here");
  const std::string limit = fmt::format("(locked memory: {})", memlock_text());
  if ((*queue)->registered()) {
    findings.ok("buffers", "are pinned " + limit);
  } else {
    findings.warn("buffers", "cannot be pinned, which costs some CPU " + limit,
                  (*queue)->registration_problem());
  }
}

Result<std::optional<DiskBench>> measure_disk(const DiskPlace& place, IoBackend io,
                                              Findings& findings, ProgressMeter& meter,
                                              const JobContext& job) {
  if (place.free_bytes / 8 < trial_bytes_min) {
    findings.warn("disk", "was not measured: there is too little room", "make room");
    return std::nullopt;
  }
  meter.set_phase("measuring the disk");
  DiskBench bench;
  auto problem = try_each(place, io, bench, meter, job);
  if (!problem) return std::unexpected(problem.error());
  const auto sync = storage::try_sync(*place.scratch);
  if (!sync) *problem = sync.error();
  if (*problem || bench.speeds.empty()) {
    findings.fail("disk", "could not be measured: " + (*problem ? to_string(**problem) : ""),
                  "see whether files can be written there by this user");
    return std::nullopt;
  }
  bench.sync_median_ms = sync->median_ms;
  bench.sync_max_ms = sync->max_ms;
  judge_speed(bench, findings);
  choose(place, bench, findings);
  return bench;
}

void tell_last_measurement(const DiskPlace& place, Findings& findings) {
  if (!place.is_repository) return;
  const auto hint = storage::read_io_hint(*place.root);
  if (!hint) {
    findings.ok("direct_io", fmt::format("{} (not measured)", way_to_write(false)));
    return;
  }
  findings.ok("direct_io",
              fmt::format("{} ({:.0f} MB/s with O_DIRECT, {:.0f} without, measured {})",
                          way_to_write(hint->direct), hint->direct_mb_s, hint->buffered_mb_s,
                          format_time(static_cast<std::int64_t>(hint->measured_at_ms))));
}

}  // namespace sluice::engine
