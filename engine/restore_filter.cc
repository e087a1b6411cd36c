#include "engine/restore_filter.h"

#include <fmt/format.h>

#include <set>

namespace sluice::engine {
namespace {

/// When the source began to save, if it is not the RDB that says so. A file was imported at some
/// time that means nothing.
std::optional<std::int64_t> saved_ms(const Manifest& manifest) {
  if (manifest.source.uri.starts_with("file:")) return std::nullopt;
  return manifest.started_at_ms;
}

}  // namespace

RestoreFilter::RestoreFilter(const Filter& filter, const KeyChooser& chooser,
                             const OpenBackup& backup, rdb::Handler& next, FilterTally& tally,
                             std::int64_t now_ms)
    : filter_(filter),
      chooser_(chooser),
      backup_(backup),
      next_(next),
      stream_(filter, chooser, {.now_ms = now_ms, .saved_ms = saved_ms(backup.manifest)}, next,
              tally) {}

rdb::Handler& RestoreFilter::entry() noexcept {
  if (filter_.empty()) return next_;
  return stream_;
}

Result<void> RestoreFilter::read(const storage::Repository& repository, rdb::Parser& parser,
                                 const JobContext& job,
                                 const std::function<Result<void>()>& on_chunk) {
  auto read = read_chosen(repository, backup_, stream_, parser, job, on_chunk);
  if (!read) return std::unexpected(read.error());
  read_ = *read;
  return {};
}

bool RestoreFilter::reads_all() const noexcept {
  return chooser_.takes_all() || backup_.manifest.layout != Manifest::layout_canonical;
}

void RestoreFilter::report(RestoreResult& result) const {
  result.unread = read_.unread;
  result.runs_skipped = read_.runs_skipped;
  result.chunks_read = read_.chunks_read;
  add_filter_notes(filter_, chooser_, backup_.manifest.databases, backup_.manifest.functions,
                   result);
}

void add_filter_notes(const Filter& filter, const KeyChooser& chooser,
                      const DatabaseKeys& databases, std::uint64_t functions,
                      RestoreResult& result) {
  if (!filter.takes_functions() && functions > 0) {
    result.notes.push_back(
        fmt::format("{} function librar{} left out, since keys were chosen: --functions takes them",
                    functions, functions == 1 ? "y was" : "ies were"));
  }
  if (merges_databases(filter, chooser, databases) &&
      result.total.failed + result.total.skipped > 0) {
    result.notes.emplace_back(
        "of a key that several of the databases have which go to one, the first is written; the "
        "others are skipped, or fail with BUSYKEY");
  }
}

bool merges_databases(const Filter& filter, const KeyChooser& chooser,
                      const DatabaseKeys& databases) {
  std::set<std::uint64_t> targets;
  for (const auto& [db, keys] : databases) {
    if (keys == 0 || !chooser.takes_database(db)) continue;
    const auto mapped = filter.databases.find(db);
    if (!targets.insert(mapped == filter.databases.end() ? db : mapped->second).second) return true;
  }
  return false;
}

Result<void> check_mapping(const Filter& filter, const KeyChooser& chooser,
                           const DatabaseKeys& databases, OnConflict policy) {
  if (policy != OnConflict::replace || !merges_databases(filter, chooser, databases)) return {};
  return std::unexpected(
      Error{.stage = Stage::usage,
            .code = "bad_option",
            .message = "several databases go to one, and with --on-conflict replace a key that two "
                       "of them have would be lost without a word: restore one database after the "
                       "other (--db), or say --on-conflict skip"});
}

}  // namespace sluice::engine
