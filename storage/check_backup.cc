#include "storage/check_backup.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "storage/chunk_reader.h"
#include "storage/manifest.h"
#include "storage/pack_check.h"
#include "storage/pack_reader.h"

namespace sluice::storage {
namespace {

using OnProblem = std::function<void(const Problem&)>;

/// One check, by several threads. Each takes the next pack that nobody has, then the next run of
/// chunks with deltas: those need blobs of several packs, so they cannot be checked on the way.
class BackupCheck {
 public:
  BackupCheck(std::shared_ptr<const Layout> layout, const IoOptions& io, const Backup& backup,
              const OnProblem& on_problem, const CheckOptions& options);

  Result<CheckStats> run();

 private:
  struct Run {
    std::uint32_t first = 0;
    std::uint32_t count = 0;
  };
  static constexpr std::uint32_t run_chunks_max = 256;

  void report(Problem problem);
  void check_pack_size(std::uint32_t pack);
  [[nodiscard]] std::vector<std::uint32_t> chunks_of(std::span<const std::uint32_t> blobs) const;
  void check_mark();
  [[nodiscard]] Result<format::Digest> digest_of_manifest(const Directory& directory,
                                                          const std::string& file) const;
  void check_papers();
  void check_packs();
  void check_pack(PackCheckTools& tools, std::uint32_t pack);
  void find_runs();
  void check_chains();
  void check_run(ChunkReader& reader, Identifier& identifier, const Run& run);
  void in_threads(void (BackupCheck::*work)());
  void fail(Error error);

  std::shared_ptr<const Layout> layout_;
  IoOptions io_;
  const Backup& backup_;
  const OnProblem& on_problem_;
  CheckOptions options_;
  std::vector<std::vector<std::uint32_t>> blobs_;  // by pack, by offset
  std::vector<Run> runs_;
  std::atomic<std::uint32_t> next_{0};  // pack, then run

  std::mutex mutex_;  // guards what follows, and on_problem_
  CheckStats stats_;
  std::vector<bool> lost_;  // chunks that were told of
  std::optional<Error> error_;
};

BackupCheck::BackupCheck(std::shared_ptr<const Layout> layout, const IoOptions& io,
                         const Backup& backup, const OnProblem& on_problem,
                         const CheckOptions& options)
    : layout_(std::move(layout)),
      io_(io),
      backup_(backup),
      on_problem_(on_problem),
      options_(options),
      blobs_(backup.packs.size()),
      lost_(backup.chunks.size()) {
  for (std::uint32_t i = 0; i < backup.blobs.size(); ++i) blobs_[backup.blobs[i].pack].push_back(i);
  for (auto& blobs : blobs_)
    std::ranges::stable_sort(blobs, {}, [&](std::uint32_t at) { return backup.blobs[at].offset; });
}

void BackupCheck::report(Problem problem) {
  const std::lock_guard guard(mutex_);
  ++stats_.problems;
  for (const std::uint32_t chunk : problem.chunks) lost_[chunk] = true;
  on_problem_(problem);
}

void BackupCheck::fail(Error error) {
  const std::lock_guard guard(mutex_);
  if (!error_) error_ = std::move(error);
}

/// FORMAT and its copy.
void BackupCheck::check_mark() {
  for (const std::string_view file : {name::mark, name::mark_copy}) {
    const auto mark = layout_->read_mark(file);
    if (!mark) {
      report({.error = mark.error(), .object = std::string(file)});
    } else if (serialize(*mark) != serialize(layout_->mark())) {
      report({.error = {.code = Errc::corrupt,
                        .detail = layout_->root().path_of(file) + ": of another repository"},
              .object = std::string(file)});
    }
  }
}

/// Of a manifest that is whole, as far as that can be seen with what keys there are.
Result<format::Digest> BackupCheck::digest_of_manifest(const Directory& directory,
                                                       const std::string& file) const {
  if (layout_->is_locked()) {
    const auto packs = read_manifest_packs(directory, file, backup_.key, layout_->stamp());
    if (!packs) return std::unexpected(packs.error());
    return packs->manifest_digest;
  }
  const auto manifest = read_manifest(directory, file, backup_.key, layout_->stamp());
  if (!manifest) return std::unexpected(manifest.error());
  return manifest->manifest_digest;
}

/// HEAD, the manifest and its copy.
void BackupCheck::check_papers() {
  const auto tell = [this](std::string_view file, Error error) {
    report({.error = std::move(error), .object = Layout::backup_name(backup_.key, file)});
  };
  const auto head = layout_->head(backup_.key);
  if (!head) {
    tell(name::head, head.error());
  } else if (!*head || (*head)->state != HeadState::committed) {
    tell(name::head, {.code = Errc::not_found, .detail = "HEAD is not that of a whole backup"});
  } else if ((*head)->manifest_digest != backup_.manifest_digest) {
    tell(name::head, {.code = Errc::corrupt, .detail = "HEAD names another manifest"});
  }
  const bool readable = head && *head;
  const ManifestNames names = manifest_names(readable ? (*head)->manifest_number : 0);
  for (const std::string& file : {names.manifest, names.copy}) {
    const auto directory = layout_->backup(backup_.key);
    if (!directory) {
      tell(file, directory.error());
      continue;
    }
    const auto digest = digest_of_manifest(*directory, file);
    if (!digest)
      tell(file, digest.error());
    else if (*digest != backup_.manifest_digest)
      tell(file, {.code = Errc::corrupt, .detail = directory->path_of(file) + ": another one"});
  }
}

void BackupCheck::check_packs() {
  auto queue = IoQueue::open(io_, layout_->root().path_of(name::packs));
  if (!queue) return fail(std::move(queue.error()));
  PackCheckTools tools{.queue = *std::move(queue), .decoder = {}, .identifier = {}, .scratch = {}};
  if (options_.level == CheckLevel::decoded)
    tools.identifier = std::make_unique<Identifier>(layout_->keys());
  for (;;) {
    const std::uint32_t pack = next_++;
    if (pack >= backup_.packs.size() || options_.stop.stop_requested()) return;
    if (!options_.skip || !options_.skip(backup_.packs[pack])) check_pack(tools, pack);
  }
}

std::vector<std::uint32_t> BackupCheck::chunks_of(std::span<const std::uint32_t> blobs) const {
  std::vector<std::uint32_t> chunks;
  for (const std::uint32_t blob : blobs) chunks.push_back(chunk_of_blob(backup_, blob));
  std::ranges::sort(chunks);
  const auto twice = std::ranges::unique(chunks);
  chunks.erase(twice.begin(), twice.end());
  return chunks;
}

/// Whether it is there. Its bytes are not looked at.
void BackupCheck::check_pack_size(std::uint32_t pack) {
  const PackRef& ref = backup_.packs[pack];
  const std::string object = Layout::pack_name(ref.id);
  auto size = file_size(layout_->root(), object);
  if (size && *size == ref.file_bytes) return;
  Error error =
      size ? Error{.code = *size < ref.file_bytes ? Errc::truncated : Errc::corrupt,
                   .detail = fmt::format("{}: {} bytes, expected {}",
                                         layout_->root().path_of(object), *size, ref.file_bytes)}
           : std::move(size.error());
  const bool is_missing = error.code == Errc::not_found;
  report({.error = std::move(error),
          .object = object,
          .chunks = is_missing ? chunks_of(blobs_[pack]) : std::vector<std::uint32_t>(),
          .pack = ref.id});
}

void BackupCheck::check_pack(PackCheckTools& tools, std::uint32_t pack) {
  const PackRef& ref = backup_.packs[pack];
  const PackCheck::OnProblem on_problem = [&](Error error, std::span<const std::uint32_t> blobs,
                                              std::optional<std::uint64_t> offset) {
    report({.error = std::move(error),
            .object = Layout::pack_name(ref.id),
            .chunks = chunks_of(blobs),
            .pack = ref.id,
            .offset = offset});
  };
  std::uint64_t told = 0;
  const auto tell = [&](std::uint64_t bytes) {
    if (options_.progress != nullptr) *options_.progress += bytes - std::exchange(told, bytes);
    return !options_.stop.stop_requested();
  };
  PackCheck check(tools, *layout_, backup_, pack, blobs_[pack], on_problem);
  const bool is_done = check.run(tell);
  tell(check.bytes());
  const std::lock_guard guard(mutex_);
  if (is_done && options_.on_pack) options_.on_pack(ref, check.is_sound());
  ++stats_.packs;
  stats_.bytes += check.bytes();
  stats_.raw_bytes += check.raw_bytes();
}

/// Chunks with deltas that are not known to be lost.
void BackupCheck::find_runs() {
  for (std::uint32_t i = 0; i < backup_.chunks.size(); ++i) {
    if (backup_.chunks[i].blob_count == 1 || lost_[i]) continue;
    const bool goes_on = !runs_.empty() && runs_.back().first + runs_.back().count == i &&
                         runs_.back().count < run_chunks_max;
    if (!goes_on) runs_.push_back({.first = i, .count = 0});
    ++runs_.back().count;
  }
}

void BackupCheck::check_chains() {
  auto reader = ChunkReader::open(layout_, io_, backup_, 0, 0);
  if (!reader) return fail(std::move(reader.error()));
  Identifier identifier(layout_->keys());
  for (;;) {
    const std::uint32_t run = next_++;
    if (run >= runs_.size() || options_.stop.stop_requested()) return;
    check_run(**reader, identifier, runs_[run]);
  }
}

void BackupCheck::check_run(ChunkReader& reader, Identifier& identifier, const Run& run) {
  reader.reset(run.first, run.count);
  std::uint64_t raw_bytes = 0;
  for (std::uint32_t i = run.first; i < run.first + run.count; ++i) {
    const auto chunk = reader.next();
    const BlobRef& last = backup_.blobs_of(i).back();
    const PackId pack = backup_.packs[last.pack].id;
    const std::string object = Layout::pack_name(pack);
    const auto tell = [&](Error error) {
      report({.error = std::move(error),
              .object = object,
              .chunks = {i},
              .pack = pack,
              .offset = last.offset});
    };
    if (!chunk) {
      tell(chunk.error());
      continue;
    }
    const ChunkView& view = **chunk;
    raw_bytes += view.raw.size();
    if (identifier.identify(view.type, view.raw) == view.identity) continue;
    const std::string where = place_of(layout_->root().path_of(object), i, backup_.chunks[i],
                                       backup_.chunks[i].blob_count - std::size_t{1}, last);
    tell({.code = Errc::checksum_mismatch, .detail = where + ": identity"});
  }
  const std::lock_guard guard(mutex_);
  stats_.raw_bytes += raw_bytes;
}

void BackupCheck::in_threads(void (BackupCheck::*work)()) {
  next_ = 0;
  std::vector<std::thread> threads;
  for (unsigned i = 1; i < options_.threads; ++i) threads.emplace_back([&] { (this->*work)(); });
  (this->*work)();
  for (std::thread& thread : threads) thread.join();
}

Result<CheckStats> BackupCheck::run() {
  if (options_.level == CheckLevel::decoded) {
    if (const auto cipher = layout_->need_cipher(); !cipher) return std::unexpected(cipher.error());
  }
  check_mark();
  check_papers();
  if (options_.level == CheckLevel::listed) {
    for (std::uint32_t i = 0; i < backup_.packs.size(); ++i) check_pack_size(i);
  } else {
    in_threads(&BackupCheck::check_packs);
  }
  find_runs();
  if (options_.level == CheckLevel::decoded && !runs_.empty())
    in_threads(&BackupCheck::check_chains);
  if (error_) return std::unexpected(*std::move(error_));
  if (options_.stop.stop_requested())
    return std::unexpected(system_error(ECANCELED, "check of", layout_->path()));
  stats_.chunks = backup_.chunks.size();
  return stats_;
}

}  // namespace

Result<CheckStats> check_backup(std::shared_ptr<const Layout> layout, const IoOptions& io,
                                const Backup& backup,
                                const std::function<void(const Problem&)>& on_problem,
                                const CheckOptions& options) {
  return BackupCheck(std::move(layout), io, backup, on_problem, options).run();
}

}  // namespace sluice::storage
