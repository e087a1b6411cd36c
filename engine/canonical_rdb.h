#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/canonical_map.h"
#include "engine/fragment_list.h"
#include "engine/record.h"
#include "engine/repository_access.h"
#include "engine/run_digest.h"
#include "engine/run_reader.h"
#include "engine/side_reader.h"
#include "rdb/writer.h"
#include "sluice/result.h"
#include "storage/repository.h"

namespace sluice::engine {

/// Makes an RDB of a backup in canonical layout, or of some of its records:
///
///     auto rdb = CanonicalRdb::open(repository, backup, sink);
///     rdb->begin();
///     rdb->run(ordinal, raw);  …  rdb->record(db, record);   // in the order of the backup
///     rdb->end();
///
/// The RDB has the version that the source wrote, its aux fields, functions and module aux data,
/// and a checksum of its own. What a server writes again by itself (sizes of databases apart, slot
/// info) is not in it.
/// Memory:   192 KiB, and a ChunkReader once a long value is met, for its fragments.
/// Errors:   the archive's: a chunk that cannot be read, named; "corrupt".
/// Threads:  one at a time. Lifetime: `backup` must outlive it.
class CanonicalRdb {
 public:
  using Sink = rdb::Writer::Sink;

  [[nodiscard]] static Result<std::unique_ptr<CanonicalRdb>> open(
      const storage::Repository& repository, const OpenBackup& backup, Sink sink);
  CanonicalRdb(const storage::Repository& repository, const OpenBackup& backup, CanonicalMap map,
               const rdb::Header& header, Sink sink);

  [[nodiscard]] const CanonicalMap& map() const noexcept { return map_; }
  [[nodiscard]] RunContext context(std::uint64_t db) const noexcept;

  /// For those who look for a record: what it reads, it reads with this. What came from it is not
  /// valid any more once one of the calls below was made.
  [[nodiscard]] SideReader& chunks() noexcept { return chunks_; }

  /// What comes before the first record.
  [[nodiscard]] Result<void> begin();
  /// The magic alone, in the place of begin(): enough for who wants a record, or a few.
  void begin_bare();
  /// All records of a run; `raw` is the chunk.
  [[nodiscard]] Result<void> run(std::uint32_t ordinal, std::span<const std::byte> raw);
  /// One record of a run in `db`.
  [[nodiscard]] Result<void> record(std::uint64_t db, const Record& record);
  /// What comes after the last one, unless that is lost, and the checksum.
  [[nodiscard]] Result<void> end(bool has_tail = true);
  /// Hands on what is still held here, in the place of end().
  void flush() { writer_.flush(); }

 private:
  Result<void> copy_chunks(ChunkRange chunks);
  Result<void> long_value(const Record& record);
  const OpenBackup& backup_;
  CanonicalMap map_;
  rdb::Header header_;
  rdb::Writer writer_;
  SideReader chunks_;  // of preambles and fragments
  FragmentList fragments_;
  std::optional<std::uint64_t> db_;  // selected
};

/// What a backup's manifest says of the version of its RDB.
[[nodiscard]] rdb::Header header_of(const Manifest& manifest) noexcept;

/// A label as a person reads it: escaped, cut at 64 bytes, without its slot.
[[nodiscard]] std::string shown_key(std::span<const std::byte> label, const Manifest& manifest);

/// "backup ID: run 12, db 0, keys from "a" to "b"", for messages: keys escaped, cut at 64 bytes.
[[nodiscard]] std::string describe_run(const OpenBackup& backup, const CanonicalMap& map,
                                       std::uint32_t ordinal);

}  // namespace sluice::engine
