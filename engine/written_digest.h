#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <span>
#include <string>
#include <utility>

#include "engine/digest_reader.h"
#include "engine/digest_windows.h"

namespace sluice::engine {

/// The digest of what a restore has written, taken while it writes. A record counts once the target
/// has said that it took it.
///
/// Threads: begin() to taken() and not_sent() on one, answered() on any; what it tells, once all
///          is answered.
class WrittenDigest final : private rdb::DigestTermHandler {
 public:
  /// What a record that is on its way adds once it is written.
  struct Sent {
    rdb::DigestTerm term;
    bool decoded = false;
    bool has_fields = false;  ///< That expire: they are in the windows already.
  };

  /// `start_ms`: Unix time, that of the windows.
  explicit WrittenDigest(std::int64_t start_ms) : windows_(start_ms), reader_(this) {}

  /// A record that is about to be sent, and its value. Ends with taken() or not_sent().
  void begin(const rdb::RecordHeader& record, const rdb::Header& header);
  void add(std::span<const std::byte> part) { reader_.add(part); }
  /// The record is complete: what to hand to answered() once it is known what became of it.
  [[nodiscard]] Sent taken();
  void not_sent();
  void answered(const Sent& record, bool written);

  /// Goes on where another one ended. Precondition: the windows have the same start.
  void resume(const DigestWindows::Sums& sums, std::string gap) {
    windows_.set_sums(sums);
    gap_ = std::move(gap);
  }

  [[nodiscard]] const DigestWindows& windows() const noexcept { return windows_; }
  /// Why it is not known what was written; empty when it is.
  [[nodiscard]] const std::string& gap() const noexcept { return gap_; }

 private:
  void on_field_term(const rdb::DigestTerm& term) override;
  void on_record_term(const rdb::DigestTerm& term) override { current_.term = term; }

  std::mutex mutex_;  // of what follows, up to the reader
  DigestWindows windows_;
  std::string gap_;
  std::string problem_;  // of the first value that could not be decoded
  DigestReader reader_;
  Sent current_;
};

}  // namespace sluice::engine
