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
#include "rdb/escape.h"
#include "rdb/writer.h"

namespace sluice::engine {
namespace {

// What is not the store's share of the budget: queues, codec scratch, and for each thread a
// partition being sorted, two runs, an encoder and a reader of the parent.
constexpr std::size_t fixed_bytes = 48 << 20;
constexpr std::size_t thread_bytes = 32 << 20;
constexpr std::size_t store_bytes_min = 16 << 20;
constexpr std::size_t partition_bytes = 4 << 20;
constexpr std::size_t partition_bytes_max = 8 << 20;
constexpr std::size_t key_bytes_max = 2 << 20;

PartitionOptions partition_options(const CanonicalOptions& options) {
  const std::size_t others = fixed_bytes + options.threads * thread_bytes;
  PartitionOptions partition;
  partition.memory_bytes =
      std::max(options.memory_bytes - std::min(options.memory_bytes, others), store_bytes_min);
  partition.partition_bytes = partition_bytes;
  partition.partition_bytes_max = partition_bytes_max;
  partition.by_slot = options.by_slot;
  return partition;
}

/// A run holds at least one key whole, and a run is one chunk.
Error too_long_key(const rdb::RecordHeader& record) {
  return {.stage = Stage::storage,
          .code = "key_too_long",
          .message = "db " + std::to_string(record.db) + " key \"" + rdb::escape(record.key, 64) +
                     "\" has " + std::to_string(record.key.size()) + " bytes, at most " +
                     std::to_string(key_bytes_max) +
                     " can be sorted: use --layout stream, which keeps it"};
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
    ++running_;
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
    : repository_(repository),
      writer_(writer),
      parent_(parent),
      options_(options),
      what_(std::move(what)),
      store_(partition_options(options),
             parent != nullptr ? fences_of(*parent, partition_bytes) : std::vector<Fence>()),
      fragments_({.repository = &repository,
                  .writer = &writer,
                  .parent = parent,
                  .compression = options.compression}),
      preamble_(repository, writer, options.compression) {}

Result<void> CanonicalIngest::feed(std::span<const std::byte> bytes) {
  const auto taken = parser_.feed(bytes);
  if (error_) return std::unexpected(*error_);
  if (!taken) return std::unexpected(from_rdb(taken.error(), what_));
  trailing_bytes_ += bytes.size() - *taken;
  if (store_.error()) return std::unexpected(*store_.error());
  return {};
}

Result<void> CanonicalIngest::finish(const OnProgress& on_progress, const std::stop_token& stop) {
  if (auto ended = parser_.finish(); !ended) return std::unexpected(from_rdb(ended.error(), what_));
  if (auto stored = preamble_.finish(); !stored) return stored;
  if (auto dealt = store_.finish(); !dealt) return dealt;
  if (auto encoded = encode_partitions(on_progress, stop); !encoded) return encoded;
  return append_chunks();
}

RunEncoderOptions CanonicalIngest::encoder_options() const {
  return {.repository = &repository_,
          .writer = &writer_,
          .parent = parent_,
          .compression = options_.compression,
          .header = *handler_.header(),
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

Result<void> CanonicalIngest::append_chunks() {
  const auto append = [this](const storage::ChunkDraft& chunk) -> Result<void> {
    if (auto appended = writer_.append_chunk(chunk); !appended)
      return std::unexpected(from_storage(appended.error()));
    return {};
  };
  for (const auto& chunk : preamble_.head()) {
    if (auto done = append(chunk); !done) return done;
  }
  std::uint64_t records = 0;
  for (auto& partition : runs_) {
    for (const RunDraft& run : partition) {
      if (auto done = append(run.chunk); !done) return done;
      for (const LongValue& value : run.long_values)
        long_values_.push_back(
            {.record = records + value.record, .value_bytes = value.value_bytes});
      const RunTag tag = RunTag::of(run.chunk.tag);
      records += tag.records;
      digest_ += tag.digest;
    }
    partition = {};
  }
  for (const auto* chunks : {&fragments_.chunks(), &preamble_.tail()}) {
    for (const auto& chunk : *chunks) {
      if (auto done = append(chunk); !done) return done;
    }
  }
  if (records == handler_.keys()) return {};
  return std::unexpected(Error{.stage = Stage::engine,
                               .code = "internal",
                               .message = "keys were lost while they were sorted; this is a fault "
                                          "of sluice, please report it"});
}

DigestOutcome CanonicalIngest::digest() const {
  DigestOutcome outcome{
      .digest = {}, .undecodable = counts_.undecodable, .first_problem = counts_.first_problem};
  if (outcome.undecodable == 0) outcome.digest = rdb::to_string(digest_);
  return outcome;
}

bool CanonicalIngest::Dealer::keep(const Result<void>& outcome) {
  if (outcome) return true;
  if (!ingest_.error_) ingest_.error_ = outcome.error();
  return false;
}

bool CanonicalIngest::Dealer::on_header(const rdb::Header& header) {
  rdb::Writer magic(header, [this](auto bytes) { ingest_.preamble_.add(bytes); });
  magic.begin();
  magic.flush();
  return StreamFacts::on_header(header);
}

bool CanonicalIngest::Dealer::on_metadata_part(std::span<const std::byte> part) {
  ingest_.preamble_.add(part);
  return true;
}

bool CanonicalIngest::Dealer::on_database(std::uint64_t db) {
  db_ = db;
  return StreamFacts::on_database(db);
}

bool CanonicalIngest::Dealer::on_database_size(std::uint64_t keys, std::uint64_t expires) {
  ingest_.store_.expect(db_, keys);
  return StreamFacts::on_database_size(keys, expires);
}

bool CanonicalIngest::Dealer::on_record_begin(const rdb::RecordHeader& record) {
  if (keys() == 0) ingest_.preamble_.end_head();
  key_.assign(record.key.begin(), record.key.end());
  meta_.assign(record.key_meta.begin(), record.key_meta.end());
  record_ = {.key = key_,
             .type = record.type->number,
             .expire_at_ms = record.expire_at_ms,
             .idle_s = {},
             .freq = {},
             .meta = meta_,
             .fragmented = false,
             .value = {}};
  if (ingest_.options_.keep_access) {
    record_.idle_s = record.lru_idle_s;
    record_.freq = record.lfu_freq;
  }
  is_long_ = false;
  if (record.key.size() > key_bytes_max) return keep(std::unexpected(too_long_key(record)));
  ingest_.store_.begin(record.db, record_);
  return StreamFacts::on_record_begin(record);
}

bool CanonicalIngest::Dealer::on_value_part(std::span<const std::byte> part) {
  const bool too_long = value_bytes() + part.size() > long_value_bytes;
  if (!is_long_ && too_long && !begin_long_value()) return false;
  if (is_long_) {
    ingest_.long_digest_.add(part);
    if (!keep(ingest_.fragments_.feed(part))) return false;
  } else {
    ingest_.store_.append(part);
  }
  return StreamFacts::on_value_part(part);
}

/// What came of the value so far moves from the store to the fragments.
bool CanonicalIngest::Dealer::begin_long_value() {
  is_long_ = true;
  const auto begun = ingest_.store_.begun_value();
  ingest_.long_digest_.begin({.index = keys(),
                              .offset = 0,
                              .db = db_,
                              .type = rdb::find_value_type(header()->dialect, record_.type),
                              .value_offset = 0,
                              .key = key_,
                              .expire_at_ms = record_.expire_at_ms,
                              .lru_idle_s = {},
                              .lfu_freq = {},
                              .key_meta = meta_},
                             *header());
  ingest_.long_digest_.add(begun);
  ingest_.fragments_.begin();
  const bool fed = keep(ingest_.fragments_.feed(begun));
  ingest_.store_.drop();
  return fed;
}

bool CanonicalIngest::Dealer::on_record_end(std::uint64_t offset) {
  if (!is_long_) {
    ingest_.store_.end();
    return StreamFacts::on_record_end(offset);
  }
  const auto list = ingest_.fragments_.end();
  if (!list) return keep(std::unexpected(list.error()));
  (*list)->terms = ingest_.long_digest_.end_record();
  write_fragment_list(**list, list_);
  record_.fragmented = true;
  record_.value = list_;
  ingest_.store_.add(db_, record_);
  return StreamFacts::on_record_end(offset);
}

}  // namespace sluice::engine
