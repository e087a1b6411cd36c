#include "storage/chunk_reader.h"

#include <algorithm>
#include <cassert>
#include <deque>
#include <limits>
#include <tuple>
#include <utility>
#include <vector>

#include "storage/chain_decoder.h"
#include "storage/chunk_window.h"
#include "storage/pack_reader.h"
#include "storage/read_ahead.h"

namespace sluice::storage {
namespace {

constexpr unsigned whole_chain = std::numeric_limits<unsigned>::max();

/// The stored bytes of the blobs of one window that is not direct.
class LoadedWindow {
 public:
  /// Takes all of the window's bytes from `ahead`, whose next they are.
  void load(const Backup& backup, const ChunkWindow& window, ReadAhead& ahead) {
    slots_.clear();
    bytes_.clear();
    std::size_t size = 0;
    for (const ChunkWindow::Step& step : window.steps) size += blob_bytes(backup.blobs[step.blob]);
    bytes_.reserve(size);
    for (const ChunkWindow::Step& step : window.steps) {
      const BlobRef& blob = backup.blobs[step.blob];
      ahead.skip(step.skip);
      const auto taken = ahead.take(blob_bytes(blob));
      slots_.push_back({.place = place_of(blob), .at = bytes_.size(), .error = {}});
      if (taken)
        bytes_.insert(bytes_.end(), taken->begin(), taken->end());
      else
        slots_.back().error = taken.error();
    }
  }

  /// Precondition: the blob is of the window that was loaded. Valid until the next load().
  [[nodiscard]] Result<std::span<const std::byte>> find(const BlobRef& blob) const {
    const auto slot = std::ranges::lower_bound(slots_, place_of(blob), {}, &Slot::place);
    assert(slot != slots_.end() && slot->place == place_of(blob));
    if (slot->error) return std::unexpected(*slot->error);
    return std::span(bytes_).subspan(slot->at, blob_bytes(blob));
  }

 private:
  using Place = std::tuple<std::uint32_t, std::uint64_t, std::uint32_t>;
  struct Slot {
    Place place;
    std::size_t at = 0;  // in bytes_
    std::optional<Error> error;
  };
  static Place place_of(const BlobRef& blob) { return {blob.pack, blob.offset, blob.stored_bytes}; }

  std::vector<Slot> slots_;  // sorted, as the window's steps are
  std::vector<std::byte> bytes_;
};

}  // namespace

/// Plans windows of chunks [planned, end) as ReadAhead asks for more, and takes them one by one.
class ChunkReader::State {
 public:
  State(std::shared_ptr<const Layout> layout, const Backup& opened, std::unique_ptr<IoQueue> io)
      : queue(std::move(io)),
        backup(opened),
        layout_(std::move(layout)),
        open_packs_(*layout_, opened),
        decoder_([this](std::uint32_t pack) { return open_packs_.key(pack); }) {}

  void reset(std::uint32_t first, std::uint32_t count);
  Result<std::optional<ChunkView>> next();
  Result<ChunkView> read(std::uint32_t ordinal, unsigned blobs_max);

  std::unique_ptr<IoQueue> queue;  // null for those who only read()
  const Backup& backup;

 private:
  std::optional<ReadRange> next_range();
  void plan_one();
  void enter_window();
  Result<std::span<const std::byte>> take_direct();
  Result<std::span<const std::byte>> read_blob(const BlobRef& blob);
  Result<ChunkView> view(std::uint32_t ordinal, unsigned blobs_max,
                         const ChainDecoder::Fetch& fetch);

  std::shared_ptr<const Layout> layout_;
  OpenPacks open_packs_;
  std::uint32_t at_ = 0;       // the next to give
  std::uint32_t planned_ = 0;  // the next to plan
  std::uint32_t end_ = 0;
  std::deque<ChunkWindow> windows_;        // the front one is being given
  std::deque<ChunkWindow::Range> ranges_;  // planned and not yet asked for
  LoadedWindow loaded_;
  ChainDecoder decoder_;
  std::vector<std::byte> blob_;     // of read(), made when first used
  std::optional<ReadAhead> ahead_;  // last: uses all of the above
};

void ChunkReader::State::reset(std::uint32_t first, std::uint32_t count) {
  assert(queue);
  ahead_.reset();
  windows_.clear();
  ranges_.clear();
  const auto size = static_cast<std::uint32_t>(backup.chunks.size());
  at_ = planned_ = std::min(first, size);
  end_ = at_ + std::min(count, size - at_);
  ahead_.emplace(*queue, [this] { return next_range(); });
}

void ChunkReader::State::plan_one() {
  windows_.push_back(plan_window(backup, planned_, end_));
  planned_ = windows_.back().last;
  const auto& ranges = windows_.back().ranges;
  ranges_.insert(ranges_.end(), ranges.begin(), ranges.end());
}

std::optional<ReadRange> ChunkReader::State::next_range() {
  if (ranges_.empty() && planned_ != end_) plan_one();
  if (ranges_.empty()) return std::nullopt;
  const ChunkWindow::Range range = ranges_.front();
  ranges_.pop_front();
  return ReadRange{
      .file = open_packs_.get(range.pack), .offset = range.offset, .bytes = range.bytes};
}

/// Makes the window of the next chunk the front one, its bytes loaded unless it is direct.
void ChunkReader::State::enter_window() {
  if (!windows_.empty() && at_ < windows_.front().last) return;
  if (!windows_.empty()) windows_.pop_front();
  if (windows_.empty()) plan_one();
  if (!windows_.front().direct) loaded_.load(backup, windows_.front(), *ahead_);
}

Result<std::span<const std::byte>> ChunkReader::State::take_direct() {
  const ChunkWindow& window = windows_.front();
  const ChunkWindow::Step& step = window.steps[at_ - window.first];
  ahead_->skip(step.skip);
  return ahead_->take(blob_bytes(backup.blobs[step.blob]));
}

Result<std::optional<ChunkView>> ChunkReader::State::next() {
  if (at_ == end_) return std::nullopt;
  enter_window();
  // Taken whether it can be decoded or not: the next chunk's bytes come after it.
  auto direct = windows_.front().direct ? take_direct() : std::span<const std::byte>();
  const std::uint32_t ordinal = at_++;
  const auto blobs = backup.blobs_of(ordinal);
  const bool is_direct = windows_.front().direct;
  auto chunk = view(ordinal, whole_chain, [&](std::size_t link) {
    return is_direct ? std::move(direct) : loaded_.find(blobs[link]);
  });
  if (!chunk) return std::unexpected(std::move(chunk.error()));
  return std::optional(*chunk);
}

Result<ChunkView> ChunkReader::State::view(std::uint32_t ordinal, unsigned blobs_max,
                                           const ChainDecoder::Fetch& fetch) {
  const auto made = decoder_.make(backup, ordinal, blobs_max, fetch);
  if (!made) return std::unexpected(made.error());
  const ChunkRef& chunk = backup.chunks[ordinal];
  return ChunkView{.ordinal = ordinal,
                   .raw = made->raw,
                   .type = static_cast<format::BlobType>(chunk.type),
                   .tag = chunk.tag,
                   .raw_offset = chunk.raw_offset,
                   .identity = made->identity};
}

Result<std::span<const std::byte>> ChunkReader::State::read_blob(const BlobRef& blob) {
  const auto file = open_packs_.get(blob.pack);
  if (file->error) return std::unexpected(*file->error);
  blob_.resize(std::max(blob_.size(), blob_bytes(blob)));
  const auto into = std::span(blob_).first(blob_bytes(blob));
  if (auto ok = read_exactly(file->fd, into, blob.offset, file->object); !ok)
    return std::unexpected(std::move(ok.error()));
  return into;
}

Result<ChunkView> ChunkReader::State::read(std::uint32_t ordinal, unsigned blobs_max) {
  assert(ordinal < backup.chunks.size() && blobs_max > 0);
  const auto blobs = backup.blobs_of(ordinal);
  return view(ordinal, blobs_max, [&](std::size_t link) { return read_blob(blobs[link]); });
}

Result<std::unique_ptr<ChunkReader>> ChunkReader::open(const Repository& repository,
                                                       const Backup& backup, std::uint32_t first,
                                                       std::uint32_t count) {
  return open(repository.shared_layout(), repository.io_options(), backup, first, count);
}

Result<std::unique_ptr<ChunkReader>> ChunkReader::open(std::shared_ptr<const Layout> layout,
                                                       const IoOptions& io, const Backup& backup,
                                                       std::uint32_t first, std::uint32_t count) {
  if (auto ok = layout->allows(Operation::read); !ok) return std::unexpected(std::move(ok.error()));
  auto queue = IoQueue::open(io, layout->root().path_of(name::packs));
  if (!queue) return std::unexpected(std::move(queue.error()));
  auto reader = std::make_unique<ChunkReader>(
      std::make_unique<State>(std::move(layout), backup, *std::move(queue)));
  reader->reset(first, count);
  return reader;
}

Result<std::unique_ptr<ChunkReader>> ChunkReader::open_single(const Repository& repository,
                                                              const Backup& backup) {
  auto layout = repository.shared_layout();
  if (auto ok = layout->allows(Operation::read); !ok) return std::unexpected(std::move(ok.error()));
  return std::make_unique<ChunkReader>(
      std::make_unique<State>(std::move(layout), backup, std::unique_ptr<IoQueue>()));
}

ChunkReader::ChunkReader(std::unique_ptr<State> state) noexcept : state_(std::move(state)) {}
ChunkReader::~ChunkReader() = default;

void ChunkReader::reset(std::uint32_t first, std::uint32_t count) { state_->reset(first, count); }
Result<std::optional<ChunkView>> ChunkReader::next() { return state_->next(); }
Result<ChunkView> ChunkReader::read(std::uint32_t ordinal) {
  return state_->read(ordinal, whole_chain);
}
Result<ChunkView> ChunkReader::read(std::uint32_t ordinal, unsigned blobs_max) {
  return state_->read(ordinal, blobs_max);
}
IoKind ChunkReader::io_kind() const noexcept { return state_->queue->kind(); }
const std::string& ChunkReader::io_fallback_reason() const noexcept {
  return state_->queue->fallback_reason();
}

}  // namespace sluice::storage
