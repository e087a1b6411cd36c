#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "engine/chosen_read.h"
#include "engine/filter_stream.h"
#include "engine/manifest.h"
#include "engine/repository_access.h"
#include "engine/restore_ledger.h"
#include "rdb/parser.h"
#include "sluice/filter.h"
#include "sluice/job.h"
#include "sluice/restore.h"
#include "sluice/result.h"
#include "storage/repository.h"

namespace sluice::engine {

/// Counts what a filter leaves out in a restore's ledger.
class LedgerTally final : public FilterTally {
 public:
  explicit LedgerTally(RestoreLedger& ledger) : ledger_(ledger) {}
  void left_out(rdb::LogicalType type) override {
    ledger_.count_read(type);
    ledger_.count_filtered(type);
  }
  void refused(rdb::LogicalType type, std::uint64_t db, std::span<const std::byte> key,
               std::string_view why) override {
    ledger_.count_read(type);
    ledger_.count_failed(type, db, key, why);
  }

 private:
  RestoreLedger& ledger_;
};

/// What of a backup a restore takes: between the parser and the stream that restores.
///
/// Threads: one at a time. Lifetime: what it is made of must outlive it.
class RestoreFilter {
 public:
  /// `next` takes what goes to the target; `tally` is told what does not. `now_ms`: Unix time, by
  /// which TtlMode::shift reckons.
  RestoreFilter(const Filter& filter, const KeyChooser& chooser, const OpenBackup& backup,
                rdb::Handler& next, FilterTally& tally, std::int64_t now_ms);

  /// The handler for the parser.
  [[nodiscard]] rdb::Handler& entry() noexcept;
  /// Reads what is needed, and has `parser` parse it to the end. Errors: as read_chosen().
  [[nodiscard]] Result<void> read(const storage::Repository& repository, rdb::Parser& parser,
                                  const JobContext& job,
                                  const std::function<Result<void>()>& on_chunk);

  /// Whether all of the backup comes from the parser, so that it can be compared with the manifest.
  [[nodiscard]] bool reads_all() const noexcept;
  /// Counts and notes that are the filter's.
  void report(RestoreResult& result) const;

 private:
  const Filter& filter_;
  const KeyChooser& chooser_;
  const OpenBackup& backup_;
  rdb::Handler& next_;
  FilterStream stream_;
  ChosenRead read_;
};

/// Databases of a source that have keys, and how many.
using DatabaseKeys = std::map<std::uint64_t, std::uint64_t>;

/// Whether keys of several databases, of those that are chosen and in the source, go to one.
[[nodiscard]] bool merges_databases(const Filter& filter, const KeyChooser& chooser,
                                    const DatabaseKeys& databases);
/// Refuses what could lose keys without a word. Errors: "bad_option".
[[nodiscard]] Result<void> check_mapping(const Filter& filter, const KeyChooser& chooser,
                                         const DatabaseKeys& databases, OnConflict policy);
/// Says what a filter does that may not be expected. The counts are in `result` already;
/// `functions` are those of the source.
void add_filter_notes(const Filter& filter, const KeyChooser& chooser,
                      const DatabaseKeys& databases, std::uint64_t functions,
                      RestoreResult& result);

}  // namespace sluice::engine
