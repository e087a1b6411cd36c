#include "engine/canonical_ingest.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>

#include "engine/errors.h"
#include "rdb/writer.h"

namespace sluice::engine {
namespace {

// What is not the store's share of the budget: queues, codec scratch, for each thread a partition
// being sorted, two runs, an encoder and a reader of the parent, and for each stream but the first
// what a long value takes.
constexpr std::size_t fixed_bytes = 48 << 20;
constexpr std::size_t thread_bytes = 32 << 20;
constexpr std::size_t stream_bytes = 14 << 20;
constexpr std::size_t store_bytes_min = 16 << 20;
constexpr std::size_t partition_bytes = 2 << 20;
constexpr std::size_t partition_bytes_max = 8 << 20;

Error lost_keys() {
  return {.stage = Stage::engine,
          .code = "internal",
          .message =
              "keys were lost while they were sorted; this is a fault of sluice, please "
              "report it"};
}

/// Encodes partitions on threads of its own, each taking the next one that nobody has taken.
class PartitionWorkers {
 public:
  PartitionWorkers(PartitionStore& store, std::vector<std::vector<RunDraft>>& runs)
      : store_(store), runs_(runs) {}
  PartitionWorkers(const PartitionWorkers&) = delete;
  PartitionWorkers& operator=(const PartitionWorkers&) = delete;
  ~PartitionWorkers() {
    stop_ = true;
    for (std::thread& thread : threads_) thread.join();
  }

  void start(RunEncoder& encoder) {
    {
      const std::scoped_lock lock(mutex_);  // those that were started may have ended
      ++running_;
    }
    threads_.emplace_back([this, &encoder] { work(encoder); });
  }

  /// Waits until all is done or failed; calls `tell` now and then.
  Result<void> wait(const std::function<void(std::uint64_t)>& tell, const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    while (
        !done_.wait_for(lock, std::chrono::milliseconds(100), [this] { return running_ == 0; })) {
      if (stop.stop_requested() && !stop_.exchange(true) && !error_) error_ = cancelled();
      lock.unlock();
      tell(bytes_);
      lock.lock();
    }
    if (thrown_) std::rethrow_exception(thrown_);
    if (error_) return std::unexpected(*error_);
    return {};
  }

 private:
  void work(RunEncoder& encoder) {
    try {
      for (std::size_t index = next_++; index < runs_.size() && !stop_; index = next_++) {
        auto taken = store_.take(index, [&](const SortedBatch& batch) -> Result<void> {
          if (stop_) return std::unexpected(cancelled());
          return encoder.encode(batch, runs_[index]);
        });
        if (!taken) {
          fail(taken.error());
          break;
        }
        for (const RunDraft& run : runs_[index]) bytes_ += run.chunk.raw_bytes;
      }
    } catch (...) {
      const std::scoped_lock lock(mutex_);
      if (!thrown_) thrown_ = std::current_exception();
      stop_ = true;
    }
    const std::scoped_lock lock(mutex_);
    if (--running_ == 0) done_.notify_all();
  }

  void fail(const Error& error) {
    const std::scoped_lock lock(mutex_);
    if (!error_) error_ = error;
    stop_ = true;
  }

  PartitionStore& store_;
  std::vector<std::vector<RunDraft>>& runs_;
  std::atomic<std::size_t> next_ = 0;
  std::atomic<std::uint64_t> bytes_ = 0;
  std::atomic<bool> stop_ = false;
  std::mutex mutex_;
  std::condition_variable done_;
  unsigned running_ = 0;
  std::optional<Error> error_;
  std::exception_ptr thrown_;
  std::vector<std::thread> threads_;
};

}  // namespace

CanonicalIngest::CanonicalIngest(const storage::Repository& repository,
                                 storage::BackupWriter& writer, const ParentBackup* parent,
                                 const CanonicalOptions& options, std::string what)
    : CanonicalIngest(repository, writer, parent, options, std::vector<ShardStream>()) {
  add_stream(std::move(what), {});
}

CanonicalIngest::CanonicalIngest(const storage::Repository& repository,
                                 storage::BackupWriter& writer, const ParentBackup* parent,
                                 const CanonicalOptions& options, std::vector<ShardStream> shards)
    : repository_(repository),
      writer_(writer),
      parent_(parent),
      options_(options),
      shards_(shards.size()),
      store_(partition_options(),
             parent != nullptr ? fences_of(*parent, partition_bytes) : std::vector<Fence>()),
      magic_(repository, writer, options.compression, PreamblePart::head),
      head_(repository, writer, options.compression, PreamblePart::head),
      functions_head_(repository, writer, options.compression, PreamblePart::head),
      tail_(repository, writer, options.compression, PreamblePart::tail) {
  for (ShardStream& shard : shards) add_stream(std::move(shard.what), std::move(shard.owns));
}

PartitionOptions CanonicalIngest::partition_options() {
  const std::size_t more_streams = std::max<std::size_t>(shards_, 1) - 1;
  const std::size_t others =
      fixed_bytes + options_.threads * thread_bytes + more_streams * stream_bytes;
  PartitionOptions partition;
  partition.memory_bytes =
      std::max(options_.memory_bytes - std::min(options_.memory_bytes, others), store_bytes_min);
  partition.partition_bytes = partition_bytes;
  partition.partition_bytes_max = partition_bytes_max;
  partition.by_slot = options_.by_slot;
  if (shards_ > 0) {
    partition.on_dropped = [this](std::uint64_t db, std::uint8_t type) {
      const std::scoped_lock lock(dropped_mutex_);
      dropped_.push_back({.db = db, .type = type});
    };
  }
  return partition;
}

void CanonicalIngest::add_stream(std::string what, std::function<bool(std::uint16_t)> owns) {
  const bool is_first = streams_.empty();
  IngestStream::Options options;
  options.what = std::move(what);
  options.fragments = {.repository = &repository_,
                       .writer = &writer_,
                       .parent = parent_,
                       .compression = options_.compression};
  options.owns = std::move(owns);
  options.head = is_first ? &head_ : nullptr;
  options.tail = is_first ? &tail_ : nullptr;
  if (shards_ > 0) {
    options.has_magic = false;
    FunctionSet& functions = is_first ? functions_ : more_functions_;
    options.on_function = [&functions](auto source) { functions.add(source); };
  }
  const IngestShare share{.store = store_, .keep_access = options_.keep_access};
  streams_.push_back(std::make_unique<IngestStream>(share, std::move(options)));
}

/// Of a library that the first shard did not send.
void CanonicalIngest::add_function(std::span<const std::byte> source) {
  constexpr rdb::Header with_functions{.dialect = rdb::Dialect::redis, .version = 10};
  rdb::Writer writer(with_functions, [this](auto bytes) { functions_head_.add(bytes); });
  writer.function(source);
  writer.flush();
}

Result<void> CanonicalIngest::feed(std::size_t stream, std::span<const std::byte> bytes) {
  if (stream != current_) {
    streams_[current_]->pause();
    current_ = stream;
    streams_[current_]->resume();
  }
  return streams_[stream]->feed(bytes);
}

void CanonicalIngest::set_behind(bool is_behind) {
  for (const auto& stream : streams_) stream->set_behind(is_behind);
}

std::uint64_t CanonicalIngest::keys() const noexcept {
  std::uint64_t keys = 0;
  for (const auto& stream : streams_) keys += stream->keys();
  return keys;
}

std::uint64_t CanonicalIngest::bytes() const noexcept {
  std::uint64_t bytes = 0;
  for (const auto& stream : streams_) bytes += stream->bytes();
  return bytes;
}

std::uint64_t CanonicalIngest::trailing_bytes() const noexcept {
  std::uint64_t bytes = 0;
  for (const auto& stream : streams_) bytes += stream->trailing_bytes();
  return bytes;
}

Result<void> CanonicalIngest::finish(const OnProgress& on_progress, const std::stop_token& stop) {
  for (const auto& stream : streams_) {
    if (auto ended = stream->finish(); !ended) return ended;
  }
  if (shards_ > 0) {
    if (auto merged = merge_shards(); !merged) return merged;
  }
  for (PreambleWriter* preamble : {&magic_, &head_, &functions_head_, &tail_}) {
    if (auto stored = preamble->finish(); !stored) return stored;
  }
  if (auto dealt = store_.finish(); !dealt) return dealt;
  if (auto encoded = encode_partitions(on_progress, stop); !encoded) return encoded;
  for (const Dropped& dropped : dropped_) {
    const auto* type = rdb::find_value_type(facts().header()->dialect, dropped.type);
    merged_.forget(dropped.db, type->logical);
  }
  return append_chunks();
}

/// The newest version knows what the others have, unless one is Redis' and the other Valkey's own.
Result<void> CanonicalIngest::merge_shards() {
  constexpr unsigned common_version = 11;  // the last before they parted
  for (const auto& stream : streams_) merged_.merge(*stream);
  const rdb::Header newest = *merged_.header();
  for (const auto& stream : streams_) {
    const rdb::Header& header = *stream->header();
    if (header.dialect == newest.dialect || header.version <= common_version) continue;
    return std::unexpected(
        Error{.stage = Stage::rdb,
              .code = "mixed_versions",
              .message = "shards send RDB versions " + std::to_string(header.version) + " and " +
                         std::to_string(newest.version) +
                         ", which do not go together: back up the nodes one by one"});
  }
  functions_.merge(more_functions_, [this](auto source) { add_function(source); });
  merged_.set_functions(functions_.size());
  rdb::Writer magic(newest, [this](auto bytes) { magic_.add(bytes); });
  magic.begin();
  magic.flush();
  return {};
}

RunEncoderOptions CanonicalIngest::encoder_options() const {
  return {.repository = &repository_,
          .writer = &writer_,
          .parent = parent_,
          .compression = options_.compression,
          .header = *facts().header(),
          .by_slot = options_.by_slot};
}

Result<void> CanonicalIngest::encode_partitions(const OnProgress& on_progress,
                                                const std::stop_token& stop) {
  runs_.resize(store_.partitions());
  const std::size_t threads = std::clamp<std::size_t>(options_.threads, 1, runs_.size() + 1);
  std::vector<std::unique_ptr<RunEncoder>> encoders;
  for (std::size_t i = 0; i < threads; ++i) {
    auto encoder = RunEncoder::open(encoder_options());
    if (!encoder) return std::unexpected(encoder.error());
    encoders.push_back(*std::move(encoder));
  }
  PartitionWorkers workers(store_, runs_);
  for (auto& encoder : encoders) workers.start(*encoder);
  if (auto done = workers.wait(on_progress, stop); !done) return done;
  for (const auto& encoder : encoders) counts_.add(encoder->counts());
  return {};
}

Result<void> CanonicalIngest::append(const std::vector<storage::ChunkDraft>& chunks) {
  for (const storage::ChunkDraft& chunk : chunks) {
    if (auto appended = writer_.append_chunk(chunk); !appended)
      return std::unexpected(from_storage(appended.error()));
  }
  return {};
}

/// Returns how many records they hold.
Result<std::uint64_t> CanonicalIngest::append_runs() {
  std::uint64_t records = 0;
  for (auto& partition : runs_) {
    for (const RunDraft& run : partition) {
      if (auto appended = writer_.append_chunk(run.chunk); !appended)
        return std::unexpected(from_storage(appended.error()));
      for (const LongValue& value : run.long_values)
        long_values_.push_back(
            {.record = records + value.record, .value_bytes = value.value_bytes});
      const RunTag tag = RunTag::of(run.chunk.tag);
      records += tag.records;
      digest_ += tag.digest;
    }
    partition = {};
  }
  return records;
}

Result<void> CanonicalIngest::append_chunks() {
  for (const PreambleWriter* preamble : {&magic_, &head_, &functions_head_}) {
    if (auto done = append(preamble->chunks()); !done) return done;
  }
  const auto records = append_runs();
  if (!records) return std::unexpected(records.error());
  for (const auto& stream : streams_) {
    if (auto done = append(stream->fragments()); !done) return done;
  }
  if (auto done = append(tail_.chunks()); !done) return done;
  if (*records != facts().keys()) return std::unexpected(lost_keys());
  return {};
}

DigestOutcome CanonicalIngest::digest() const {
  DigestOutcome outcome{
      .digest = {}, .undecodable = counts_.undecodable, .first_problem = counts_.first_problem};
  if (outcome.undecodable == 0) outcome.digest = rdb::to_string(digest_);
  return outcome;
}

}  // namespace sluice::engine
