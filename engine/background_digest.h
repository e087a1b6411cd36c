#pragma once

#include <atomic>
#include <cstddef>
#include <exception>
#include <span>
#include <thread>

#include "engine/block_queue.h"
#include "engine/digest_reader.h"
#include "rdb/parser.h"

namespace sluice::engine {

/// Takes the digest of an RDB stream on a thread of its own, so that a backup does not wait for the
/// values to be decoded: that takes longer than to frame, compress and store them.
///
/// Memory:  `blocks_max` MiB, and what a DigestReader takes. feed() waits when they are full.
/// Threads: one at a time, beside its own.
class BackgroundDigest {
 public:
  static constexpr std::size_t block_bytes = 1 << 20;
  static constexpr std::size_t blocks_max = 8;

  BackgroundDigest();
  BackgroundDigest(const BackgroundDigest&) = delete;
  BackgroundDigest& operator=(const BackgroundDigest&) = delete;
  /// Without finish(): stops where it is.
  ~BackgroundDigest();

  /// The next bytes of the stream. They need not be checked: where the stream is malformed the
  /// digest ends, and whoever checks it says so.
  void feed(std::span<const std::byte> bytes) { static_cast<void>(queue_.push(bytes)); }
  /// No more will come; waits until all has been read. Throws what its thread threw.
  void finish();
  /// After finish().
  [[nodiscard]] const DigestReader& reader() const noexcept { return facts_.digest(); }

 private:
  void run();
  void read_blocks();

  BlockQueue queue_{block_bytes, blocks_max};
  FactsAndDigest facts_;
  rdb::Parser parser_{facts_};
  std::exception_ptr thrown_;
  std::atomic<bool> given_up_ = false;
  std::thread thread_;
};

}  // namespace sluice::engine
