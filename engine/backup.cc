#include "sluice/backup.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <memory>
#include <thread>

#include "engine/backup_plan.h"
#include "engine/canonical_ingest.h"
#include "engine/clock.h"
#include "engine/cluster_source.h"
#include "engine/errors.h"
#include "engine/file_input.h"
#include "engine/manifest.h"
#include "engine/progress_meter.h"
#include "engine/repository_access.h"
#include "engine/snapshot_source.h"
#include "engine/stream_ingest.h"
#include "rdb/escape.h"
#include "storage/backup_id.h"

namespace sluice {
namespace {

/// The time in the backup's id: what list shows, --from and INSTANCE@TIME go by.
std::int64_t started_at_ms(const storage::BackupKey& key) {
  const auto id = storage::parse_backup_id(key.id);
  return id ? static_cast<std::int64_t>(id->time_ms) : 0;
}

void tell_cleared(const storage::Cleared& cleared, const engine::ProgressMeter& meter) {
  if (cleared.stray_packs > 0) {
    meter.notice(
        fmt::format("{} pack(s) belong to no backup that is here; they were left alone: was "
                    "a folder of instances/ moved away?",
                    cleared.stray_packs));
  }
  if (cleared.backups.empty() && cleared.packs == 0) return;
  meter.notice(fmt::format("cleared what {} interrupted backup(s) had left: {} pack(s), {} bytes",
                           cleared.backups.size(), cleared.packs, cleared.bytes));
}

/// A file may go on after its RDB (an AOF does); what a server announces as its snapshot may not. A
/// damaged version in the header could otherwise hide that the checksum was never looked at.
Result<void> judge_trailing(std::uint64_t bytes, bool from_server,
                            const engine::ProgressMeter& meter) {
  if (bytes == 0) return {};
  if (from_server) {
    return std::unexpected(
        Error{.stage = Stage::rdb,
              .code = "trailing_bytes",
              .message = fmt::format("the snapshot goes on for {} bytes after its end: it was "
                                     "damaged on the way; run this again",
                                     bytes)});
  }
  meter.notice(fmt::format("{} bytes after the end of the RDB are not part of the backup", bytes));
  return {};
}

/// The bytes are kept as they came, so the backup is as good as its source.
void tell_undecodable(const engine::DigestOutcome& digest, const engine::ProgressMeter& meter) {
  if (digest.undecodable == 0) return;
  meter.notice(
      fmt::format("{} value(s) cannot be decoded, so this backup has no digest; the first: {}",
                  digest.undecodable, digest.first_problem));
}

/// Its data are stored again, so this backup does not suffer; but whoever has it should know.
void tell_damaged_parent(const engine::RunCounts& counts, const std::string& parent,
                         const engine::ProgressMeter& meter) {
  if (counts.damaged_parent == 0) return;
  meter.notice(
      fmt::format("{} run(s) of backup {} cannot be read and were stored anew; verify it; "
                  "the first: {}",
                  counts.damaged_parent, parent, counts.first_damage));
}

/// What a file knows of the server that wrote it.
void complete_from_aux(BackupSource& source, const engine::StreamFacts& facts) {
  if (source.version.empty()) {
    for (const std::string_view server : {"redis", "valkey"}) {
      const std::string version = facts.aux(std::string(server) + "-ver");
      if (version.empty()) continue;
      source.server = server;
      source.version = version;
    }
  }
  if (source.replid.empty()) {
    source.replid = facts.aux("repl-id");
    const std::string offset = facts.aux("repl-offset");
    std::from_chars(offset.data(), offset.data() + offset.size(), source.offset);
  }
}

Result<BackupSummary> commit(storage::Repository& repository, storage::BackupWriter& writer,
                             const engine::Manifest& manifest) {
  const std::string text = engine::encode(manifest);
  // What cannot be read back must not be listed.
  if (auto read = engine::decode_manifest(text, writer.key().id); !read) {
    return std::unexpected(read.error());
  }
  auto committed = writer.commit(text);
  if (!committed) return std::unexpected(engine::from_storage(committed.error()));
  return engine::summarize(repository, committed->key, manifest, committed->stats.stored_bytes,
                           committed->stats.file_bytes);
}

/// One backup under way.
class BackupRun {
 public:
  BackupRun(const BackupOptions& options, const JobContext& job)
      : options_(options), job_(job), meter_(job) {}

  Result<BackupSummary> run() {
    if (options_.server.cluster && from_server()) return run_cluster();
    if (auto ready = prepare(); !ready) return std::unexpected(ready.error());
    const engine::SnapshotConsumer consumer{
        .consume = [this](std::span<const std::byte> bytes) -> Result<void> {
          auto fed = ingest_->feed(bytes);
          tell();
          return fed;
        },
        .idle = [this] { tell(); },
        .begin = [this](bool from_cluster_node) { return begin(from_cluster_node); },
        .pressure = [this](bool is_behind) { ingest_->set_behind(is_behind); }};
    auto origin = engine::read_snapshot(options_, consumer, meter_, job_);
    if (!origin) return std::unexpected(origin.error());
    if (auto stored = finish(); !stored) return std::unexpected(stored.error());
    return publish(*std::move(origin));
  }

 private:
  Result<BackupSummary> run_cluster() {
    if (auto fits = refuse_stream_layout(); !fits) return std::unexpected(fits.error());
    if (auto ready = prepare(); !ready) return std::unexpected(ready.error());
    const engine::ClusterConsumer consumer{
        .begin = [this](const net::Topology& topology) { return begin_shards(topology); },
        .consume = [this](std::size_t shard, std::span<const std::byte> bytes) -> Result<void> {
          auto fed = canonical_->feed(shard, bytes);
          tell();
          return fed;
        },
        .idle = [this] { tell(); },
        .pressure = [this](bool is_behind) { ingest_->set_behind(is_behind); }};
    auto origin = engine::read_cluster(options_, consumer, meter_, job_);
    if (!origin) return std::unexpected(origin.error());
    if (auto stored = finish(); !stored) return std::unexpected(stored.error());
    for (std::size_t i = 0; i < origin->shards.size(); ++i) {
      const engine::StreamFacts& facts = canonical_->facts(i);
      origin->shards[i].keys = facts.keys();
      origin->shards[i].source.rdb_version = facts.header()->version;
    }
    manifest_.shards = engine::printable(std::move(origin->shards));
    tell_shards();
    return publish(std::move(origin->source));
  }

  [[nodiscard]] Result<void> refuse_stream_layout() const {
    if (options_.layout != BackupLayout::stream) return {};
    return std::unexpected(
        Error{.stage = Stage::usage,
              .code = "layout_of_cluster",
              .message = "a cluster has no one stream to be kept as it is: leave --layout stream "
                         "out, or back up its nodes one by one without --cluster"});
  }

  void tell_shards() const {
    if (const std::uint64_t twice = canonical_->keys_sent_twice(); twice > 0) {
      meter_.notice(fmt::format(
          "{} key(s) of slots that are being moved came from two shards; they count once, as the "
          "slot's owner has them",
          twice));
    }
    for (const std::string& name : canonical_->differing_functions()) {
      meter_.notice(
          fmt::format("function library {} is not the same on all shards; that of slots "
                      "from 0 on is kept",
                      rdb::escape(std::as_bytes(std::span(name)))));
    }
    for (std::size_t i = 1; i < manifest_.shards.size(); ++i) {
      if (canonical_->facts(i).module_aux() == 0) continue;
      meter_.notice("what modules keep outside of keys is kept of the first shard only");
      break;
    }
  }

  [[nodiscard]] bool from_server() const { return is_server_uri(options_.source); }
  [[nodiscard]] std::string what() const { return from_server() ? "the snapshot" : "the RDB file"; }
  [[nodiscard]] std::uint64_t keys() const {
    return canonical_ != nullptr ? canonical_->keys() : ingest_->facts().keys();
  }
  void tell() { meter_.update(ingest_->bytes(), keys()); }

  Result<void> prepare() {
    if (!from_server()) {  // before a repository is made for nothing
      if (auto there = engine::FileInput::require(options_.source); !there) return there;
    }
    auto compression = engine::parse_compression(options_.compression);
    if (!compression) return std::unexpected(compression.error());
    compression_ = *compression;
    std::string instance = options_.instance;
    if (instance.empty()) {
      auto made = engine::default_instance(options_);
      if (!made) return std::unexpected(made.error());
      instance = *std::move(made);
    }
    auto repository = engine::open_repository(options_.repository, true, options_.io);
    if (!repository) return std::unexpected(repository.error());
    repository_ = *std::move(repository);
    if (const auto& damage = repository_->mark_damage()) {
      meter_.notice("FORMAT is damaged and its copy was used; verify --all tells more: " +
                    engine::from_storage(*damage).message);
    }
    if (auto ok = begin_writing(instance); !ok) return ok;
    manifest_.started_at_ms = started_at_ms(writer_->key());
    tell_cleared(writer_->cleared(), meter_);
    if (const std::string& reason = writer_->io_fallback_reason(); !reason.empty()) {
      meter_.notice("io_uring is not used, threads do its work: " + reason);
    }
    return {};
  }

  /// Again while the parent goes, or is repacked, between its being chosen and its being built on.
  Result<void> begin_writing(const std::string& instance) {
    constexpr int tries_max = 5;
    for (int tries = 1;; ++tries) {
      auto parent = engine::choose_parent(*repository_, instance, options_, meter_);
      if (!parent) return std::unexpected(parent.error());
      parent_ = *std::move(parent);
      storage::BeginOptions begin;
      if (parent_) {
        begin.parent = parent_->backup.stored.key;
        begin.parent_manifest_digest = parent_->backup.stored.manifest_digest;
      }
      auto writer = repository_->begin_backup(instance, begin);
      if (writer) {
        writer_ = *std::move(writer);
        return {};
      }
      const std::error_code code = writer.error().code;
      const bool parent_went = code == storage::Errc::changed || code == storage::Errc::not_found;
      if (!parent_ || !parent_went || tries == tries_max)
        return std::unexpected(engine::from_storage(writer.error()));
    }
  }

  /// Now that it is known what the source is.
  Result<void> begin(bool from_cluster_node) {
    manifest_.compression = engine::to_text(compression_);
    if (options_.layout == BackupLayout::stream) {
      manifest_.layout = engine::Manifest::layout_stream;
      ingest_ = std::make_unique<engine::StreamIngest>(*writer_, compression_, what());
      return {};
    }
    const engine::ParentBackup* parent = choose_order(from_cluster_node);
    use(std::make_unique<engine::CanonicalIngest>(*repository_, *writer_, parent,
                                                  canonical_options(), what()));
    return {};
  }

  /// One stream for each shard.
  Result<void> begin_shards(const net::Topology& topology) {
    manifest_.compression = engine::to_text(compression_);
    std::vector<engine::ShardStream> streams;
    for (std::size_t i = 0; i < topology.shards().size(); ++i) {
      const net::Shard& shard = topology.shards()[i];
      streams.push_back(
          {.what = "the snapshot of " + net::to_text(shard.primary.address),
           .owns = [topology, i](std::uint16_t slot) { return topology.owner(slot) == i; }});
    }
    const engine::ParentBackup* parent = choose_order(true);
    use(std::make_unique<engine::CanonicalIngest>(*repository_, *writer_, parent,
                                                  canonical_options(), std::move(streams)));
    return {};
  }

  void use(std::unique_ptr<engine::CanonicalIngest> ingest) {
    canonical_ = ingest.get();
    ingest_ = std::move(ingest);
  }

  /// What to store changes against: runs in another order cannot be compared.
  const engine::ParentBackup* choose_order(bool by_slot) {
    manifest_.layout = engine::Manifest::layout_canonical;
    manifest_.order = by_slot ? "slot" : "key";
    if (parent_ && parent_->backup.manifest.order != manifest_.order) parent_.reset();
    if (parent_) manifest_.parent = parent_->backup.stored.key.id;
    return parent_.get();
  }

  [[nodiscard]] engine::CanonicalOptions canonical_options() const {
    engine::CanonicalOptions canonical;
    canonical.memory_bytes = options_.memory_bytes;
    canonical.threads = std::clamp(std::thread::hardware_concurrency(), 1U, threads_max);
    canonical.compression = compression_;
    canonical.keep_access = options_.access_info;
    canonical.by_slot = manifest_.by_slot();
    return canonical;
  }

  Result<void> finish() {
    meter_.set_phase("storing");
    const auto stored = [this](std::uint64_t bytes) { meter_.update(bytes, keys()); };
    if (auto ended = ingest_->finish(stored, job_.stop); !ended) return ended;
    if (auto ended = judge_trailing(ingest_->trailing_bytes(), from_server(), meter_); !ended)
      return ended;
    if (job_.stop.stop_requested()) return std::unexpected(engine::cancelled());
    return {};
  }

  Result<BackupSummary> publish(engine::SnapshotOrigin origin) {
    meter_.set_phase("publishing");
    tell();
    manifest_.source = std::move(origin);
    engine::take_facts(manifest_, ingest_->facts());
    manifest_.long_values = ingest_->long_values();
    const engine::DigestOutcome digest = ingest_->digest();
    engine::take_digest(manifest_, digest);
    tell_undecodable(digest, meter_);
    if (canonical_ != nullptr) tell_damaged_parent(canonical_->counts(), manifest_.parent, meter_);
    if (manifest_.shards.empty()) complete_from_aux(manifest_.source, ingest_->facts());
    manifest_.source = engine::printable(manifest_.source);
    manifest_.finished_at_ms =
        std::max(engine::unix_now_ms(), manifest_.started_at_ms);  // a clock set back
    return commit(*repository_, *writer_, manifest_);
  }

  static constexpr unsigned threads_max = 4;

  const BackupOptions& options_;
  const JobContext& job_;
  engine::ProgressMeter meter_;
  engine::Manifest manifest_;
  storage::Compression compression_;
  std::unique_ptr<storage::Repository> repository_;
  std::unique_ptr<engine::ParentBackup> parent_;
  std::unique_ptr<storage::BackupWriter> writer_;
  std::unique_ptr<engine::Ingest> ingest_;
  engine::CanonicalIngest* canonical_ = nullptr;  // that ingest_ is, if it is one
};

}  // namespace

Result<BackupSummary> backup(const BackupOptions& options, const JobContext& job) {
  return BackupRun(options, job).run();
}

}  // namespace sluice
