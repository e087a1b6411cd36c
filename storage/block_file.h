#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "storage/error.h"
#include "storage/file.h"
#include "storage/format.h"
#include "storage/io_queue.h"

namespace sluice::storage {

/// A file written once, from its start to its end, with several writes in flight, that has its name
/// only when it is whole.
///
/// Order:      writes reaped, mode 0400, fdatasync reaped, linked without replacing anything,
///             directory fsync reaped; only then published().
/// Durability: a published file survives a power cut. Before, it has no name (O_TMPFILE), or where
///             the file system has no nameless files, a temporary one in the same directory.
/// Errors:     the first one is kept; nothing is submitted after it. EEXIST when the name is taken.
///             The first failed fdatasync is none if begin_finish() was given a digest: the bytes
///             are read back, proven and written to a new file, which is synced in its stead.
/// Page cache: passed by with IoOptions::direct; else what is written goes to the disk as it comes
///             and leaves the cache after the sync, which is for the database on this host.
/// Memory:     the blocks of the queue, which it may share with other files of the same thread.
/// Threads:    as the queue.
class BlockFile final : public RequestOwner {
 public:
  /// `queue` must outlive the file.
  [[nodiscard]] static Result<std::unique_ptr<BlockFile>> create(IoQueue& queue,
                                                                 Directory directory,
                                                                 std::string name);
  struct NewFile {
    Fd fd;
    bool nameless = false;    // O_TMPFILE worked
    std::size_t granule = 0;  // of direct I/O; 0: buffered
  };
  BlockFile(IoQueue& queue, Directory directory, std::string name, NewFile file);
  BlockFile(const BlockFile&) = delete;
  BlockFile& operator=(const BlockFile&) = delete;
  /// finish() or abandon() must have been called: asserted, else abandons.
  ~BlockFile() override;

  /// Takes the bytes; they may be reused at once. Waits only while every block is in flight.
  [[nodiscard]] Result<void> append(std::span<const std::byte> bytes);
  /// Bytes appended so far.
  [[nodiscard]] std::uint64_t size() const noexcept { return size_; }

  /// Nothing more will be appended. The rest happens while the queue is dispatched by anyone.
  /// `digest`: what the last 16 bytes are, XXH3-128 of all before them.
  [[nodiscard]] Result<void> begin_finish(const std::optional<format::Digest>& digest = {});
  /// begin_finish(), if not yet called, then waits until the file is published.
  [[nodiscard]] Result<void> finish();
  [[nodiscard]] bool published() const noexcept { return state_ == State::published; }

  /// Whether a failed sync was survived.
  [[nodiscard]] bool rewritten() const noexcept { return rewritten_; }

  /// Waits for what is in flight and removes the file, unless it was published. Idempotent.
  void abandon() noexcept;

  void completed(Request& request) override;

 private:
  enum class State : std::uint8_t { writing, draining, syncing, naming, published, closed };

  [[nodiscard]] Result<void> check() const;
  Result<void> flush();
  void begin_write_back();
  bool retry_buffered(Request& request);
  void step();                                // what can begin now that a request is over
  [[nodiscard]] const char* complete_file();  // the call that failed, or nullptr
  void publish();
  void begin_sync(IoOp op, int fd, State next);
  void fail(std::string_view call, std::error_code code);
  void survive(std::error_code code);  // a failed sync of the data

  IoQueue& queue_;
  Directory directory_;
  std::string name_;
  Fd file_;
  bool nameless_;
  std::size_t granule_;
  std::size_t retries_left_ = 0;  // of writes that were in flight when direct I/O was given up
  State state_ = State::writing;
  std::optional<Error> error_;
  std::optional<format::Digest> digest_;
  bool rewritten_ = false;
  IoBlock* block_ = nullptr;  // being filled
  std::size_t block_used_ = 0;
  Request sync_;
  Request write_back_;
  bool writing_back_ = false;
  std::uint64_t dirty_bytes_ = 0;  // written since the last write-back began
  std::uint64_t size_ = 0;
  std::uint64_t written_ = 0;  // submitted so far: where the next block goes
  std::size_t in_flight_ = 0;
};

}  // namespace sluice::storage
