#include "engine/backup_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <utility>

#include "engine/canonical_rdb.h"
#include "engine/crew.h"
#include "engine/errors.h"
#include "storage/checksum.h"

namespace sluice::engine {

BackupCheck::BackupCheck(Setting setting, const JobContext& job)
    : setting_(std::move(setting)),
      job_(job),
      context_{.repository = setting_.repository,
               .backup = setting_.backup,
               .map = nullptr,
               .level = setting_.level,
               .findings = &findings_,
               .stop = job.stop,
               .bytes = &raw_bytes_,
               .keys = &keys_} {}

bool BackupCheck::is_stream() const noexcept {
  return setting_.backup->manifest.layout == Manifest::layout_stream;
}

void BackupCheck::tell(std::string what) {
  findings_.add({.message = "backup " + setting_.backup->stored.key.id + ": " + std::move(what)});
}

void BackupCheck::fail(const Error& error) {
  const std::lock_guard guard(mutex_);
  if (!error_ && error.code != "cancelled") error_ = error;
}

void BackupCheck::know_chunks() {
  const std::string& layout = setting_.backup->manifest.layout;
  if (is_stream() || setting_.repository->is_locked()) return;  // none are known without the key
  if (layout != Manifest::layout_canonical) {
    tell("layout \"" + layout + "\" is unknown to this sluice: use a newer one");
    return;
  }
  auto map = CanonicalMap::of(setting_.backup->stored);
  if (!map) {
    findings_.add({.message = map.error().message});
    return;
  }
  map_ = *std::move(map);
  context_.map = &*map_;
}

void BackupCheck::plan_passes() {
  if (setting_.level < VerifyLevel::decoded) return;
  if (is_stream() && setting_.level >= VerifyLevel::parsed) {
    stream_ = std::make_unique<StreamCheck>(context_);
  } else if (setting_.resume) {
    pass_ = std::make_unique<ChunkPass>(context_, setting_.threads, setting_.resume->next_chunk,
                                        setting_.resume->damaged, setting_.resume->sums);
  } else {
    pass_ = std::make_unique<ChunkPass>(context_, setting_.threads);
  }
}

void BackupCheck::tell_stored(const storage::Problem& problem) {
  CheckFinding finding{.message = from_storage(problem.error).message,
                       .object = problem.object,
                       .pack = problem.pack,
                       .offset = problem.offset,
                       .chunks = problem.chunks};
  finding.is_stored = true;
  findings_.add(std::move(finding));
}

void BackupCheck::check_stored() {
  const auto& packs = setting_.backup->stored.packs;
  const auto position_of = [&packs](const storage::PackRef& pack) {
    return static_cast<std::uint32_t>(&pack - packs.data());
  };
  storage::CheckOptions options{.level = setting_.level == VerifyLevel::list
                                             ? storage::CheckLevel::listed
                                             : storage::CheckLevel::stored};
  options.threads = setting_.level == VerifyLevel::stored ? setting_.threads : 1;
  options.stop = job_.stop;
  options.progress = &pack_bytes_;
  options.skip = [&](const storage::PackRef& pack) {
    return setting_.sound_packs->contains(pack) ||
           (setting_.resume && setting_.resume->has_pack(position_of(pack)));
  };
  std::vector<const storage::PackRef*> sound;
  options.on_pack = [&](const storage::PackRef& pack, bool is_sound) {
    if (is_sound) sound.push_back(&pack);
  };
  const auto stats = setting_.repository->check_backup(
      setting_.backup->stored, [this](const storage::Problem& problem) { tell_stored(problem); },
      options);
  for (const storage::PackRef* pack : sound) {
    setting_.sound_packs->insert(*pack);
    packs_done_.insert(position_of(*pack));
  }
  if (stats)
    stored_bytes_ = stats->bytes;
  else if (!job_.stop.stop_requested())
    fail(from_storage(stats.error()));
}

/// What one thread does: the stored bytes first, in one of them, then chunks.
void BackupCheck::work(bool is_first) {
  if (is_first) check_stored();
  if (pass_) {
    pass_->work();
    if (pass_->error()) fail(*pass_->error());
  }
}

Result<void> BackupCheck::run(ProgressMeter& meter) {
  know_chunks();
  plan_passes();
  std::vector<std::function<void()>> jobs{[this] { work(true); }};
  if (stream_) {
    jobs.emplace_back([this] {
      if (const auto read = stream_->run(); !read) fail(read.error());
    });
  }
  for (unsigned i = 1; pass_ && i < setting_.threads; ++i)
    jobs.emplace_back([this] { work(false); });
  const storage::Backup& stored = setting_.backup->stored;
  std::uint64_t pack_bytes = 0;
  for (const storage::PackRef& pack : stored.packs) pack_bytes += pack.file_bytes;
  const bool shows_chunks = setting_.level >= VerifyLevel::decoded;
  meter.set_phase((shows_chunks ? "reading " : "reading objects of ") + stored.key.id);
  meter.set_total(shows_chunks ? stored.raw_bytes : pack_bytes);
  const std::uint64_t before = setting_.resume ? setting_.resume->sums.raw_bytes : 0;
  run_crew(jobs,
           [&] { meter.update(shows_chunks ? before + raw_bytes_ : pack_bytes_.load(), keys_); });
  if (error_) return std::unexpected(*error_);
  if (job_.stop.stop_requested()) return std::unexpected(cancelled());
  if (map_ && setting_.level >= VerifyLevel::parsed) {
    compare_preamble();
    if (pass_->damaged().empty()) compare_totals();
  }
  if (stream_) digest_ = stream_->digest();
  return {};
}

/// What comes before and after the records: an RDB without any.
void BackupCheck::compare_preamble() {
  const auto damaged = pass_->damaged();
  for (const ChunkRange range : {map_->head(), map_->tail()}) {
    const auto found = std::ranges::lower_bound(damaged, range.first);
    if (found != damaged.end() && *found < range.end) return;  // told already
  }
  StreamFacts facts;
  rdb::Parser parser(facts);
  std::string problem;
  auto rdb = CanonicalRdb::open(*setting_.repository, *setting_.backup,
                                [&](std::span<const std::byte> bytes) {
                                  const auto fed = parser.feed(bytes);
                                  if (!fed && problem.empty())
                                    problem = rdb::to_string(fed.error());
                                });
  if (!rdb) return tell(rdb.error().message);
  auto written = (*rdb)->begin();
  if (written) written = (*rdb)->end();
  if (!written) return tell(written.error().message);
  if (const auto ended = parser.finish(); !ended && problem.empty())
    problem = rdb::to_string(ended.error());
  if (!problem.empty()) return tell("what comes before and after its records: " + problem);
  const Manifest& manifest = setting_.backup->manifest;
  Manifest seen;
  take_facts(seen, facts);
  if (seen.dialect != manifest.dialect || seen.source.rdb_version != manifest.source.rdb_version)
    tell("the RDB version differs from what the manifest says");
  if (seen.functions != manifest.functions) tell("the count of function libraries differs");
  if (seen.module_aux != manifest.module_aux) tell("the count of module aux data differs");
  if (seen.aux != manifest.aux) tell("the aux fields differ");
}

/// The sums over all runs. Only where no run is missing in them.
void BackupCheck::compare_totals() {
  const Manifest& manifest = setting_.backup->manifest;
  const ChunkSums& sums = pass_->sums();
  const auto compare = [this](std::string_view what, std::uint64_t listed, std::uint64_t read) {
    if (listed != read)
      tell(fmt::format("{}: the manifest says {}, the data hold {}", what, listed, read));
  };
  compare("keys", manifest.keys, sums.keys);
  compare("long values", manifest.long_values.size(), sums.long_values);
  std::map<std::string, std::uint64_t> types;
  for (std::size_t i = 0; i < sums.types.size(); ++i) {
    if (sums.types[i] > 0)
      types.emplace(to_string(static_cast<rdb::LogicalType>(i)), sums.types[i]);
  }
  if (types != manifest.types) tell("the counts by type differ from what the manifest says");
  if (sums.databases != manifest.databases)
    tell("the counts by database differ from what the manifest says");
  if (setting_.level < VerifyLevel::digest) return;
  compare("values that cannot be decoded", manifest.undecodable, sums.undecodable);
  if (sums.undecodable > 0) return;
  digest_ = rdb::to_string(sums.digest);
  const bool comparable = manifest.digest && rdb::is_current_digest(*manifest.digest);
  if (comparable && digest_ != manifest.digest)
    tell(fmt::format("digest: the manifest says {}, the data hold {}", *manifest.digest, *digest_));
}

void BackupCheck::describe(VerifyResult& result) const {
  result.stored_bytes = stored_bytes_;
  result.digest = digest_;
  const ChunkSums none;
  const ChunkSums& sums = pass_ ? pass_->sums() : stream_ ? stream_->sums() : none;
  result.chunks = sums.chunks;
  result.raw_bytes = sums.raw_bytes;
  result.keys = sums.keys;
}

std::optional<CheckProgress> BackupCheck::progress() const {
  CheckProgress progress{.level = setting_.level,
                         .manifest = storage::to_hex(setting_.backup->stored.manifest_digest),
                         .next_chunk = 0,
                         .damaged = {},
                         .sums = {},
                         .packs = {}};
  const auto size = static_cast<std::uint32_t>(setting_.backup->stored.packs.size());
  for (std::uint32_t i = 0; i < size; ++i) {
    if (packs_done_.contains(i) || (setting_.resume && setting_.resume->has_pack(i)))
      progress.add_pack(i);
  }
  if (pass_) {
    progress.next_chunk = pass_->next_chunk();
    progress.damaged = pass_->damaged();
    progress.sums = pass_->sums();
  }
  if (progress.damaged.size() > CheckProgress::damaged_max) return std::nullopt;
  if (progress.next_chunk == 0 && progress.packs.empty()) return std::nullopt;
  return progress;
}

}  // namespace sluice::engine
