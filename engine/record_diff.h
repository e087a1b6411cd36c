#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "engine/canonical_map.h"
#include "engine/digest_reader.h"
#include "engine/fragment_list.h"
#include "engine/record.h"
#include "engine/run_digest.h"
#include "engine/side_reader.h"
#include "rdb/digest128.h"
#include "rdb/value_type.h"
#include "sluice/result.h"

namespace sluice::engine {

/// How the records of a backup are to be understood, and where their long values lie.
///
/// Memory:   a DigestReader's, and a ChunkReader's once a long value is read.
/// Threads:  one at a time. Lifetime: what it is made of must outlive it.
class RecordView {
 public:
  RecordView(const CanonicalMap& map, const rdb::Header& header, bool by_slot, SideReader& chunks)
      : map_(map), context_{.header = header, .by_slot = by_slot}, chunks_(chunks) {}

  /// The key that a client knows.
  [[nodiscard]] std::span<const std::byte> key_of(const Record& record) const noexcept;
  [[nodiscard]] rdb::Dialect dialect() const noexcept { return context_.header.dialect; }
  /// Null when the dialect has no such type.
  [[nodiscard]] const rdb::ValueType* type_of(const Record& record) const noexcept;
  /// As in JSON lines. Errors: a piece of the value that cannot be read.
  [[nodiscard]] Result<std::string> type_name(const Record& record);
  /// Serialised, without the type byte. Errors: "corrupt".
  [[nodiscard]] Result<std::uint64_t> value_bytes(const Record& record);
  /// When the key expires: what servers take for "never" is none.
  [[nodiscard]] static std::optional<std::int64_t> expiry(const Record& record) noexcept;

  /// The sum of the digest terms of a record (docs/digest.md); none when it cannot be decoded.
  [[nodiscard]] Result<std::optional<rdb::Digest128>> terms(std::uint64_t db, const Record& record);
  /// The same of the record as if it never expired: equal for equal values.
  [[nodiscard]] Result<std::optional<rdb::Digest128>> value_terms(std::uint64_t db,
                                                                  const Record& record);

 private:
  [[nodiscard]] Result<std::optional<rdb::Digest128>> digest(
      std::uint64_t db, const Record& record, std::optional<std::int64_t> expire_at_ms);

  const CanonicalMap& map_;
  RunContext context_;
  SideReader& chunks_;
  DigestReader digest_;
  FragmentList list_;
};

/// What differs between two records of one key.
struct RecordChange {
  bool value = false;
  bool ttl = false;
  bool type = false;

  [[nodiscard]] bool any() const noexcept { return value || ttl || type; }
};

/// Compares two records of one key in `db` by what a client sees: two encodings of one value are
/// the same. A value that cannot be decoded is the same only byte for byte; a long one within one
/// repository only. `same_repository`: the pieces of long values are known by their identities.
/// Errors: those of reading the pieces.
[[nodiscard]] Result<RecordChange> compare_records(std::uint64_t db, RecordView& view_a,
                                                   const Record& a, RecordView& view_b,
                                                   const Record& b, bool same_repository);

}  // namespace sluice::engine
