#include "storage/read_ahead.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace sluice::storage {
namespace {

constexpr std::size_t sector_bytes = 4096;  // of the disks that have the largest

}  // namespace

ReadAhead::ReadAhead(IoQueue& queue, Plan plan) : queue_(queue), plan_(std::move(plan)) {}

ReadAhead::~ReadAhead() {
  while (queue_.dispatch_one()) {
  }
  for (const Piece& piece : pieces_) queue_.give_block(*piece.block);
}

ReadRange* ReadAhead::next_range() {
  if (range_ && range_->bytes > 0) return &*range_;
  if (!plan_done_) range_ = plan_();
  if (range_) return &*range_;
  plan_done_ = true;
  return nullptr;
}

void ReadAhead::fill() {
  while (!plan_done_) {
    IoBlock* block = queue_.take_block();
    if (block == nullptr) return;
    ReadRange* range = next_range();
    if (range == nullptr) {
      queue_.give_block(*block);
      return;
    }
    pieces_.push_back({.file = range->file, .block = block, .bad = {}});
    submit(pieces_.back(), *range);
  }
}

/// Has as much of the range read as goes into the piece's block.
void ReadAhead::submit(Piece& piece, ReadRange& range) {
  const std::size_t granule = granule_of(*range.file);
  const std::span<std::byte> block = piece.block->bytes;
  piece.skip = static_cast<std::size_t>(range.offset % granule);
  piece.size =
      static_cast<std::size_t>(std::min<std::uint64_t>(block.size() - piece.skip, range.bytes));
  piece.done = range.file->error.has_value();
  const std::size_t end = piece.skip + piece.size;
  Request& request = piece.block->request;
  request.op = IoOp::read;
  request.fd = range.file->fd.get();
  request.buffer = block.first((end + granule - 1) / granule * granule);
  request.offset = range.offset - piece.skip;
  request.granule = granule;
  request.owner = this;
  range.offset += piece.size;
  range.bytes -= piece.size;
  if (!piece.done) queue_.submit(request);
}

/// What reads of the file must be a multiple of; has them pass the page cache if that is wanted.
std::size_t ReadAhead::granule_of(const ReadFile& file) {
  if (!queue_.direct_reads() || file.error) return 1;
  if (std::exchange(direct_file_, &file) == &file) return granule_;
  granule_ = begin_direct(file.fd);
  if (granule_ > 0 && queue_.block_bytes() % granule_ == 0) return granule_;
  if (granule_ > 0) end_direct(file.fd);
  (void)::posix_fadvise(file.fd.get(), 0, 0, POSIX_FADV_DONTNEED);  // the next best
  return granule_ = 1;
}

/// Reads a block that failed again, by sectors, so that a bad one costs only what lies in it.
void ReadAhead::salvage(Piece& piece) {
  struct Sector final : RequestOwner {
    bool done = false;
    void completed(Request& /*request*/) override { done = true; }
  };
  Request& whole = piece.block->request;
  const std::size_t step = std::max(sector_bytes, whole.granule);
  whole.error.clear();
  whole.transferred = 0;
  while (whole.transferred < whole.buffer.size()) {
    const std::uint64_t offset = whole.offset + whole.transferred;
    const std::size_t size = std::min(whole.buffer.size() - whole.transferred,
                                      step - static_cast<std::size_t>(offset % step));
    Sector sector;
    Request request;
    request.op = IoOp::read;
    request.fd = whole.fd;
    request.buffer = whole.buffer.subspan(whole.transferred, size);
    request.offset = offset;
    request.granule = whole.granule;
    request.block = piece.block;
    request.owner = &sector;
    queue_.submit(request);
    while (!sector.done && queue_.dispatch_one()) {
    }
    if (!request.error && request.transferred < size) {  // the file ends here
      whole.transferred += request.transferred;
      return;
    }
    if (request.error)
      piece.bad.push_back({whole.transferred, whole.transferred + size, request.error});
    whole.transferred += size;
  }
}

void ReadAhead::completed(Request& request) {
  const auto piece = std::ranges::find(pieces_, request.block, &Piece::block);
  if (piece != pieces_.end()) piece->done = true;
}

void ReadAhead::drop_used_up() {
  while (!pieces_.empty() && pieces_.front().taken == pieces_.front().size) {
    queue_.give_block(*pieces_.front().block);
    pieces_.pop_front();
  }
}

ReadAhead::Taken ReadAhead::take_some(std::size_t count) {
  drop_used_up();
  fill();
  if (pieces_.empty()) {
    return {.size = count,
            .bytes = {},
            .error = Error{.code = Errc::truncated, .detail = "nothing left to read"}};
  }
  Piece& piece = pieces_.front();
  while (!piece.done && queue_.dispatch_one()) {
  }
  if (piece.block->request.error == std::errc::io_error) salvage(piece);
  const std::size_t size = std::min(count, piece.size - piece.taken);
  Taken taken = take_read(piece, piece.skip + piece.taken, size);
  piece.taken += taken.size;
  return taken;
}

/// Of what was read, up to `size` bytes that are all good or all bad.
ReadAhead::Taken ReadAhead::take_read(const Piece& piece, std::size_t from, std::size_t size) {
  const Request& request = piece.block->request;
  const std::string& object = piece.file->object;
  if (piece.file->error) return {.size = size, .bytes = {}, .error = piece.file->error};
  if (request.error) {
    return {
        .size = size, .bytes = {}, .error = system_error(request.error.value(), "pread", object)};
  }
  const auto bad =
      std::ranges::find_if(piece.bad, [from](const BadBytes& b) { return b.end > from; });
  if (bad != piece.bad.end() && bad->begin <= from) {
    Error error = system_error(bad->error.value(), "pread", object);
    error.detail += fmt::format(": the sector at byte {}", request.offset + bad->begin);
    return {.size = std::min(size, bad->end - from), .bytes = {}, .error = std::move(error)};
  }
  if (bad != piece.bad.end()) size = std::min(size, bad->begin - from);
  if (from + size <= request.transferred)
    return {.size = size, .bytes = request.buffer.subspan(from, size), .error = {}};
  return {.size = size,
          .bytes = {},
          .error = Error{.code = Errc::truncated,
                         .detail = fmt::format("{}: file ends at byte {}", object,
                                               request.offset + request.transferred)}};
}

void ReadAhead::skip(std::size_t count) {
  while (count > 0) count -= take_some(count).size;
}

Result<std::span<const std::byte>> ReadAhead::take(std::size_t count) {
  Taken part = take_some(count);
  if (part.size == count) {
    if (part.error) return std::unexpected(*std::move(part.error));
    return part.bytes;
  }
  scratch_.resize(std::max(scratch_.size(), count));
  std::optional<Error> error;
  for (std::size_t at = 0;;) {
    if (part.error && !error) error = std::move(part.error);
    if (!part.bytes.empty()) std::memcpy(scratch_.data() + at, part.bytes.data(), part.size);
    at += part.size;
    if (at == count) break;
    part = take_some(count - at);
  }
  if (error) return std::unexpected(*std::move(error));
  return std::span(scratch_).first(count);
}

}  // namespace sluice::storage
