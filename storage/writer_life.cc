#include "storage/writer_life.h"

#include <cerrno>
#include <chrono>
#include <csignal>
#include <string>
#include <utility>

#include "storage/lease.h"

namespace sluice::storage {
namespace {

using namespace std::chrono_literals;

constexpr auto dead_lock_patience = 1000ms;

bool plainly_alive(const Owner& owner) {
  const Owner self = this_process();
  if (owner.host != self.host || owner.boot_id != self.boot_id || owner.pid <= 0) return false;
  return ::kill(static_cast<pid_t>(owner.pid), 0) == 0 || errno == EPERM;
}

/// Whether a lock of the writer would be seen here.
bool is_local(const Owner& owner) {
  const Owner self = this_process();
  if (owner.boot_id.empty() || self.boot_id.empty()) return owner.host == self.host;
  return owner.boot_id == self.boot_id;
}

}  // namespace

Result<WriterLife> judge_writer(const Layout& layout, const Head& running, bool patient) {
  const auto directory = layout.backup(running.key);
  if (!directory) return std::unexpected(directory.error());
  const auto patience = !patient && plainly_alive(running.owner) ? 0ms : dead_lock_patience;
  auto lock = FileLock::acquire(*directory, std::string(name::writer_lock), patience);
  if (!lock && lock.error().code != Errc::busy) return std::unexpected(std::move(lock.error()));
  WriterLife life;
  if (lock) life.lock = *std::move(lock);
  if (life.lock && (running.lease_until_ms == 0 || is_local(running.owner))) {
    life.state = WriterLife::State::gone;
    return life;
  }
  if (!lease_is_over(running)) {
    if (life.lock) life.state = WriterLife::State::unknown;
    life.lock.reset();
    return life;
  }
  const auto fenced = fence(layout, running);
  if (!fenced) return std::unexpected(fenced.error());
  if (!*fenced) return WriterLife();
  life.state = WriterLife::State::gone;
  life.fenced = true;
  return life;
}

}  // namespace sluice::storage
