#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/digest_reader.h"
#include "engine/fragment_writer.h"
#include "engine/ingest.h"
#include "engine/parent_backup.h"
#include "engine/partition_store.h"
#include "engine/preamble.h"
#include "engine/run_encoder.h"
#include "rdb/parser.h"
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

/// Checks an RDB stream while it arrives and stores it in canonical layout: sorted by key, compared
/// with the parent run by run (docs/architecture.md, docs/record-format.md).
///
/// While the stream comes it is framed and dealt out to partitions, nothing more, so that whoever
/// sends it does not wait; sorting, comparing, compressing and the digest come after its last byte.
/// Only long values are stored at once, as they cannot be kept.
/// Memory:  options.memory_bytes.
/// Threads: one at a time; `threads` more during finish().
class CanonicalIngest final : public Ingest {
 public:
  /// `what` names the stream in errors. All that is referred to must outlive this; `parent` may be
  /// null.
  CanonicalIngest(const storage::Repository& repository, storage::BackupWriter& writer,
                  const ParentBackup* parent, const CanonicalOptions& options, std::string what);

  [[nodiscard]] Result<void> feed(std::span<const std::byte> bytes) override;
  void set_behind(bool is_behind) override { fragments_.set_behind(is_behind); }
  [[nodiscard]] Result<void> finish(const OnProgress& on_progress,
                                    const std::stop_token& stop) override;

  [[nodiscard]] const StreamFacts& facts() const noexcept override { return handler_; }
  [[nodiscard]] std::uint64_t bytes() const noexcept override { return parser_.offset(); }
  [[nodiscard]] std::uint64_t trailing_bytes() const noexcept override { return trailing_bytes_; }
  [[nodiscard]] DigestOutcome digest() const override;
  [[nodiscard]] std::vector<LongValue> long_values() const override { return long_values_; }

  /// After finish().
  [[nodiscard]] const RunCounts& counts() const noexcept { return counts_; }
  [[nodiscard]] PartitionStats partition_stats() const noexcept { return store_.stats(); }

 private:
  /// Passes records to the store and what is around them to the preamble.
  class Dealer final : public StreamFacts {
   public:
    explicit Dealer(CanonicalIngest& ingest) : ingest_(ingest) {}

    bool on_header(const rdb::Header& header) override;
    bool on_metadata_part(std::span<const std::byte> part) override;
    bool on_database_size(std::uint64_t keys, std::uint64_t expires) override;
    bool on_database(std::uint64_t db) override;
    bool on_record_begin(const rdb::RecordHeader& record) override;
    bool on_value_part(std::span<const std::byte> part) override;
    bool on_record_end(std::uint64_t offset) override;

   private:
    bool begin_long_value();
    bool keep(const Result<void>& outcome);

    CanonicalIngest& ingest_;
    std::uint64_t db_ = 0;
    // Of the record that is being read.
    bool is_long_ = false;
    Record record_;  // its key and meta lie in key_ and meta_
    std::vector<std::byte> key_;
    std::vector<std::byte> meta_;
    std::vector<std::byte> list_;  // of fragments, serialised
  };

  Result<void> encode_partitions(const OnProgress& on_progress, const std::stop_token& stop);
  Result<void> append_chunks();
  [[nodiscard]] RunEncoderOptions encoder_options() const;

  const storage::Repository& repository_;
  storage::BackupWriter& writer_;
  const ParentBackup* parent_;
  CanonicalOptions options_;
  std::string what_;
  PartitionStore store_;
  FragmentWriter fragments_;
  PreambleWriter preamble_;
  DigestReader long_digest_;    // of long values
  std::optional<Error> error_;  // why the handler stopped the parser
  Dealer handler_{*this};
  rdb::Parser parser_{handler_};
  std::uint64_t trailing_bytes_ = 0;
  std::vector<std::vector<RunDraft>> runs_;  // by partition
  std::vector<LongValue> long_values_;
  rdb::Digest128 digest_;
  RunCounts counts_;
};

}  // namespace sluice::engine
