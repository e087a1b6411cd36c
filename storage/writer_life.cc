#include "storage/writer_life.h"

#include <cerrno>
#include <chrono>
#include <csignal>
#include <string>

namespace sluice::storage {
namespace {

using namespace std::chrono_literals;

constexpr auto dead_lock_patience = 1000ms;

bool plainly_alive(const Owner& owner) {
  const Owner self = this_process();
  if (owner.host != self.host || owner.boot_id != self.boot_id || owner.pid <= 0) return false;
  return ::kill(static_cast<pid_t>(owner.pid), 0) == 0 || errno == EPERM;
}

}  // namespace

Result<std::optional<FileLock>> take_lock_of_dead(const Layout& layout, const BackupKey& key,
                                                  const Owner& owner, bool patient) {
  const auto directory = layout.backup(key);
  if (!directory) return std::unexpected(directory.error());
  const auto patience = !patient && plainly_alive(owner) ? 0ms : dead_lock_patience;
  auto lock = FileLock::acquire(*directory, std::string(name::writer_lock), patience);
  if (lock) return std::optional(*std::move(lock));
  if (lock.error().code == Errc::busy) return std::nullopt;
  return std::unexpected(std::move(lock.error()));
}

}  // namespace sluice::storage
