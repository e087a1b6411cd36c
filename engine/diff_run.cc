#include "engine/diff_run.h"

#include <algorithm>
#include <cstring>
#include <set>
#include <utility>
#include <vector>

#include "engine/canonical_rdb.h"
#include "engine/errors.h"
#include "engine/run_choice.h"
#include "rdb/escape.h"

namespace sluice::engine {
namespace {

/// What two runs with the same records have in common.
using RunName = std::pair<std::uint32_t, storage::IdentityHalf>;

RunName name_of(const storage::Backup& stored, const CanonicalMap& map, std::uint32_t run) {
  return {map.run(run).db, stored.chunks[run].identity};
}

/// By position in the runs: those that the other backup has too. They hold the same keys, so both
/// cursors come to stand before them at the same time.
std::vector<bool> shared_runs(const PlaceBackup& place, const CanonicalMap& map,
                              const PlaceBackup& other, const CanonicalMap& other_map) {
  const ChunkRange runs = map.runs();
  const ChunkRange other_runs = other_map.runs();
  std::set<RunName> names;
  for (std::uint32_t i = other_runs.first; i < other_runs.end; ++i)
    names.insert(name_of(other.backup.stored, other_map, i));
  std::vector<bool> shared(runs.size());
  for (std::uint32_t i = runs.first; i < runs.end; ++i)
    shared[i - runs.first] = names.contains(name_of(place.backup.stored, map, i));
  return shared;
}

/// Whether equal runs of two backups are the same records, and are known by their identities.
bool is_same_repository(const PlaceBackup& a, const PlaceBackup& b) {
  return a.repository->id() == b.repository->id() &&
         a.backup.manifest.dialect == b.backup.manifest.dialect;
}

std::uint64_t raw_bytes(const PlaceBackup& place, ChunkRange runs) {
  std::uint64_t bytes = 0;
  for (std::uint32_t i = runs.first; i < runs.end; ++i)
    bytes += place.backup.stored.chunks[i].raw_bytes;
  return bytes;
}

/// What will most likely not be read: runs that both have, and those without a chosen key.
std::vector<bool> passed(std::vector<bool> chosen, const std::vector<bool>& shared) {
  chosen.flip();
  for (std::size_t i = 0; i < shared.size(); ++i) chosen[i] = chosen[i] || shared[i];
  return chosen;
}

std::vector<bool> chosen_runs(const PlaceBackup& place, const CanonicalMap& map,
                              const KeyChooser& chooser) {
  return choose_runs(map, place.backup.manifest.by_slot(), chooser);
}

std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

DiffRun::Side::Side(const PlaceBackup& place, const CanonicalMap& its_map,
                    std::vector<bool> its_chosen, const std::vector<bool>& shared)
    : map(its_map),
      chosen(std::move(its_chosen)),
      chunks(*place.repository, place.backup.stored),
      view(map, header_of(place.backup.manifest), place.backup.manifest.by_slot(), chunks),
      cursor(*place.repository, place.backup, map, map.runs(), passed(chosen, shared)) {}

std::span<const std::byte> DiffRun::Side::label() const {
  return cursor.before_run() ? map.label(cursor.ordinal()) : cursor.record().key;
}

/// Before it can be compared with anything but another run.
bool DiffRun::Side::needs_reading() const {
  return !cursor.done() && cursor.before_run() && is_cut(map.label(cursor.ordinal()));
}

bool DiffRun::Side::needs_passing() const {
  return !cursor.done() && cursor.before_run() && !chosen[cursor.ordinal() - map.runs().first];
}

bool DiffRun::Side::is_chosen(const KeyChooser& chooser) const {
  const rdb::ValueType* const type = view.type_of(cursor.record());
  if (type == nullptr) return true;  // for others to say what is wrong with it
  return chooser.takes(cursor.db(), view.key_of(cursor.record()), type->logical);
}

DiffRun::DiffRun(const PlaceBackup& a, const CanonicalMap& map_a, const PlaceBackup& b,
                 const CanonicalMap& map_b, const KeyChooser& chooser,
                 const OnDifference& on_difference)
    : chooser_(chooser),
      on_difference_(on_difference),
      same_repository_(is_same_repository(a, b)),
      place_a_(a),
      place_b_(b),
      a_(a, map_a, chosen_runs(a, map_a, chooser),
         skips() ? shared_with(a, map_a, b, map_b) : std::vector<bool>()),
      b_(b, map_b, chosen_runs(b, map_b, chooser),
         skips() ? shared_with(b, map_b, a, map_a) : std::vector<bool>()) {}

std::vector<bool> DiffRun::shared_with(const PlaceBackup& place, const CanonicalMap& map,
                                       const PlaceBackup& other,
                                       const CanonicalMap& other_map) const {
  return shared_runs(place, map, other, other_map);
}

/// The keys of a run that is not read cannot be matched, hence not counted.
bool DiffRun::skips() const { return same_repository_ && chooser_.by_database_alone(); }

Result<void> DiffRun::run(DiffResult& result, ProgressMeter& meter, const JobContext& job) {
  meter.set_phase("comparing");
  meter.set_total(raw_bytes(place_a_, a_.map.runs()) + raw_bytes(place_b_, b_.map.runs()));
  while (!a_.cursor.done() || !b_.cursor.done()) {
    if (job.stop.stop_requested()) return std::unexpected(cancelled());
    if (auto stepped = step(result); !stepped) return stepped;
    meter.update(a_.cursor.bytes_done() + b_.cursor.bytes_done(),
                 result.same + result.only_a + result.only_b + result.different);
  }
  return {};
}

bool DiffRun::at_shared_runs() const {
  return skips() && !a_.cursor.done() && !b_.cursor.done() && a_.cursor.before_run() &&
         b_.cursor.before_run() &&
         name_of(place_a_.backup.stored, a_.map, a_.cursor.ordinal()) ==
             name_of(place_b_.backup.stored, b_.map, b_.cursor.ordinal());
}

/// Of where the two stand. Precondition: neither needs reading, and not both are done.
std::strong_ordering DiffRun::order() const {
  if (a_.cursor.done()) return std::strong_ordering::greater;
  if (b_.cursor.done()) return std::strong_ordering::less;
  const auto dbs = a_.cursor.db() <=> b_.cursor.db();
  return dbs != 0 ? dbs : compare_labels(a_.label(), b_.label());
}

Result<void> DiffRun::step(DiffResult& result) {
  if (a_.needs_passing()) {
    ++result.runs_skipped;
    a_.cursor.pass();
    return {};
  }
  if (b_.needs_passing()) {
    b_.cursor.pass();
    return {};
  }
  if (at_shared_runs()) {
    result.same += a_.map.run(a_.cursor.ordinal()).records;
    ++result.runs_skipped;
    a_.cursor.pass();
    b_.cursor.pass();
    return {};
  }
  if (a_.needs_reading()) return a_.cursor.read();
  if (b_.needs_reading()) return b_.cursor.read();
  const auto which = order();
  // A run that begins later waits: the other may come to stand before the same one.
  if (which <= 0 && a_.cursor.before_run()) return a_.cursor.read();
  if (which >= 0 && b_.cursor.before_run()) return b_.cursor.read();
  if (which < 0) return tell_one(a_, KeyDifference::Change::only_a, result.only_a);
  if (which > 0) return tell_one(b_, KeyDifference::Change::only_b, result.only_b);
  return tell_both(result);
}

KeyDifference DiffRun::about(const Side& side) const {
  const auto key = side.view.key_of(side.cursor.record());
  KeyDifference difference;
  difference.db = side.cursor.db();
  difference.key = text_of(key);
  difference.shown_key = rdb::escape(key, key.size());
  return difference;
}

Result<void> DiffRun::tell(const KeyDifference& difference) const {
  if (!on_difference_ || on_difference_(difference)) return {};
  return std::unexpected(Error{.stage = Stage::engine,
                               .code = "stopped",
                               .message = "the differences are not wanted any more"});
}

Result<void> DiffRun::tell_one(Side& side, KeyDifference::Change change, std::uint64_t& count) {
  if (side.is_chosen(chooser_)) {
    ++count;
    const Record& record = side.cursor.record();
    auto type = side.view.type_name(record);
    if (!type) return std::unexpected(type.error());
    KeyDifference difference = about(side);
    const bool in_a = change == KeyDifference::Change::only_a;
    difference.change = change;
    (in_a ? difference.type_a : difference.type_b) = *std::move(type);
    (in_a ? difference.expire_at_ms_a : difference.expire_at_ms_b) = RecordView::expiry(record);
    if (auto told = tell(difference); !told) return told;
  }
  side.cursor.advance();
  return {};
}

Result<void> DiffRun::tell_both(DiffResult& result) {
  const Record& a = a_.cursor.record();
  const Record& b = b_.cursor.record();
  if (a_.is_chosen(chooser_) || b_.is_chosen(chooser_)) {
    const auto change = compare_records(a_.cursor.db(), a_.view, a, b_.view, b, same_repository_);
    if (!change) return std::unexpected(change.error());
    ++(change->any() ? result.different : result.same);
    if (change->any()) {
      auto type_a = a_.view.type_name(a);
      if (!type_a) return std::unexpected(type_a.error());
      auto type_b = b_.view.type_name(b);
      if (!type_b) return std::unexpected(type_b.error());
      KeyDifference difference = about(a_);
      difference.value = change->value;
      difference.ttl = change->ttl;
      difference.type = change->type || *type_a != *type_b;
      difference.type_a = *std::move(type_a);
      difference.type_b = *std::move(type_b);
      difference.expire_at_ms_a = RecordView::expiry(a);
      difference.expire_at_ms_b = RecordView::expiry(b);
      if (auto told = tell(difference); !told) return told;
    }
  }
  a_.cursor.advance();
  b_.cursor.advance();
  return {};
}

}  // namespace sluice::engine
