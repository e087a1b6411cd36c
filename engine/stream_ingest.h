#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "engine/background_digest.h"
#include "engine/chunk_cutter.h"
#include "engine/ingest.h"
#include "engine/stream_facts.h"
#include "rdb/parser.h"
#include "sluice/result.h"
#include "storage/backup_writer.h"

namespace sluice::engine {

/// Checks an RDB stream while it arrives and stores it byte for byte, cut at record borders
/// (layout stream). Takes the dataset digest on the way.
///
/// Memory:  one chunk, beside what parser, writer and BackgroundDigest hold.
/// Threads: one at a time; another takes the digest.
class StreamIngest final : public Ingest {
 public:
  /// `what` names the stream in errors. `writer` must outlive this.
  StreamIngest(storage::BackupWriter& writer, const storage::Compression& compression,
               std::string what);

  /// Parses `bytes` and stores what chunks they complete.
  [[nodiscard]] Result<void> feed(std::span<const std::byte> bytes) override;
  void set_behind(bool is_behind) override { is_behind_ = is_behind; }
  /// Stores the last chunk.
  [[nodiscard]] Result<void> finish(const OnProgress& on_progress,
                                    const std::stop_token& stop) override;

  [[nodiscard]] const StreamFacts& facts() const noexcept override { return handler_; }
  [[nodiscard]] std::uint64_t bytes() const noexcept override { return parser_.offset(); }
  [[nodiscard]] std::uint64_t trailing_bytes() const noexcept override { return trailing_bytes_; }
  [[nodiscard]] DigestOutcome digest() const override { return digest_.reader().outcome(); }
  [[nodiscard]] std::vector<LongValue> long_values() const override {
    return handler_.long_values();
  }

 private:
  class BorderHandler final : public StreamFacts {
   public:
    bool on_database(std::uint64_t db) override {
      db_ = db;
      return true;
    }
    bool on_record_end(std::uint64_t offset) override {
      StreamFacts::on_record_end(offset);
      cutter.on_border(offset, keys(), db_);
      return true;
    }

    ChunkCutter cutter;

   private:
    std::uint64_t db_ = 0;
  };

  /// Stores the chunks that are complete and holds the rest of `bytes`, which follow held_.
  Result<void> store(std::span<const std::byte> bytes);
  /// Moves `size` bytes from the front of `bytes` to the end of held_.
  void hold(std::span<const std::byte>& bytes, std::size_t size);

  storage::BackupWriter& writer_;
  storage::Compression compression_;
  bool is_behind_ = false;
  std::string what_;
  BorderHandler handler_;
  rdb::Parser parser_;
  BackgroundDigest digest_;
  std::vector<std::byte> held_;  // what was parsed and is in no stored chunk yet
  std::uint64_t trailing_bytes_ = 0;
};

}  // namespace sluice::engine
