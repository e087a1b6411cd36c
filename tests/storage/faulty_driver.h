#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <deque>
#include <memory>
#include <utility>
#include <vector>

#include "storage/file.h"
#include "storage/io_queue.h"

namespace sluice::storage {

/// What goes wrong, counted over all queues that share it. Zero: never.
struct Faults {
  int fail_write = 0;  ///< The n-th write attempt fails with `error`.
  int fail_read = 0;
  std::uint64_t bad_byte = 0;   ///< Reads across this byte of a file fail with EIO. 0: none.
  int fail_sync = 0;            ///< The n-th fsync or fdatasync.
  int fail_data_sync = 0;       ///< The n-th fdatasync,
  int data_sync_failures = 1;   ///< and so many in a row.
  int fail_directory_sync = 0;  ///< The n-th fsync.
  int error = EIO;
  int interrupt_every = 0;  ///< Every n-th attempt comes back with EINTR, undone.
  /// Each attempt above 512 bytes is cut to a third; a direct one to whole sectors, if that leaves
  /// as much as can be resumed.
  bool short_transfers = false;

  int writes = 0;
  int reads = 0;
  int write_backs = 0;
  int direct_reads = 0;
  int direct_writes = 0;     ///< Of `writes`, those to a file opened with O_DIRECT.
  int unaligned_direct = 0;  ///< Of those, the ones that no disk would take.
  int syncs = 0;
  int data_syncs = 0;
  int directory_syncs = 0;
  int attempts = 0;

  /// What an fdatasync was refused of, kept open so that no other file can have its inode.
  std::vector<Fd> unsynced_files = {};
};

/// Stands between the queue and a real driver, and lies as told.
class FaultyDriver final : public IoDriver {
 public:
  FaultyDriver(std::unique_ptr<IoDriver> inner, std::shared_ptr<Faults> faults)
      : inner_(std::move(inner)), faults_(std::move(faults)) {}

  [[nodiscard]] IoKind kind() const noexcept override { return inner_->kind(); }
  bool register_blocks(std::span<std::byte> memory, std::size_t block_bytes) override {
    return inner_->register_blocks(memory, block_bytes);
  }

  void start(const IoAttempt& attempt) override {
    if (const int error = verdict(attempt); error != 0) {
      lies_.push_back({.request = attempt.request, .result = -error});
      return;
    }
    IoAttempt real = attempt;
    if (faults_->short_transfers) real.buffer = real.buffer.first(shortened(attempt));
    inner_->start(real);
  }

  [[nodiscard]] IoCompletion reap() override {
    if (lies_.empty()) return inner_->reap();
    const IoCompletion lie = lies_.front();
    lies_.pop_front();
    return lie;
  }

 private:
  int verdict(const IoAttempt& attempt) {
    Faults& faults = *faults_;
    ++faults.attempts;
    if (faults.interrupt_every > 0 && faults.attempts % faults.interrupt_every == 0) return EINTR;
    switch (attempt.op) {
      case IoOp::read:
        if (is_direct(attempt)) ++faults.direct_reads;
        if (hits_bad_byte(attempt)) return EIO;
        return ++faults.reads == faults.fail_read ? faults.error : 0;
      case IoOp::write:
        count_direct(attempt);
        return ++faults.writes == faults.fail_write ? faults.error : 0;
      case IoOp::write_back: ++faults.write_backs; return 0;
      case IoOp::sync_data: {
        const int n = ++faults.data_syncs - faults.fail_data_sync;
        const bool chosen = faults.fail_data_sync > 0 && n >= 0 && n < faults.data_sync_failures;
        if (chosen) faults.unsynced_files.emplace_back(::dup(attempt.fd));
        return ++faults.syncs == faults.fail_sync || chosen ? faults.error : 0;
      }
      case IoOp::sync_all: {
        const bool chosen = ++faults.directory_syncs == faults.fail_directory_sync;
        return ++faults.syncs == faults.fail_sync || chosen ? faults.error : 0;
      }
    }
    return 0;
  }

  [[nodiscard]] bool hits_bad_byte(const IoAttempt& attempt) const {
    const std::uint64_t bad = faults_->bad_byte;
    return bad != 0 && attempt.offset <= bad && bad < attempt.offset + attempt.buffer.size();
  }

  static bool is_direct(const IoAttempt& attempt) {
    return (::fcntl(attempt.fd, F_GETFL) & O_DIRECT) != 0;
  }

  static std::size_t shortened(const IoAttempt& attempt) {
    const std::size_t size = attempt.buffer.size();
    if (is_direct(attempt)) return size < 3 * 4096 ? size : size / 3 / 512 * 512;
    return size > 512 ? size / 3 : size;
  }

  void count_direct(const IoAttempt& attempt) {
    if (!is_direct(attempt)) return;
    ++faults_->direct_writes;
    const auto address = reinterpret_cast<std::uintptr_t>(attempt.buffer.data());
    if ((address | attempt.buffer.size() | attempt.offset) % 4096 != 0) ++faults_->unaligned_direct;
  }

  std::unique_ptr<IoDriver> inner_;
  std::shared_ptr<Faults> faults_;
  std::deque<IoCompletion> lies_;
};

/// IoOptions::decorate that puts `faults` in the way.
inline auto inject(std::shared_ptr<Faults> faults) {
  return [faults](std::unique_ptr<IoDriver> driver) -> std::unique_ptr<IoDriver> {
    return std::make_unique<FaultyDriver>(std::move(driver), faults);
  };
}

}  // namespace sluice::storage
