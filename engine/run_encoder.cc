#include "engine/run_encoder.h"

#include <algorithm>
#include <array>

#include "engine/errors.h"
#include "engine/fragment_list.h"
#include "engine/key_order.h"
#include "rdb/value_type.h"
#include "storage/format.h"

namespace sluice::engine {
namespace {

using storage::format::BlobType;

constexpr std::size_t heads_ahead = 12;
constexpr std::size_t records_ahead = 3;
constexpr std::uint64_t record_overhead_bytes = 8;  // of a record in a run, about
constexpr std::uint64_t run_bytes_low = RunCutter::min_bytes / 2;
constexpr unsigned chain_spread = 3;  // chains are cut short at different lengths, not all at once
constexpr std::size_t deltas_max = storage::format::chain_blobs_max - 1;

std::uint64_t bytes_of(const Record& record) noexcept {
  return record.key.size() + record.value.size() + record.meta.size() + record_overhead_bytes;
}

/// The most deltas of a run's chain: chains that began together are not to end together.
std::size_t chain_length(std::span<const std::byte> label) noexcept {
  std::size_t sum = 0;
  for (const std::byte byte : label) sum += std::to_integer<std::size_t>(byte);
  return deltas_max - sum % chain_spread;
}

}  // namespace

std::size_t deltas_to_keep(std::span<const std::uint32_t> stored_bytes,
                           std::size_t count_max) noexcept {
  std::size_t keep = stored_bytes.size();
  if (keep < count_max) return keep;
  std::uint64_t merged = keep > 0 ? stored_bytes[keep - 1] : 0;  // what comes is about as large
  while (keep > 0 && stored_bytes[keep - 1] <= merged) merged += stored_bytes[--keep];
  return keep < count_max ? keep : 0;  // nothing to merge: all of them, then
}

void RunCounts::add(const RunCounts& other) {
  unchanged += other.unchanged;
  deltas += other.deltas;
  whole += other.whole;
  undecodable += other.undecodable;
  damaged_parent += other.damaged_parent;
  if (first_problem.empty()) first_problem = other.first_problem;
  if (first_damage.empty()) first_damage = other.first_damage;
}

RunEncoder::RunEncoder(const RunEncoderOptions& options)
    : options_(options),
      encoder_(options.repository->keys()),
      cutter_(options.repository->keys().cut) {}

Result<std::unique_ptr<RunEncoder>> RunEncoder::open(const RunEncoderOptions& options) {
  auto encoder = std::make_unique<RunEncoder>(options);
  if (options.parent == nullptr) return encoder;
  auto reader =
      storage::ChunkReader::open(*options.repository, options.parent->backup.stored, 0, 0);
  if (!reader) return std::unexpected(from_storage(reader.error()));
  encoder->parent_reader_ = *std::move(reader);
  return encoder;
}

RunContext RunEncoder::context(std::uint64_t db) const noexcept {
  return {.header = options_.header, .db = db, .by_slot = options_.by_slot};
}

Result<void> RunEncoder::encode(const SortedBatch& batch, std::vector<RunDraft>& out) {
  db_ = batch.db();
  // One pass over records that are in no cache yet.
  items_.clear();
  for (std::size_t i = 0; i < batch.size(); ++i) {
    batch.prefetch(i + heads_ahead, 1);
    items_.push_back({.key = batch.label(i), .bytes = bytes_of(batch[i])});
  }
  divide();
  for (const Stretch& stretch : stretches_) {
    const bool as_it_is = stretch.parent && stretch.bytes <= RunCutter::max_bytes;
    auto stored = as_it_is ? store(batch, stretch, out) : cut_and_store(batch, stretch, out);
    if (!stored) return stored;
  }
  return {};
}

void RunEncoder::divide() {
  stretches_.clear();
  std::size_t at = 0;
  if (options_.parent != nullptr && !items_.empty()) {
    const CanonicalMap& map = *options_.parent->map;
    const ChunkRange runs = map.runs_of(db_);
    std::uint32_t run = map.find_run(db_, items_.front().key).value_or(runs.first);
    for (; run < runs.end && at < items_.size(); ++run) {
      // The last run of a db goes on to its end, the first begins with it.
      const std::size_t end =
          run + 1 < runs.end ? lower_bound(at, map.label(run + 1)) : items_.size();
      if (end > at) add_stretch({.first = at, .end = end, .parent = run});
      at = end;
    }
  }
  if (at < items_.size()) add_stretch({.first = at, .end = items_.size(), .parent = {}});
}

std::size_t RunEncoder::lower_bound(std::size_t first, std::span<const std::byte> label) const {
  const auto from = items_.begin() + static_cast<std::ptrdiff_t>(first);
  const auto found = std::partition_point(from, items_.end(), [&](const RunCutter::Item& item) {
    return compare_labels(item.key, label) < 0;
  });
  return static_cast<std::size_t>(found - items_.begin());
}

void RunEncoder::add_stretch(Stretch stretch) {
  for (std::size_t i = stretch.first; i < stretch.end; ++i) stretch.bytes += items_[i].bytes;
  const auto shrank = [this](const Stretch& some) {
    return some.bytes < run_bytes_low &&
           (!some.parent ||
            options_.parent->backup.stored.chunks[*some.parent].raw_bytes >= run_bytes_low);
  };
  if (stretches_.empty() || !shrank(stretches_.back())) {
    stretches_.push_back(stretch);
    return;
  }
  Stretch& before = stretches_.back();
  before.end = stretch.end;
  before.bytes += stretch.bytes;
  before.parent = stretch.parent;  // most of it, if anything, is there
}

Result<void> RunEncoder::cut_and_store(const SortedBatch& batch, const Stretch& stretch,
                                       std::vector<RunDraft>& out) {
  cutter_.cut(std::span(items_).subspan(stretch.first, stretch.end - stretch.first), cuts_);
  std::size_t first = stretch.first;
  for (const std::size_t cut : cuts_) {
    const std::size_t end = stretch.first + cut;
    if (auto stored = store(batch, {.first = first, .end = end, .parent = {}}, out); !stored)
      return stored;
    first = end;
  }
  return {};
}

Result<std::span<const std::byte>> RunEncoder::write_run(const SortedBatch& batch,
                                                         const Stretch& stretch, RunDraft& draft) {
  writer_.clear();
  for (std::size_t i = stretch.first; i < stretch.end; ++i) {
    const std::size_t later = i + records_ahead;
    if (later < stretch.end) batch.prefetch(later, items_[later].bytes);
    Record record = batch[i];
    record.key = batch.label(i);
    if (record.fragmented) {
      if (auto noted = note_long_value(record, i - stretch.first, draft); !noted)
        return std::unexpected(noted.error());
    } else if (const auto* type = rdb::find_value_type(options_.header.dialect, record.type);
               type != nullptr && canonical_.canonicalise(*type, record.value, value_)) {
      record.value = value_;
    }
    if (!writer_.add(record)) {
      return std::unexpected(Error{
          .stage = Stage::engine,
          .code = "internal",
          .message = "records came out of order; this is a fault of sluice, please report it"});
    }
  }
  return writer_.finish();
}

Result<void> RunEncoder::note_long_value(const Record& record, std::size_t index, RunDraft& draft) {
  if (auto read = read_fragment_list(record.value, "a long value", fragments_); !read) return read;
  draft.long_values.push_back({.record = index, .value_bytes = fragments_.value_bytes()});
  return {};
}

Result<void> RunEncoder::store(const SortedBatch& batch, const Stretch& stretch,
                               std::vector<RunDraft>& out) {
  RunDraft draft;
  const auto raw = write_run(batch, stretch, draft);
  if (!raw) return std::unexpected(raw.error());
  const auto label = batch.label(stretch.first);
  const auto label_bytes = std::min<std::size_t>(label.size(), storage::format::label_bytes_max);
  draft.chunk.type = BlobType::records;
  draft.chunk.label.assign(label.begin(), label.begin() + static_cast<std::ptrdiff_t>(label_bytes));
  draft.chunk.raw_bytes = static_cast<std::uint32_t>(raw->size());
  draft.chunk.tag = RunTag{
      .db = static_cast<std::uint32_t>(batch.db()),
      .records = static_cast<std::uint32_t>(stretch.end - stretch.first),
      .has_digest = true,
      .digest = {}}.to_words();
  bool done = false;
  if (stretch.parent) {
    const auto stored = store_against_parent(*raw, *stretch.parent, draft);
    if (!stored) return std::unexpected(stored.error());
    done = *stored;
  }
  if (!done) {
    if (auto stored = store_whole(*raw, draft); !stored) return stored;
  }
  out.push_back(std::move(draft));
  return {};
}

Result<void> RunEncoder::store_whole(std::span<const std::byte> raw, RunDraft& draft) {
  if (auto taken = digest_whole(raw, draft); !taken) return taken;
  const auto blob = encoder_.encode(BlobType::records, raw, options_.compression);
  if (!blob) return std::unexpected(from_storage(blob.error()));
  const auto place = options_.writer->put(*blob);
  if (!place) return std::unexpected(from_storage(place.error()));
  draft.chunk.blobs = {*place};
  draft.chunk.identity = storage::first_half(blob->header.identity);
  ++counts_.whole;
  return {};
}

void RunEncoder::take_sum(const RunDigest::Sum& sum, RunDraft& draft) {
  RunTag tag = RunTag::of(draft.chunk.tag);
  tag.has_digest = sum.undecodable == 0;
  tag.digest = tag.has_digest ? sum.digest : rdb::Digest128{};
  draft.chunk.tag = tag.to_words();
  counts_.undecodable += sum.undecodable;
  if (counts_.first_problem.empty() && sum.undecodable > 0)
    counts_.first_problem = digest_.first_problem();
}

Result<void> RunEncoder::digest_whole(std::span<const std::byte> raw, RunDraft& draft) {
  auto run = RunReader::open(raw, "a run just made");
  if (!run) return std::unexpected(run.error());
  take_sum(digest_.of(*run, context(db_)), draft);
  return {};
}

void RunEncoder::note_damage(const std::string& message) {
  ++counts_.damaged_parent;
  if (counts_.first_damage.empty()) counts_.first_damage = message;
}

Result<bool> RunEncoder::store_against_parent(std::span<const std::byte> raw, std::uint32_t parent,
                                              RunDraft& draft) {
  const auto& stored = options_.parent->backup.stored;
  const auto base = parent_reader_->read(parent);
  if (!base) {
    note_damage(from_storage(base.error()).message);
    return false;
  }
  const RunTag tag = options_.parent->map->run(parent);
  if (same_bytes(base->raw, raw)) {
    if (tag.has_digest) {
      draft.chunk.tag = stored.chunks[parent].tag;
    } else if (auto taken = digest_whole(raw, draft); !taken) {
      return std::unexpected(taken.error());
    }
    auto blobs = options_.writer->adopt(stored, parent);
    if (!blobs) return std::unexpected(from_storage(blobs.error()));
    draft.chunk.blobs = *std::move(blobs);
    draft.chunk.identity = stored.chunks[parent].identity;
    ++counts_.unchanged;
    return true;
  }
  auto old_run = RunReader::open(base->raw, "the parent's run");
  if (!old_run) {
    note_damage(old_run.error().message);
    return false;
  }
  auto new_run = RunReader::open(raw, "a run just made");
  if (!new_run) return std::unexpected(new_run.error());
  if (tag.has_digest) {
    take_sum(digest_.from(tag.digest, *old_run, *new_run, context(db_)), draft);
  } else {
    take_sum(digest_.of(*new_run, context(db_)), draft);
  }
  return store_delta(raw, *base, parent, draft);
}

Result<bool> RunEncoder::store_delta(std::span<const std::byte> raw, storage::ChunkView base,
                                     std::uint32_t parent, RunDraft& draft) {
  const auto& stored = options_.parent->backup.stored;
  const auto chain = stored.blobs_of(parent);
  std::array<std::uint32_t, deltas_max> sizes{};
  const auto deltas = std::span(sizes).first(std::min(chain.size() - 1, deltas_max));
  for (std::size_t i = 0; i < deltas.size(); ++i) deltas[i] = chain[i + 1].stored_bytes;
  const std::size_t keep = deltas_to_keep(deltas, chain_length(draft.chunk.label));

  if (keep < deltas.size()) {
    const auto earlier = parent_reader_->read(parent, static_cast<unsigned>(keep + 1));
    if (!earlier) {
      note_damage(from_storage(earlier.error()).message);
      return false;
    }
    base = *earlier;
  }
  const auto base_run = RunReader::open(base.raw, "the parent's run");
  if (!base_run) {
    note_damage(base_run.error().message);
    return false;
  }
  base_run->pieces(base_pieces_);
  delta_.make({.raw = base.raw, .pieces = &base_pieces_}, {.raw = raw, .pieces = &writer_.pieces()},
              ops_);
  std::uint64_t chain_bytes = 0;
  for (const std::uint32_t size : deltas.first(keep)) chain_bytes += size;
  return put_delta({.identity = storage::first_half(base.identity), .raw = base.raw}, raw,
                   {.parent = parent, .keep = keep, .chain_bytes = chain_bytes}, draft);
}

Result<bool> RunEncoder::put_delta(const storage::DeltaBase& base, std::span<const std::byte> raw,
                                   const Link& link, RunDraft& draft) {
  if (ops_.literals().size() > raw.size() / 2) return false;
  const auto& stored = options_.parent->backup.stored;
  const auto blob = encoder_.encode_delta(BlobType::records, base, raw, ops_, options_.compression);
  if (!blob) return std::unexpected(from_storage(blob.error()));
  const std::uint64_t base_stored = stored.blobs_of(link.parent).front().stored_bytes;
  if (blob->stored.size() * 2 > base_stored ||
      link.chain_bytes + blob->stored.size() > base_stored) {
    return false;
  }
  auto blobs = options_.writer->adopt(stored, link.parent);
  if (!blobs) return std::unexpected(from_storage(blobs.error()));
  const auto place = options_.writer->put(*blob);
  if (!place) return std::unexpected(from_storage(place.error()));
  blobs->resize(link.keep + 1);
  blobs->push_back(*place);
  draft.chunk.blobs = *std::move(blobs);
  draft.chunk.identity = storage::first_half(blob->header.identity);
  ++counts_.deltas;
  return true;
}

}  // namespace sluice::engine
