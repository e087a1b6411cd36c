#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "engine/digest_reader.h"
#include "engine/function_set.h"
#include "engine/ingest.h"
#include "engine/ingest_stream.h"
#include "engine/parent_backup.h"
#include "engine/partition_store.h"
#include "engine/preamble.h"
#include "engine/run_encoder.h"
#include "storage/backup_writer.h"
#include "storage/repository.h"

namespace sluice::engine {

struct CanonicalOptions {
  static constexpr std::size_t memory_bytes_min = 96 << 20;

  std::size_t memory_bytes = 256 << 20;  ///< Of the whole job.
  unsigned threads = 2;                  ///< That sort and encode once the stream has ended.
  storage::Compression compression;
  bool keep_access = false;  ///< LRU and LFU of each key, which differ from one backup to the next.
  bool by_slot = false;      ///< The source is a node of a cluster.
};

/// One of several RDB streams that make one dataset.
struct ShardStream {
  std::string what;  ///< Names it in errors.
  /// Whether its sender serves a slot.
  std::function<bool(std::uint16_t slot)> owns;
};

/// Checks RDB streams while they arrive and stores them in canonical layout: sorted by key,
/// compared with the parent run by run (docs/architecture.md, docs/record-format.md).
///
/// While a stream comes it is framed and dealt out to partitions, nothing more, so that whoever
/// sends it does not wait; sorting, comparing, compressing and the digest come after the last byte.
/// Only long values are stored at once, as they cannot be kept.
///
/// Mostly there is one stream. The shards of a cluster have one each: their records are sorted
/// together; of a key that several of them send, the one of the slot's owner counts. The aux
/// fields, and what modules keep outside of keys, are those of the first; function libraries those
/// of all. Memory:  options.memory_bytes. Threads: one at a time, beside those of the
/// PartitionStore; `threads` more during finish().
class CanonicalIngest final : public Ingest {
 public:
  /// `what` names the stream in errors. All that is referred to must outlive this; `parent` may be
  /// null.
  CanonicalIngest(const storage::Repository& repository, storage::BackupWriter& writer,
                  const ParentBackup* parent, const CanonicalOptions& options, std::string what);
  /// For the shards of a cluster; options.by_slot is set.
  CanonicalIngest(const storage::Repository& repository, storage::BackupWriter& writer,
                  const ParentBackup* parent, const CanonicalOptions& options,
                  std::vector<ShardStream> shards);

  [[nodiscard]] Result<void> feed(std::span<const std::byte> bytes) override {
    return feed(0, bytes);
  }
  /// The same for one of several streams.
  [[nodiscard]] Result<void> feed(std::size_t stream, std::span<const std::byte> bytes);
  void set_behind(bool is_behind) override;
  /// Errors: also "mixed_versions" when the streams have versions that no RDB has together.
  [[nodiscard]] Result<void> finish(const OnProgress& on_progress,
                                    const std::stop_token& stop) override;

  /// Of several streams: all taken together, after finish().
  [[nodiscard]] const StreamFacts& facts() const noexcept override {
    return streams_.size() == 1 ? static_cast<const StreamFacts&>(*streams_[0]) : merged_;
  }
  /// Of one of several.
  [[nodiscard]] const StreamFacts& facts(std::size_t stream) const { return *streams_[stream]; }
  [[nodiscard]] std::uint64_t keys() const noexcept;
  [[nodiscard]] std::uint64_t bytes() const noexcept override;
  [[nodiscard]] std::uint64_t trailing_bytes() const noexcept override;
  [[nodiscard]] DigestOutcome digest() const override;
  [[nodiscard]] std::vector<LongValue> long_values() const override { return long_values_; }

  /// After finish().
  [[nodiscard]] const RunCounts& counts() const noexcept { return counts_; }
  /// Keys that two shards sent.
  [[nodiscard]] std::uint64_t keys_sent_twice() const noexcept { return dropped_.size(); }
  /// Names of function libraries that are not the same on all shards.
  [[nodiscard]] const std::vector<std::string>& differing_functions() const noexcept {
    return functions_.differing();
  }
  [[nodiscard]] PartitionStats partition_stats() const noexcept { return store_.stats(); }

 private:
  /// A record that gave way to another.
  struct Dropped {
    std::uint64_t db = 0;
    std::uint8_t type = 0;
  };

  [[nodiscard]] PartitionOptions partition_options();
  void add_stream(std::string what, std::function<bool(std::uint16_t)> owns);
  void add_function(std::span<const std::byte> source);
  Result<void> merge_shards();
  Result<void> encode_partitions(const OnProgress& on_progress, const std::stop_token& stop);
  Result<void> append_chunks();
  Result<void> append(const std::vector<storage::ChunkDraft>& chunks);
  Result<std::uint64_t> append_runs();
  [[nodiscard]] RunEncoderOptions encoder_options() const;

  const storage::Repository& repository_;
  storage::BackupWriter& writer_;
  const ParentBackup* parent_;
  CanonicalOptions options_;
  std::size_t shards_;  // 0: one stream, of whoever
  std::mutex dropped_mutex_;
  std::vector<Dropped> dropped_;
  PartitionStore store_;
  PreambleWriter magic_;  // of several streams; of one it is in the head
  PreambleWriter head_;
  PreambleWriter functions_head_;  // those that the first stream does not have
  PreambleWriter tail_;
  FunctionSet functions_;       // of the first stream
  FunctionSet more_functions_;  // of the others
  std::vector<std::unique_ptr<IngestStream>> streams_;
  std::size_t current_ = 0;
  StreamFacts merged_;
  std::vector<std::vector<RunDraft>> runs_;  // by partition
  std::vector<LongValue> long_values_;
  rdb::Digest128 digest_;
  RunCounts counts_;
};

}  // namespace sluice::engine
