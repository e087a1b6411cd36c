#include "engine/canonical_rdb.h"

#include <fmt/format.h>

#include <utility>

#include "engine/errors.h"
#include "rdb/escape.h"

namespace sluice::engine {
namespace {

constexpr unsigned version_with_sizes = 7;  // RESIZEDB
constexpr unsigned version_with_checksum = 5;
constexpr std::uint8_t opcode_eof = 255;
constexpr std::size_t shown_key_bytes = 64;

}  // namespace

rdb::Header header_of(const Manifest& manifest) noexcept {
  return {.dialect = manifest.dialect == "valkey" ? rdb::Dialect::valkey : rdb::Dialect::redis,
          .version = manifest.source.rdb_version};
}

std::string shown_key(std::span<const std::byte> label, const Manifest& manifest) {
  if (manifest.by_slot() && label.size() >= RunContext::slot_bytes)
    label = label.subspan(RunContext::slot_bytes);
  return rdb::escape(label, shown_key_bytes);
}

std::string describe_run(const OpenBackup& backup, const CanonicalMap& map, std::uint32_t ordinal) {
  const RunTag tag = map.run(ordinal);
  std::string text =
      fmt::format("backup {}: run {}, db {}, {} key(s) from \"{}\"", backup.stored.key.id, ordinal,
                  tag.db, tag.records, shown_key(map.label(ordinal), backup.manifest));
  const std::uint32_t next = ordinal + 1;
  if (next < map.runs().end && map.run(next).db == tag.db) {
    text += fmt::format(" to before \"{}\"", shown_key(map.label(next), backup.manifest));
  } else {
    text += " to the last";
  }
  return text;
}

Result<std::unique_ptr<CanonicalRdb>> CanonicalRdb::open(const storage::Repository& repository,
                                                         const OpenBackup& backup, Sink sink) {
  auto map = CanonicalMap::of(backup.stored);
  if (!map) return std::unexpected(map.error());
  return std::make_unique<CanonicalRdb>(repository, backup, *std::move(map),
                                        header_of(backup.manifest), std::move(sink));
}

CanonicalRdb::CanonicalRdb(const storage::Repository& repository, const OpenBackup& backup,
                           CanonicalMap map, const rdb::Header& header, Sink sink)
    : backup_(backup),
      map_(std::move(map)),
      header_(header),
      writer_(header, std::move(sink)),
      chunks_(repository, backup.stored) {}

RunContext CanonicalRdb::context(std::uint64_t db) const noexcept {
  return {.header = header_, .db = db, .by_slot = backup_.manifest.by_slot()};
}

Result<void> CanonicalRdb::copy_chunks(ChunkRange chunks) {
  for (std::uint32_t i = chunks.first; i < chunks.end; ++i) {
    const auto raw = chunks_.read(i);
    if (!raw) return std::unexpected(raw.error());
    writer_.raw(*raw);
  }
  return {};
}

Result<void> CanonicalRdb::begin() { return copy_chunks(map_.head()); }

void CanonicalRdb::begin_bare() { writer_.begin(); }

Result<void> CanonicalRdb::run(std::uint32_t ordinal, std::span<const std::byte> raw) {
  auto run = RunReader::open(raw, fmt::format("run {}", ordinal));
  if (!run) return std::unexpected(run.error());
  const RunTag tag = map_.run(ordinal);
  if (run->records() != tag.records) {
    return std::unexpected(Error{
        .stage = Stage::storage,
        .code = "corrupt",
        .message =
            fmt::format("{}: it holds {}", describe_run(backup_, map_, ordinal), run->records())});
  }
  Record some;
  while (run->next(some)) {
    if (auto written = record(tag.db, some); !written) return written;
  }
  return {};
}

Result<void> CanonicalRdb::record(std::uint64_t db, const Record& record) {
  if (db_ != db) {
    db_ = db;
    writer_.select_db(db);
    const auto keys = backup_.manifest.databases.find(db);
    if (header_.version >= version_with_sizes && keys != backup_.manifest.databases.end())
      writer_.resize_db(keys->second, 0);
  }
  const RunContext the_context = context(db);
  if (the_context.by_slot && record.key.size() < RunContext::slot_bytes) {
    return std::unexpected(Error{.stage = Stage::storage,
                                 .code = "corrupt",
                                 .message = "repository: a key without its slot"});
  }
  if (record.expire_at_ms) writer_.expire_at_ms(*record.expire_at_ms);
  if (record.idle_s) writer_.idle(*record.idle_s);
  if (record.freq) writer_.freq(*record.freq);
  writer_.raw(record.meta);
  writer_.record(record.type, the_context.key_of(record));
  if (record.fragmented) return long_value(record);
  writer_.raw(record.value);
  return {};
}

Result<void> CanonicalRdb::long_value(const Record& record) {
  if (auto read = read_fragment_list(record.value, "a long value", fragments_); !read) return read;
  for (const Fragment& fragment : fragments_.fragments) {
    const auto piece = chunks_.read(map_, fragment, record.key);
    if (!piece) return std::unexpected(piece.error());
    writer_.raw(*piece);
  }
  return {};
}

Result<void> CanonicalRdb::end(bool has_tail) {
  if (has_tail) {
    if (auto copied = copy_chunks(map_.tail()); !copied) return copied;
  }
  if (header_.version >= version_with_checksum) {
    writer_.end();
  } else {
    writer_.byte(opcode_eof);
    writer_.flush();
  }
  return {};
}

}  // namespace sluice::engine
