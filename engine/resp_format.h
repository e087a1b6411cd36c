#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/command_text.h"
#include "engine/export_format.h"
#include "engine/resp_stream.h"
#include "engine/scratch_sorter.h"
#include "engine/target_limits.h"
#include "rdb/dump.h"

namespace sluice::engine {

/// Arguments that are gathered for a command that takes many.
class ArgumentBatch {
 public:
  void text(const rdb::Text& part);
  void arg(std::span<const std::byte> bytes) { text({.bytes = bytes, .size = bytes.size()}); }
  [[nodiscard]] std::uint64_t count() const noexcept { return count_; }
  [[nodiscard]] bool full() const noexcept {
    return count_ >= count_max || bytes_.size() >= bytes_max;
  }
  [[nodiscard]] const std::string& bytes() const noexcept { return bytes_; }
  void clear() {
    bytes_.clear();
    count_ = 0;
  }

  static constexpr std::size_t bytes_max = 64 << 10;  ///< Longer ones get a command of their own.

 private:
  static constexpr std::uint64_t count_max = 512;

  std::string bytes_;
  std::uint64_t count_ = 0;
};

/// The commands that make the dataset anew in an empty server, as `redis-cli --pipe` takes them.
/// Source: Redis' command reference; docs/cli.md for what is not carried over.
///
/// Memory: some 10 MiB with the default limits, whatever the size of a value, and the longest key.
class RespFormat final : public ExportFormat {
 public:
  struct Options {
    ScratchLimits limits;
    bool selects = true;  ///< A SELECT stands before the first key of each database.
    std::optional<bool> for_older = std::nullopt;       ///< As for RespStream.
    std::optional<TargetLimits> target = std::nullopt;  ///< What is above them is an error.
  };

  explicit RespFormat(OutputBuffer& out) : RespFormat(out, Options()) {}
  RespFormat(OutputBuffer& out, const Options& options);

  [[nodiscard]] Want begin(const rdb::RecordHeader& record) override;
  void on_bytes(std::span<const std::byte> part) override;
  void end(std::uint64_t value_bytes) override;
  void on_function(std::span<const std::byte> source) override;

  bool on_text(rdb::Role role, const rdb::Text& text) override;
  bool on_number(rdb::Role role, std::uint64_t number) override;
  bool on_real(rdb::Role role, double real) override;
  bool on_stream_id(rdb::Role role, rdb::StreamId id) override;

  [[nodiscard]] std::optional<Error> error() const override;

 private:
  bool fits(rdb::Role role, std::uint64_t size);
  void begin_command(std::uint64_t argc, std::string_view verb);
  void flush();
  void add_string(const rdb::Text& text);
  void add_element(const rdb::Text& text);
  void add_value(const rdb::Text& text);
  void add_score(double score);
  void add_field_expiry(std::uint64_t at_ms);
  void add_array_text(const rdb::Text& text);
  void restore();

  OutputBuffer& out_;
  const bool selects_;
  const std::optional<TargetLimits> target_;
  CommandText commands_;
  RespStream stream_;
  ArgumentBatch batch_;
  Spool head_;      // the field or member that waits for its value or score
  Spool expiries_;  // commands that come after those of the batch
  OutputBuffer expiry_out_;
  CommandText expiry_commands_;
  Spool payload_bytes_;
  std::optional<rdb::DumpPayload> payload_;

  std::vector<std::byte> key_;
  std::string_view verb_;
  rdb::LogicalType type_{};
  std::optional<std::uint64_t> db_;
  std::optional<std::int64_t> expire_at_ms_;
  std::uint64_t string_left_ = 0;  // bytes of a long string, and of its part being written
  std::uint64_t chunk_left_ = 0;
  std::uint64_t array_index_ = 0;
  std::optional<std::uint64_t> array_insert_index_;
  std::optional<Error> error_;
};

}  // namespace sluice::engine
