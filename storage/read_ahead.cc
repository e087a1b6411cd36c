#include "storage/read_ahead.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace sluice::storage {

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
    const auto size =
        static_cast<std::size_t>(std::min<std::uint64_t>(block->bytes.size(), range->bytes));
    pieces_.push_back({.file = range->file,
                       .block = block,
                       .size = size,
                       .taken = 0,
                       .done = range->file->error.has_value()});
    Request& request = block->request;
    request.op = IoOp::read;
    request.fd = range->file->fd.get();
    request.buffer = block->bytes.first(size);
    request.offset = range->offset;
    request.owner = this;
    range->offset += size;
    range->bytes -= size;
    if (!pieces_.back().done) queue_.submit(request);
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
  const std::size_t from = piece.taken;
  const std::size_t size = std::min(count, piece.size - from);
  piece.taken += size;
  const Request& request = piece.block->request;
  const std::string& object = piece.file->object;
  if (piece.file->error) return {.size = size, .bytes = {}, .error = piece.file->error};
  if (request.error) {
    return {
        .size = size, .bytes = {}, .error = system_error(request.error.value(), "pread", object)};
  }
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
