#pragma once

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <thread>

#include "storage/backup.h"
#include "storage/error.h"
#include "storage/format.h"
#include "storage/head.h"
#include "storage/layout.h"

namespace sluice::storage {

/// Replaces HEAD by compare-and-swap: only while it has the state and the generation of `from`.
/// `to` gets the next generation. Durable when it succeeds.
/// Errors: changed (the detail says what it is now), not_found, those of reading and writing it.
[[nodiscard]] Result<void> swap_head(const Layout& layout, const Head& from, Head& to);

/// Takes a running backup from its writer, which then cannot commit it any more. False when HEAD
/// is not what was read any more: the writer lives, or has committed, or another was faster.
[[nodiscard]] Result<bool> fence(const Layout& layout, const Head& running);

/// Whether the writer's time has run out. Without a lease it never has.
[[nodiscard]] bool lease_is_over(const Head& head) noexcept;
/// Unix time at which a lease taken or renewed now runs out.
[[nodiscard]] std::uint64_t lease_end_ms(std::chrono::milliseconds term) noexcept;

/// A writer's hold on the backup that it writes: HEAD, renewed every third of the term by a thread
/// of its own, until it is committed or given up. A renewal that fails for another reason than that
/// HEAD was taken over is tried again at the next third: the commit decides.
/// Threads: check() from any; the others from one at a time.
class Lease {
 public:
  /// `head`: as it stands, running. `layout` is kept.
  Lease(std::shared_ptr<const Layout> layout, Head head, std::chrono::milliseconds term);
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;
  ~Lease();

  /// Errc::fenced once it is known that another took the backup over.
  [[nodiscard]] Result<void> check() const;

  /// Renews now, unless settle() was called. Errc::fenced when another took the backup over; other
  /// errors are none of it.
  [[nodiscard]] Result<void> confirm();

  /// Stops renewing and has HEAD say `state` and the manifest's digest. Errors: fenced; those of
  /// swap_head().
  [[nodiscard]] Result<void> settle(HeadState state, const format::Digest& manifest_digest);

  /// Stops renewing; HEAD stays as it is.
  void release() noexcept;

 private:
  void run(const std::stop_token& stop);
  Result<void> renew();
  std::unexpected<Error> note_loss(Error error);

  std::shared_ptr<const Layout> layout_;
  std::chrono::milliseconds term_;
  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable_any wake_;
  Head head_;
  std::optional<Error> lost_;
  bool settling_ = false;  // HEAD may be what settle() made of it
  std::jthread thread_;    // last: it uses all of the above
};

}  // namespace sluice::storage
