#include "engine/chunk_check.h"

#include <fmt/format.h>

#include <utility>

#include "engine/canonical_rdb.h"
#include "engine/errors.h"
#include "rdb/escape.h"

namespace sluice::engine {
namespace {

constexpr std::size_t shown_key_bytes = 64;

std::size_t index_of(rdb::LogicalType type) noexcept { return static_cast<std::size_t>(type); }

/// A key as far as a label holds it.
std::span<const std::byte> label_of(std::span<const std::byte> key) {
  return key.first(std::min<std::size_t>(key.size(), storage::format::label_bytes_max));
}

}  // namespace

std::string CheckContext::place_of(std::uint32_t chunk) const {
  const storage::BlobRef& blob = backup->stored.blobs_of(chunk).back();
  return fmt::format("repository: {}: chunk {} at byte {}",
                     storage::Repository::pack_name(backup->stored.packs[blob.pack].id), chunk,
                     blob.offset);
}

CheckFinding CheckContext::about(std::uint32_t chunk, std::string message) const {
  const storage::BlobRef& blob = backup->stored.blobs_of(chunk).back();
  const storage::PackId pack = backup->stored.packs[blob.pack].id;
  return {.message = std::move(message),
          .object = storage::Repository::pack_name(pack),
          .pack = pack,
          .offset = blob.offset,
          .chunks = {chunk}};
}

Result<std::unique_ptr<ChunkCheck>> ChunkCheck::open(const CheckContext& context) {
  auto reader = storage::ChunkReader::open(*context.repository, context.backup->stored, 0, 0);
  if (!reader) return std::unexpected(from_storage(reader.error()));
  return std::make_unique<ChunkCheck>(context, *std::move(reader));
}

ChunkCheck::ChunkCheck(const CheckContext& context, std::unique_ptr<storage::ChunkReader> reader)
    : context_(context), reader_(std::move(reader)), identifier_(context.repository->keys()) {}

bool ChunkCheck::tell(std::uint32_t chunk, std::string what, bool is_readable) {
  auto finding = context_.about(chunk, context_.place_of(chunk) + ": " + std::move(what));
  finding.is_readable = is_readable;
  context_.findings->add(std::move(finding));
  return false;
}

Result<void> ChunkCheck::check(ChunkRange chunks, ChunksRead& read) {
  reader_->reset(chunks.first, chunks.size());
  for (std::uint32_t i = chunks.first; i < chunks.end; ++i) {
    if (context_.stop.stop_requested()) return std::unexpected(cancelled());
    if (!check_chunk(i, read.sums)) read.damaged.push_back(i);
    if (error_) return std::unexpected(*error_);
  }
  // A long value is left half-read when it is stopped.
  if (context_.stop.stop_requested()) return std::unexpected(cancelled());
  return {};
}

/// The next one of the reader.
bool ChunkCheck::check_chunk(std::uint32_t ordinal, ChunkSums& sums) {
  const auto chunk = reader_->next();
  const std::uint64_t raw_bytes = context_.backup->stored.chunks[ordinal].raw_bytes;
  *context_.bytes += raw_bytes;
  if (!chunk) {
    context_.findings->add(context_.about(ordinal, from_storage(chunk.error()).message));
    return false;
  }
  const storage::ChunkView& view = **chunk;
  if (identifier_.identify(view.type, view.raw) != view.identity)
    return tell(ordinal, "its identity is another", false);
  const bool is_run = view.type == storage::format::BlobType::records;
  if (context_.map != nullptr && is_run && context_.level >= VerifyLevel::parsed &&
      !check_run(view, sums)) {
    return false;
  }
  ++sums.chunks;
  sums.raw_bytes += raw_bytes;
  return true;
}

bool ChunkCheck::check_run(const storage::ChunkView& chunk, ChunkSums& sums) {
  const std::uint32_t ordinal = chunk.ordinal;
  auto run = RunReader::open(chunk.raw, context_.place_of(ordinal));
  if (!run) {
    context_.findings->add(context_.about(ordinal, run.error().message));
    return false;
  }
  const RunTag tag = context_.map->run(ordinal);
  if (run->records() != tag.records) {
    return tell(ordinal,
                fmt::format("{} records, the manifest says {}", run->records(), tag.records));
  }
  ChunkSums own;
  own.keys = tag.records;
  own.databases[tag.db] = tag.records;
  if (!check_records(chunk, *run, own)) return false;
  sums.add(own);
  *context_.keys += tag.records;
  return true;
}

bool ChunkCheck::check_records(const storage::ChunkView& chunk, RunReader& run, ChunkSums& sums) {
  const Manifest& manifest = context_.backup->manifest;
  const RunContext context{.header = header_of(manifest),
                           .db = context_.map->run(chunk.ordinal).db,
                           .by_slot = manifest.by_slot()};
  RunDigest::Sum sum;
  std::vector<std::byte> first;
  Record record;
  bool is_sound = true;
  for (bool is_first = true; run.next(record); is_first = false) {
    if (is_first) first.assign(record.key.begin(), record.key.end());
    if (!check_record(chunk, record, context)) {
      is_sound = false;
      continue;
    }
    const auto* type = rdb::find_value_type(context.header.dialect, record.type);
    ++sums.types[index_of(type->logical)];
    if (record.fragmented) ++sums.long_values;
    if (context_.level == VerifyLevel::digest) digest_.add(record, context, sum);
  }
  is_sound = check_labels(chunk, first, record.key) && is_sound;
  if (is_sound && context_.level == VerifyLevel::digest) is_sound = check_sum(chunk.ordinal, sum);
  sums.digest = sum.digest;
  sums.undecodable = sum.undecodable;
  return is_sound;
}

bool ChunkCheck::check_sum(std::uint32_t ordinal, const RunDigest::Sum& sum) {
  const RunTag tag = context_.map->run(ordinal);
  if (!tag.has_digest) return true;
  if (sum.undecodable > 0) {
    return tell(ordinal, "a value cannot be decoded that could be when it was stored: " +
                             digest_.first_problem());
  }
  if (sum.digest == tag.digest) return true;
  return tell(ordinal, fmt::format("digest: the manifest says {}, the records hold {}",
                                   rdb::to_string(tag.digest), rdb::to_string(sum.digest)));
}

bool ChunkCheck::check_labels(const storage::ChunkView& chunk, std::span<const std::byte> first,
                              std::span<const std::byte> last) {
  const CanonicalMap& map = *context_.map;
  if (compare_labels(label_of(first), map.label(chunk.ordinal)) != 0)
    return tell(chunk.ordinal, "its first key is not the one that the manifest says");
  const std::uint32_t next = chunk.ordinal + 1;
  const bool has_next = next < map.runs().end && map.run(next).db == map.run(chunk.ordinal).db;
  // Equal: both are longer than a label, and that is where they differ.
  if (has_next && compare_labels(label_of(last), map.label(next)) > 0)
    return tell(chunk.ordinal, "its last key comes after the first of the next run");
  return true;
}

bool ChunkCheck::check_record(const storage::ChunkView& chunk, const Record& record,
                              const RunContext& context) {
  if (context.by_slot && record.key.size() < RunContext::slot_bytes)
    return tell(chunk.ordinal, "a key without its slot", false);
  if (rdb::find_value_type(context.header.dialect, record.type) == nullptr) {
    return tell(chunk.ordinal,
                fmt::format("key \"{}\" is of type {}, which is unknown",
                            rdb::escape(context.key_of(record), shown_key_bytes), record.type),
                false);
  }
  return !record.fragmented || check_long_value(chunk, record, context);
}

bool ChunkCheck::check_long_value(const storage::ChunkView& chunk, const Record& record,
                                  const RunContext& context) {
  const std::string shown = rdb::escape(context.key_of(record), shown_key_bytes);
  if (auto read = read_fragment_list(record.value, "key \"" + shown + "\"", list_); !read)
    return tell(chunk.ordinal, read.error().message, false);
  ordinals_.clear();
  for (const Fragment& fragment : list_.fragments) {
    const auto ordinal = context_.map->find_fragment(fragment.identity);
    const bool fits =
        ordinal && context_.backup->stored.chunks[*ordinal].raw_bytes == fragment.raw_bytes;
    if (!fits)
      return tell(chunk.ordinal, "a piece of the value of key \"" + shown + "\" is not there");
    ordinals_.push_back(*ordinal);
  }
  if (context_.level < VerifyLevel::digest || !list_.terms) return true;
  const auto terms = read_long_value(record, context);
  if (!terms || *terms == *list_.terms) return true;
  return tell(chunk.ordinal, "digest: the value of key \"" + shown + "\" is another");
}

std::optional<rdb::Digest128> ChunkCheck::read_long_value(const Record& record,
                                                          const RunContext& context) {
  if (!side_reader_) {
    auto reader = storage::ChunkReader::open(*context_.repository, context_.backup->stored, 0, 0);
    if (!reader) {
      error_ = from_storage(reader.error());
      return std::nullopt;
    }
    side_reader_ = *std::move(reader);
  }
  long_digest_.begin(context.header_of(record), context.header);
  if (!read_fragments()) return std::nullopt;
  const auto terms = long_digest_.end_record();
  return terms ? terms : std::optional(rdb::Digest128{});  // could be decoded when it was stored
}

bool ChunkCheck::read_fragments() {
  for (std::size_t from = 0; from < ordinals_.size();) {
    std::size_t to = from + 1;  // they mostly lie one after another: read ahead
    while (to < ordinals_.size() && ordinals_[to] == ordinals_[to - 1] + 1) ++to;
    side_reader_->reset(ordinals_[from], static_cast<std::uint32_t>(to - from));
    for (; from < to; ++from) {
      if (context_.stop.stop_requested()) return false;
      const auto chunk = side_reader_->next();
      if (!chunk || (*chunk)->identity != list_.fragments[from].identity) return false;
      long_digest_.add((*chunk)->raw);
    }
  }
  return true;
}

}  // namespace sluice::engine
