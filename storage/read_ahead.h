#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "storage/error.h"
#include "storage/file.h"
#include "storage/io_queue.h"

namespace sluice::storage {

/// A file being read, and its name for messages; or why it could not be opened.
struct ReadFile {
  Fd fd;
  std::string object;
  std::optional<Error> error;
};

/// A run of bytes to read.
struct ReadRange {
  std::shared_ptr<const ReadFile> file;
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;
};

/// Gives, in order, the bytes of ranges, keeping as many reads in flight as the queue has blocks.
/// With IoOptions::direct_reads they come from the medium, where the file system allows it.
///
/// Errors:  belong to the bytes they hit: a block that cannot be read is read again by sectors.
///          take() consumes its bytes also when it fails.
/// Memory:  the queue's blocks, and the longest take() that straddles two blocks.
/// Threads: as the queue, which it has to itself.
class ReadAhead final : public RequestOwner {
 public:
  /// Gives the next range, never empty; nullopt after the last. Called ahead of need.
  using Plan = std::function<std::optional<ReadRange>()>;

  ReadAhead(IoQueue& queue, Plan plan);
  ReadAhead(const ReadAhead&) = delete;
  ReadAhead& operator=(const ReadAhead&) = delete;
  ~ReadAhead() override;  // waits for what is in flight

  /// The next `count` bytes of the plan, together; valid until the next call.
  /// Errors: truncated when a file ends too early or the plan has no more; the system's; those of
  /// files that could not be opened.
  [[nodiscard]] Result<std::span<const std::byte>> take(std::size_t count);

  /// Passes over the next `count` bytes of the plan, whatever is wrong with them.
  void skip(std::size_t count);

  void completed(Request& request) override;

 private:
  struct BadBytes {
    std::size_t begin = 0;  // in the request's buffer
    std::size_t end = 0;
    std::error_code error;
  };

  struct Piece {
    std::shared_ptr<const ReadFile> file;
    IoBlock* block = nullptr;
    std::size_t skip = 0;  // bytes in front that nobody asked for
    std::size_t size = 0;
    std::size_t taken = 0;
    bool done = false;
    std::vector<BadBytes> bad;  // in order
  };

  struct Taken {
    std::size_t size = 0;  // bytes consumed, also when it failed
    std::span<const std::byte> bytes;
    std::optional<Error> error;
  };

  void fill();
  std::size_t granule_of(const ReadFile& file);
  void submit(Piece& piece, ReadRange& range);
  void salvage(Piece& piece);
  static Taken take_read(const Piece& piece, std::size_t from, std::size_t size);
  ReadRange* next_range();  // what is left of the range being cut; nullptr at the end
  void drop_used_up();
  Taken take_some(std::size_t count);  // what the front piece has of the next `count` bytes

  IoQueue& queue_;
  Plan plan_;
  std::optional<ReadRange> range_;  // being cut into pieces
  bool plan_done_ = false;
  std::deque<Piece> pieces_;  // in order; the front one is being taken from
  std::vector<std::byte> scratch_;
  const ReadFile* direct_file_ = nullptr;  // which granule_ is of
  std::size_t granule_ = 1;
};

}  // namespace sluice::storage
