#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <string>

#include "engine/digest_reader.h"
#include "engine/digest_windows.h"

namespace sluice::engine {

/// The digest of what a restore has written, taken while it writes. A record counts once the target
/// has said that it took it.
///
/// Memory:  32 bytes for each command in flight, and the windows.
/// Threads: one at a time.
class WrittenDigest final : private rdb::DigestTermHandler {
 public:
  /// `start_ms`: Unix time, that of the windows.
  explicit WrittenDigest(std::int64_t start_ms) : windows_(start_ms), reader_(this) {}

  /// A record that is about to be sent, and its value. Ends with sent() or not_sent().
  void begin(const rdb::RecordHeader& record, const rdb::Header& header);
  void add(std::span<const std::byte> part) { reader_.add(part); }
  /// The record is complete, and so is its command.
  void sent();
  void not_sent();
  /// What became of the oldest command that has no answer.
  void answered(bool written);

  [[nodiscard]] const DigestWindows& windows() const noexcept { return windows_; }
  /// Why it is not known what was written; empty when it is.
  [[nodiscard]] const std::string& gap() const noexcept { return gap_; }

 private:
  struct Sent {
    rdb::DigestTerm term;
    bool decoded = false;
    bool has_fields = false;  // that expire: they are in the windows already
  };

  void on_field_term(const rdb::DigestTerm& term) override;
  void on_record_term(const rdb::DigestTerm& term) override { current_.term = term; }
  void take_back(const Sent& record);

  DigestWindows windows_;
  DigestReader reader_;
  Sent current_;
  std::deque<Sent> sent_;  // without an answer, oldest first
  std::string gap_;
};

}  // namespace sluice::engine
