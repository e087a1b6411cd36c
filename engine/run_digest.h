#pragma once

#include <cstdint>
#include <string>

#include "engine/digest_reader.h"
#include "engine/fragment_list.h"
#include "engine/record.h"
#include "engine/run_reader.h"
#include "rdb/digest128.h"
#include "rdb/handler.h"
#include "rdb/value_type.h"

namespace sluice::engine {

/// How the keys of runs are to be understood.
struct RunContext {
  rdb::Header header;    ///< Of the RDB: decides what type numbers mean.
  std::uint64_t db = 0;  ///< Of the run.
  bool by_slot = false;  ///< Keys have two bytes of their slot before them.

  /// The key that a client knows.
  [[nodiscard]] std::span<const std::byte> key_of(const Record& record) const noexcept {
    return by_slot ? record.key.subspan(slot_bytes) : record.key;
  }
  /// As a parser would tell of it; the type is null when the dialect has none of that number.
  [[nodiscard]] rdb::RecordHeader header_of(const Record& record) const noexcept {
    return {.index = 0,
            .offset = 0,
            .db = db,
            .type = rdb::find_value_type(header.dialect, record.type),
            .value_offset = 0,
            .key = key_of(record),
            .expire_at_ms = record.expire_at_ms,
            .lru_idle_s = {},
            .lfu_freq = {},
            .key_meta = record.meta};
  }
  static constexpr std::size_t slot_bytes = 2;
};

/// Sums of digest terms (docs/digest.md) over the records of runs.
///
/// Memory:  as DigestReader. Threads: none; one at a time.
class RunDigest {
 public:
  struct Sum {
    rdb::Digest128 digest;
    std::uint64_t undecodable = 0;  ///< Records without a term; the sum is of no use then.
  };

  /// Adds one record of a run.
  void add(const Record& record, const RunContext& context, Sum& sum) {
    sum.digest += term(record, context, sum.undecodable);
  }

  /// Of all records of a run, from where `run` stands.
  [[nodiscard]] Sum of(RunReader& run, const RunContext& context);

  /// The sum of `result`, given that of `base`, which had no undecodable record: only what differs
  /// is read. Both from their first record.
  [[nodiscard]] Sum from(const rdb::Digest128& base_sum, RunReader& base, RunReader& result,
                         const RunContext& context);

  /// The first value that could not be decoded, its key and why; empty when there was none.
  [[nodiscard]] const std::string& first_problem() const noexcept {
    return reader_.first_problem().empty() ? problem_ : reader_.first_problem();
  }

 private:
  /// The terms of one record; adds to `undecodable` when it has none.
  [[nodiscard]] rdb::Digest128 term(const Record& record, const RunContext& context,
                                    std::uint64_t& undecodable);

  DigestReader reader_;
  FragmentList fragments_;
  std::string problem_;
};

}  // namespace sluice::engine
