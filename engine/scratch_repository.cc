#include "engine/scratch_repository.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <thread>
#include <utility>

#include "engine/backup_stream.h"
#include "engine/canonical_ingest.h"
#include "engine/errors.h"
#include "engine/progress_meter.h"
#include "engine/scratch_file.h"
#include "sluice/backup.h"

namespace sluice::engine {
namespace {

/// Passes on how far it is, and nothing of what would be worth knowing of a backup that is kept.
class ProgressOnly final : public Observer {
 public:
  explicit ProgressOnly(Observer* next) : next_(next) {}
  void on_progress(const Progress& progress) override {
    if (next_ != nullptr) next_->on_progress(progress);
  }

 private:
  Observer* next_;
};

CanonicalOptions options_by_key() {
  constexpr unsigned threads_max = 4;
  CanonicalOptions options;
  options.threads = std::clamp(std::thread::hardware_concurrency(), 1U, threads_max);
  return options;
}

}  // namespace

Result<std::unique_ptr<ScratchRepository>> ScratchRepository::make(IoBackend io) {
  std::string folder = scratch_folder() + "/sluice-XXXXXX";
  if (::mkdtemp(folder.data()) == nullptr)  // for its owner alone
    return std::unexpected(scratch_error("make a folder for", errno));
  std::string secret(storage::KeyMaterial::key_file_bytes_min, '\0');
  const auto random = storage::fill_random(std::as_writable_bytes(std::span(secret)));
  if (!random) return std::unexpected(from_storage(random.error()));
  RepositoryKey key;
  key.key_bytes = std::move(secret);
  auto scratch = std::make_unique<ScratchRepository>(std::move(folder), std::move(key), io);
  if (auto made = init_repository(scratch->place_); !made) return std::unexpected(made.error());
  return scratch;
}

ScratchRepository::~ScratchRepository() {
  std::error_code ignored;  // nobody is left who could do better
  std::filesystem::remove_all(folder_, ignored);
}

std::string ScratchRepository::next_instance() { return "taken-" + std::to_string(taken_++); }

Result<PlaceBackup> ScratchRepository::open(const std::string& instance) const {
  Place place;
  place.name = instance + "@LATEST";
  place.repository = place_;
  place.io = io_;
  return open_place(place);
}

Result<PlaceBackup> ScratchRepository::take(const Place& place, const JobContext& job) {
  ProgressOnly observer(job.observer);
  BackupOptions options;
  options.source = place.name;
  options.server = place.server;
  options.repository = place_;
  options.instance = next_instance();
  options.parent = "none";
  options.io = io_;
  if (auto taken = backup(options, {.observer = &observer, .stop = job.stop}); !taken)
    return std::unexpected(taken.error());
  return open(options.instance);
}

Result<PlaceBackup> ScratchRepository::take(const PlaceBackup& place, const JobContext& job) {
  auto repository = open_repository(place_, false, io_);
  if (!repository) return std::unexpected(repository.error());
  const std::string instance = next_instance();
  auto writer = (*repository)->begin_backup(instance);
  if (!writer) return std::unexpected(from_storage(writer.error()));

  ProgressMeter meter(job);
  meter.set_phase("sorting " + place.backup.stored.key.id);
  meter.set_total(place.backup.manifest.raw_bytes);
  CanonicalIngest ingest(**repository, **writer, nullptr, options_by_key(),
                         "backup " + place.backup.stored.key.id);
  const auto sink = [&](std::span<const std::byte> bytes) {
    auto fed = ingest.feed(bytes);
    meter.update(ingest.bytes(), ingest.facts().keys());
    return fed;
  };
  if (auto read = read_rdb(*place.repository, place.backup, sink, job); !read)
    return std::unexpected(read.error());
  const auto stored = [&](std::uint64_t bytes) { meter.update(bytes, ingest.facts().keys()); };
  if (auto ended = ingest.finish(stored, job.stop); !ended) return std::unexpected(ended.error());

  Manifest manifest = place.backup.manifest;
  manifest.layout = Manifest::layout_canonical;
  manifest.order = "key";
  manifest.parent.clear();
  take_facts(manifest, ingest.facts());
  manifest.long_values = ingest.long_values();
  if (auto committed = (*writer)->commit(encode(manifest)); !committed)
    return std::unexpected(from_storage(committed.error()));
  return open(instance);
}

}  // namespace sluice::engine
