#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/digest_reader.h"
#include "engine/fragment_writer.h"
#include "engine/partition_store.h"
#include "engine/preamble.h"
#include "engine/record.h"
#include "engine/stream_facts.h"
#include "rdb/parser.h"
#include "sluice/result.h"

namespace sluice::engine {

/// What the streams of one canonical ingest have in common.
struct IngestShare {
  PartitionStore& store;
  bool keep_access = false;
};

/// One RDB stream on its way into a PartitionStore: records go to the store, long values to
/// fragments, and what is around them to whoever wants it.
///
/// The store has one record at a time whose value is still coming. Of several streams one is
/// current; the others pause().
/// Memory:  as its FragmentWriter once there is a long value; one value while it is paused.
/// Threads: one at a time.
class IngestStream final : public StreamFacts {
 public:
  struct Options {
    std::string what;  ///< Names it in errors.
    FragmentWriter::Options fragments;
    /// Where its preamble goes, before and after the first record; null: nowhere.
    PreambleWriter* head = nullptr;
    PreambleWriter* tail = nullptr;
    bool has_magic = true;  ///< Whether the magic is part of the head.
    /// Told of every function library; may be empty.
    std::function<void(std::span<const std::byte> source)> on_function;
    /// Whether a slot belongs to the sender; empty: all do.
    std::function<bool(std::uint16_t slot)> owns;
  };

  IngestStream(IngestShare share, Options options);

  [[nodiscard]] Result<void> feed(std::span<const std::byte> bytes);
  /// No more will come. Errors: "truncated".
  [[nodiscard]] Result<void> finish();
  /// Between two feed(): another stream has its turn, and this one again.
  void pause();
  void resume();

  void set_behind(bool is_behind) noexcept { fragments_.set_behind(is_behind); }
  [[nodiscard]] std::uint64_t bytes() const noexcept { return parser_.offset(); }
  [[nodiscard]] std::uint64_t trailing_bytes() const noexcept { return trailing_bytes_; }
  [[nodiscard]] const std::vector<storage::ChunkDraft>& fragments() const noexcept {
    return fragments_.chunks();
  }

  // Handler.
  bool on_header(const rdb::Header& header) override;
  bool on_metadata_part(std::span<const std::byte> part) override;
  bool on_function(std::span<const std::byte> source) override;
  bool on_database_size(std::uint64_t keys, std::uint64_t expires) override;
  bool on_database(std::uint64_t db) override;
  bool on_record_begin(const rdb::RecordHeader& record) override;
  bool on_value_part(std::span<const std::byte> part) override;
  bool on_record_end(std::uint64_t offset) override;

 private:
  bool begin_long_value();
  bool keep(const Result<void>& outcome);

  IngestShare share_;
  Options options_;
  FragmentWriter fragments_;
  DigestReader long_digest_;    // of long values
  std::optional<Error> error_;  // why the handler stopped the parser
  rdb::Parser parser_{*this};
  std::uint64_t trailing_bytes_ = 0;
  std::uint64_t db_ = 0;
  // Of the record that is being read.
  bool in_record_ = false;
  bool is_long_ = false;
  Record record_;  // its key and meta lie in key_ and meta_
  std::vector<std::byte> key_;
  std::vector<std::byte> meta_;
  std::vector<std::byte> list_;    // of fragments, serialised
  std::vector<std::byte> parked_;  // the value so far, while paused
};

}  // namespace sluice::engine
