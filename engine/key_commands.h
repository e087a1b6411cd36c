#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/output_buffer.h"
#include "engine/resp_format.h"
#include "net/command_batch.h"
#include "net/command_scanner.h"
#include "rdb/value_reader.h"

namespace sluice::engine {

/// Writes keys as the commands that make them, into a batch of commands:
///
///     commands.begin(record, header, tag, replace);
///     commands.feed(part);  …  commands.end();
///     ledger.end_key(tag, commands.count(), key);
///
/// A value of any size passes through: the batch is given away in the midst of a key when it is
/// full.
/// Memory:  that of RespFormat, and the longest key.
/// Errors:  of feed() and end(), one line: the value cannot be decoded, the target would hang up on
///          an element of it, or the way to the target broke. What was written of the key is then
///          complete commands, the last of which deletes it.
/// Threads: one at a time.
class KeyCommands {
 public:
  /// Called when `batch` has batch_bytes or more, in the midst of a key; false: the way is broken.
  using OnFull = std::function<bool()>;

  struct Target {
    std::optional<bool> is_older;  ///< As for RespStream.
    TargetLimits limits;
  };

  KeyCommands(net::CommandBatch& batch, std::size_t batch_bytes, OnFull on_full, Target target);

  void set_batch_bytes(std::size_t bytes) noexcept { batch_bytes_ = bytes; }

  /// `replace`: what is there under the name is deleted first.
  void begin(const rdb::RecordHeader& record, const rdb::Header& header, std::uint64_t tag,
             bool replace);
  [[nodiscard]] bool feed(std::span<const std::byte> part);
  [[nodiscard]] bool end();

  /// The rest of the key will not come: as after an error. Always false.
  bool give_up(std::string why);
  /// The rest of the key is not wanted: nothing more of it is written.
  void mute() noexcept { muted_ = true; }

  /// Commands of the key so far; all of them after end(), or after a failure.
  [[nodiscard]] std::uint64_t count() const noexcept { return count_; }
  /// Why feed() or end() returned false; empty when the way to the target is broken.
  [[nodiscard]] const std::string& problem() const noexcept { return problem_; }

 private:
  bool drain(std::span<const std::byte> bytes);
  bool settle(const rdb::Result<void>& outcome);
  void make_format();
  void start_anew();

  net::CommandBatch& batch_;
  std::size_t batch_bytes_;
  OnFull on_full_;
  Target target_;
  net::CommandScanner scanner_;
  OutputBuffer out_;
  std::unique_ptr<RespFormat> format_;
  std::unique_ptr<rdb::ValueReader> reader_;

  std::vector<std::byte> key_;
  std::uint64_t tag_ = 0;
  std::uint64_t count_ = 0;
  std::uint64_t value_bytes_ = 0;
  ExportFormat::Want want_{};
  bool muted_ = false;
  std::string problem_;
};

}  // namespace sluice::engine
