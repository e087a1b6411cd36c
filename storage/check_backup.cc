#include "storage/check_backup.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <mutex>
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

  void report(Error error, std::string object, std::vector<std::uint32_t> chunks);
  void check_mark();
  void check_papers();
  Result<PackCheckTools> make_tools() const;
  Result<void> check_packs();
  void check_pack(PackCheckTools& tools, std::uint32_t pack);
  void find_runs();
  Result<void> check_chains();
  void check_run(ChunkReader& reader, Identifier& identifier, const Run& run);
  template <class Tool, class Work>
  void in_threads(std::vector<Tool>& tools, std::size_t count, Work work);

  std::shared_ptr<const Layout> layout_;
  IoOptions io_;
  const Backup& backup_;
  const OnProblem& on_problem_;
  CheckOptions options_;
  std::vector<std::vector<std::uint32_t>> blobs_;  // by pack, by offset
  std::vector<Run> runs_;

  std::mutex mutex_;  // guards what follows, and on_problem_
  CheckStats stats_;
  std::vector<bool> lost_;  // chunks that were told of
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
  io_.thread_bound = false;  // a queue is made by one thread and used by another
  options_.threads = std::max(options_.threads, 1U);
  for (std::uint32_t i = 0; i < backup.blobs.size(); ++i) blobs_[backup.blobs[i].pack].push_back(i);
  for (auto& blobs : blobs_)
    std::ranges::stable_sort(blobs, {}, [&](std::uint32_t at) { return backup.blobs[at].offset; });
}

void BackupCheck::report(Error error, std::string object, std::vector<std::uint32_t> chunks) {
  const std::lock_guard guard(mutex_);
  ++stats_.problems;
  for (const std::uint32_t chunk : chunks) lost_[chunk] = true;
  on_problem_(
      {.error = std::move(error), .object = std::move(object), .chunks = std::move(chunks)});
}

/// FORMAT and its copy.
void BackupCheck::check_mark() {
  for (const std::string_view file : {name::mark, name::mark_copy}) {
    const auto mark = layout_->read_mark(file);
    if (!mark) {
      report(mark.error(), std::string(file), {});
    } else if (serialize(*mark) != serialize(layout_->mark())) {
      report({.code = Errc::corrupt,
              .detail = layout_->root().path_of(file) + ": of another repository"},
             std::string(file), {});
    }
  }
}

/// HEAD, the manifest and its copy.
void BackupCheck::check_papers() {
  const auto tell = [this](std::string_view file, Error error) {
    report(std::move(error), Layout::backup_name(backup_.key, file), {});
  };
  const auto head = layout_->head(backup_.key);
  if (!head) {
    tell(name::head, head.error());
  } else if (!*head || (*head)->state != HeadState::committed) {
    tell(name::head, {.code = Errc::not_found, .detail = "HEAD is not that of a whole backup"});
  } else if ((*head)->manifest_digest != backup_.manifest_digest) {
    tell(name::head, {.code = Errc::corrupt, .detail = "HEAD names another manifest"});
  }
  for (const std::string_view file : {name::manifest, name::manifest_copy}) {
    const auto directory = layout_->backup(backup_.key);
    if (!directory) {
      tell(file, directory.error());
      continue;
    }
    const auto manifest =
        read_manifest(*directory, std::string(file), backup_.key, layout_->id_prefix());
    if (!manifest)
      tell(file, manifest.error());
    else if (manifest->manifest_digest != backup_.manifest_digest)
      tell(file, {.code = Errc::corrupt, .detail = directory->path_of(file) + ": another one"});
  }
}

Result<PackCheckTools> BackupCheck::make_tools() const {
  auto queue = IoQueue::open(io_, layout_->root().path_of(name::packs));
  if (!queue) return std::unexpected(std::move(queue.error()));
  PackCheckTools tools{.queue = *std::move(queue), .decoder = {}, .identifier = {}, .scratch = {}};
  if (options_.level == CheckLevel::decoded)
    tools.identifier = std::make_unique<Identifier>(layout_->keys());
  return tools;
}

Result<void> BackupCheck::check_packs() {
  std::vector<PackCheckTools> tools;
  for (unsigned i = 0; i < options_.threads; ++i) {
    auto made = make_tools();
    if (!made) return std::unexpected(std::move(made.error()));
    tools.push_back(*std::move(made));
  }
  in_threads(tools, backup_.packs.size(), [this](PackCheckTools& tool, std::size_t pack) {
    check_pack(tool, static_cast<std::uint32_t>(pack));
  });
  return {};
}

void BackupCheck::check_pack(PackCheckTools& tools, std::uint32_t pack) {
  const PackCheck::OnProblem on_problem = [&](Error error, std::span<const std::uint32_t> blobs) {
    std::vector<std::uint32_t> chunks;
    for (const std::uint32_t blob : blobs) chunks.push_back(chunk_of_blob(backup_, blob));
    std::ranges::sort(chunks);
    const auto twice = std::ranges::unique(chunks);
    chunks.erase(twice.begin(), twice.end());
    report(std::move(error), Layout::pack_name(backup_.packs[pack].id), std::move(chunks));
  };
  PackCheck check(tools, *layout_, backup_, pack, blobs_[pack], on_problem);
  check.run();
  const std::lock_guard guard(mutex_);
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

Result<void> BackupCheck::check_chains() {
  struct Tool {
    std::unique_ptr<ChunkReader> reader;
    std::unique_ptr<Identifier> identifier;
  };
  std::vector<Tool> tools;
  for (unsigned i = 0; i < options_.threads; ++i) {
    auto reader = ChunkReader::open(layout_, io_, backup_, 0, 0);
    if (!reader) return std::unexpected(std::move(reader.error()));
    tools.push_back({*std::move(reader), std::make_unique<Identifier>(layout_->keys())});
  }
  in_threads(tools, runs_.size(), [this](Tool& tool, std::size_t run) {
    check_run(*tool.reader, *tool.identifier, runs_[run]);
  });
  return {};
}

void BackupCheck::check_run(ChunkReader& reader, Identifier& identifier, const Run& run) {
  reader.reset(run.first, run.count);
  std::uint64_t raw_bytes = 0;
  for (std::uint32_t i = run.first; i < run.first + run.count; ++i) {
    const auto chunk = reader.next();
    const BlobRef& last = backup_.blobs_of(i).back();
    const std::string object = Layout::pack_name(backup_.packs[last.pack].id);
    if (!chunk) {
      report(chunk.error(), object, {i});
      continue;
    }
    const ChunkView& view = **chunk;
    raw_bytes += view.raw.size();
    if (identifier.identify(view.type, view.raw) == view.identity) continue;
    const std::string where = place_of(layout_->root().path_of(object), i, backup_.chunks[i],
                                       backup_.chunks[i].blob_count - std::size_t{1}, last);
    report({.code = Errc::checksum_mismatch, .detail = where + ": identity"}, object, {i});
  }
  const std::lock_guard guard(mutex_);
  stats_.raw_bytes += raw_bytes;
}

/// Has `work` done with each number below `count`, by one thread for each tool. This one makes the
/// tools and takes them down: none is left without an I/O queue half-way.
template <class Tool, class Work>
void BackupCheck::in_threads(std::vector<Tool>& tools, std::size_t count, Work work) {
  std::atomic<std::size_t> next{0};
  const auto run = [&](Tool& tool) {
    for (std::size_t i = next++; i < count; i = next++) work(tool, i);
  };
  std::vector<std::thread> threads;
  for (std::size_t i = 1; i < std::min(tools.size(), count); ++i)
    threads.emplace_back([&run, &tool = tools[i]] { run(tool); });
  run(tools.front());
  for (std::thread& thread : threads) thread.join();
}

Result<CheckStats> BackupCheck::run() {
  check_mark();
  check_papers();
  if (auto ok = check_packs(); !ok) return std::unexpected(std::move(ok.error()));
  find_runs();
  if (options_.level == CheckLevel::decoded && !runs_.empty()) {
    if (auto ok = check_chains(); !ok) return std::unexpected(std::move(ok.error()));
  }
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
