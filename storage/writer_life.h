#pragma once

#include <cstdint>
#include <optional>

#include "storage/backup.h"
#include "storage/error.h"
#include "storage/file_lock.h"
#include "storage/head.h"
#include "storage/layout.h"

namespace sluice::storage {

/// What is known of the writer of a running backup.
struct WriterLife {
  enum class State : std::uint8_t {
    alive,    ///< It holds its lock, or has renewed its lease just now.
    unknown,  ///< It is of another machine, or of this one before it was started anew, and has
              ///< time.
    gone,     ///< For good, whatever it may still believe.
  };

  State state = State::alive;
  std::optional<FileLock> lock;  ///< Its own, when it is gone and that could be taken.
  bool fenced = false;           ///< HEAD was taken from it: it cannot commit.

  [[nodiscard]] bool is_gone() const noexcept { return state == State::gone; }
};

/// Whether the writer of a running backup is gone.
///
/// A lock that can be taken tells of this machine, since it was last started, and of writers that
/// have no lease. Of another machine, where its lock may not reach to here, it tells nothing before
/// the lease is over. A lease that is over is enough, held lock or not (the writer was stopped, or
/// lost its disk): then HEAD is taken from it by compare-and-swap, and if that fails it lives.
///
/// Waits up to a second for the lock, as a killed writer's can outlive it by a tenth; not at all
/// for one whose process plainly lives, unless `patient`.
[[nodiscard]] Result<WriterLife> judge_writer(const Layout& layout, const Head& running,
                                              bool patient);

}  // namespace sluice::storage
