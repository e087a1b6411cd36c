#include "engine/chosen_read.h"

#include <memory>
#include <string>
#include <utility>

#include "engine/backup_stream.h"
#include "engine/canonical_rdb.h"
#include "engine/errors.h"
#include "engine/run_choice.h"
#include "engine/run_cursor.h"

namespace sluice::engine {
namespace {

/// One reading of a backup in canonical layout.
class ChosenRun {
 public:
  ChosenRun(const OpenBackup& backup, FilterStream& filter, CanonicalRdb& rdb)
      : filter_(filter),
        rdb_(rdb),
        chosen_(choose_runs(rdb.map(), backup.manifest.by_slot(), filter.chooser())) {}

  [[nodiscard]] std::vector<bool> passed() const {
    std::vector<bool> passed = chosen_;
    passed.flip();
    return passed;
  }
  [[nodiscard]] const ChosenRead& counts() const noexcept { return counts_; }

  Result<void> step(RunCursor& cursor) {
    if (!cursor.before_run()) return take(cursor);
    const std::uint32_t position = cursor.ordinal() - rdb_.map().runs().first;
    if (chosen_[position]) {
      ++counts_.chunks_read;
      return cursor.read();
    }
    const std::uint32_t records = rdb_.map().run(cursor.ordinal()).records;
    ++counts_.runs_skipped;
    counts_.unread += records;
    index_ += records;
    cursor.pass();
    return {};
  }

 private:
  Result<void> take(RunCursor& cursor) {
    const RunContext context = rdb_.context(cursor.db());
    const Record& record = cursor.record();
    if (context.by_slot && record.key.size() < RunContext::slot_bytes)
      return rdb_.record(cursor.db(), record);  // which knows what to say
    const auto header = context.header_of(record);
    const bool is_known = header.type != nullptr;
    const std::uint64_t index = index_++;
    Result<void> done;
    if (is_known && !filter_.chooser().takes(header.db, header.key, header.type->logical)) {
      filter_.pass_over(header.type->logical);
    } else {
      filter_.expect(index);
      done = rdb_.record(cursor.db(), record);
    }
    cursor.advance();
    return done;
  }

  FilterStream& filter_;
  CanonicalRdb& rdb_;
  std::vector<bool> chosen_;
  std::uint64_t index_ = 0;
  ChosenRead counts_;
};

Result<ChosenRead> read_canonical(const storage::Repository& repository, const OpenBackup& backup,
                                  FilterStream& filter, rdb::Parser& parser, const JobContext& job,
                                  const std::function<Result<void>()>& on_chunk) {
  const std::string what = "backup " + backup.stored.key.id;
  Result<void> taken;
  auto rdb = CanonicalRdb::open(repository, backup, [&](std::span<const std::byte> bytes) {
    if (taken) taken = feed_parser(parser, bytes, what);
    if (taken && on_chunk) taken = on_chunk();
  });
  if (!rdb) return std::unexpected(rdb.error());
  const auto checked = [&taken](Result<void> done) { return taken ? std::move(done) : taken; };
  if (auto begun = checked((*rdb)->begin()); !begun) return std::unexpected(begun.error());
  ChosenRun run(backup, filter, **rdb);
  RunCursor cursor(repository, backup, (*rdb)->map(), (*rdb)->map().runs(), run.passed());
  while (!cursor.done()) {
    if (job.stop.stop_requested()) return std::unexpected(cancelled());
    if (auto stepped = checked(run.step(cursor)); !stepped) return std::unexpected(stepped.error());
  }
  if (auto ended = checked((*rdb)->end()); !ended) return std::unexpected(ended.error());
  ChosenRead counts = run.counts();
  counts.chunks_read += (*rdb)->chunks().reads();
  return counts;
}

}  // namespace

Result<ChosenRead> read_chosen(const storage::Repository& repository, const OpenBackup& backup,
                               FilterStream& filter, rdb::Parser& parser, const JobContext& job,
                               const std::function<Result<void>()>& on_chunk) {
  const auto reason = [&filter](const Error& error) { return filter.error().value_or(error); };
  if (backup.manifest.layout != Manifest::layout_canonical || filter.chooser().takes_all()) {
    if (auto read = read_back(repository, backup, parser, job, on_chunk); !read)
      return std::unexpected(reason(read.error()));
    return ChosenRead{.chunks_read = backup.stored.chunks.size()};
  }
  auto read = read_canonical(repository, backup, filter, parser, job, on_chunk);
  if (!read) return std::unexpected(reason(read.error()));
  if (auto ended = parser.finish(); !ended)
    return std::unexpected(from_rdb(ended.error(), "backup " + backup.stored.key.id));
  return read;
}

}  // namespace sluice::engine
