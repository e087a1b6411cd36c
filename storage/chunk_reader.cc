#include "storage/chunk_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <utility>

#include "storage/pack_reader.h"
#include "storage/read_ahead.h"

namespace sluice::storage {

/// Plans the reads of chunks [planned, end): neighbours in a pack become one range.
class ChunkReader::State {
 public:
  State(std::shared_ptr<const Layout> layout, const Backup& opened, std::unique_ptr<IoQueue> io,
        std::uint32_t first, std::uint32_t last)
      : queue(std::move(io)),
        backup(opened),
        layout_(std::move(layout)),
        at_(first),
        planned_(first),
        end_(last),
        scratch_(format::chunk_raw_bytes_max),
        ahead_(*queue, [this] { return plan(); }) {}

  Result<std::optional<ChunkView>> next();
  Result<ChunkView> read(std::uint32_t ordinal);

  std::unique_ptr<IoQueue> queue;
  const Backup& backup;

 private:
  std::optional<ReadRange> plan();
  const std::shared_ptr<const ReadFile>& pack_file(std::uint32_t pack);
  Result<ChunkView> view(std::uint32_t ordinal, Result<std::span<const std::byte>> blob);

  std::shared_ptr<const Layout> layout_;
  std::uint32_t at_;       // the next to give
  std::uint32_t planned_;  // the next to plan
  std::uint32_t end_;
  std::uint32_t open_pack_ = 0;  // the pack that `file_` is
  std::shared_ptr<const ReadFile> file_;
  std::vector<std::byte> scratch_;  // decoded bytes
  std::vector<std::byte> blob_;     // of read(), made when first used
  ReadAhead ahead_;                 // last: uses all of the above
};

std::optional<ReadRange> ChunkReader::State::plan() {
  if (planned_ == end_) return std::nullopt;
  const ChunkRef& first = backup.chunks[planned_];
  ReadRange range{.file = pack_file(first.pack), .offset = first.offset, .bytes = 0};
  while (planned_ != end_) {
    const ChunkRef& chunk = backup.chunks[planned_];
    if (chunk.pack != first.pack || chunk.offset != range.offset + range.bytes) break;
    range.bytes += blob_bytes(chunk);
    ++planned_;
  }
  return range;
}

const std::shared_ptr<const ReadFile>& ChunkReader::State::pack_file(std::uint32_t pack) {
  if (!file_ || open_pack_ != pack) {
    file_ = open_pack(*layout_, backup.packs[pack]);
    open_pack_ = pack;
  }
  return file_;
}

Result<ChunkView> ChunkReader::State::view(std::uint32_t ordinal,
                                           Result<std::span<const std::byte>> blob) {
  const ChunkRef& chunk = backup.chunks[ordinal];
  const std::string object = fmt::format("pack {}", backup.packs[chunk.pack].id);
  if (!blob) {
    return std::unexpected(Error{
        .code = blob.error().code,
        .detail = fmt::format("{}: {}", place_of(object, ordinal, chunk), blob.error().detail)});
  }
  const auto raw = open_blob(*blob, chunk, ordinal, scratch_, object);
  if (!raw) return std::unexpected(raw.error());
  return ChunkView{
      .ordinal = ordinal, .raw = *raw, .tag = chunk.tag, .raw_offset = chunk.raw_offset};
}

Result<std::optional<ChunkView>> ChunkReader::State::next() {
  if (at_ == end_) return std::nullopt;
  const std::uint32_t ordinal = at_++;
  auto chunk = view(ordinal, ahead_.take(blob_bytes(backup.chunks[ordinal])));
  if (!chunk) return std::unexpected(std::move(chunk.error()));
  return std::optional(*chunk);
}

Result<ChunkView> ChunkReader::State::read(std::uint32_t ordinal) {
  assert(ordinal < backup.chunks.size());
  const ChunkRef& chunk = backup.chunks[ordinal];
  // A descriptor of its own: the one of next() may be several packs ahead.
  const auto file = open_pack(*layout_, backup.packs[chunk.pack]);
  if (file->error) return view(ordinal, std::unexpected(*file->error));
  blob_.resize(blob_bytes(chunk));
  if (auto ok = read_exactly(file->fd, blob_, chunk.offset, file->object); !ok)
    return view(ordinal, std::unexpected(std::move(ok.error())));
  return view(ordinal, std::span<const std::byte>(blob_));
}

Result<std::unique_ptr<ChunkReader>> ChunkReader::open(const Repository& repository,
                                                       const Backup& backup, std::uint32_t first,
                                                       std::uint32_t count) {
  auto layout = repository.shared_layout();
  if (auto ok = layout->allows(Operation::read); !ok) return std::unexpected(std::move(ok.error()));
  auto queue = IoQueue::open(repository.io_options(), layout->root().path_of(name::packs));
  if (!queue) return std::unexpected(std::move(queue.error()));
  const auto size = static_cast<std::uint32_t>(backup.chunks.size());
  const std::uint32_t from = std::min(first, size);
  const std::uint32_t to = from + std::min(count, size - from);
  return std::make_unique<ChunkReader>(
      std::make_unique<State>(std::move(layout), backup, *std::move(queue), from, to));
}

ChunkReader::ChunkReader(std::unique_ptr<State> state) noexcept : state_(std::move(state)) {}
ChunkReader::~ChunkReader() = default;

Result<std::optional<ChunkView>> ChunkReader::next() { return state_->next(); }
Result<ChunkView> ChunkReader::read(std::uint32_t ordinal) { return state_->read(ordinal); }
IoKind ChunkReader::io_kind() const noexcept { return state_->queue->kind(); }
const std::string& ChunkReader::io_fallback_reason() const noexcept {
  return state_->queue->fallback_reason();
}

}  // namespace sluice::storage
