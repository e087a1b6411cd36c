#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "engine/digest_reader.h"
#include "engine/stream_facts.h"
#include "sluice/result.h"

namespace sluice::engine {

/// Checks an RDB stream while it arrives and stores it in a backup, in one layout or another.
class Ingest {
 public:
  /// How far finish() is: RDB bytes stored, of bytes().
  using OnProgress = std::function<void(std::uint64_t bytes)>;

  Ingest() = default;
  Ingest(const Ingest&) = delete;
  Ingest& operator=(const Ingest&) = delete;
  virtual ~Ingest() = default;

  /// Takes in what comes next. Bytes after the end of the RDB are counted and dropped.
  [[nodiscard]] virtual Result<void> feed(std::span<const std::byte> bytes) = 0;
  /// While the source sends faster than feed() takes, what is compressed on the way is stored as it
  /// is.
  virtual void set_behind(bool is_behind) = 0;
  /// No more will come; stores all that is not stored yet. Errors: "truncated" unless the RDB is
  /// complete; "cancelled".
  [[nodiscard]] virtual Result<void> finish(const OnProgress& on_progress,
                                            const std::stop_token& stop) = 0;

  [[nodiscard]] virtual const StreamFacts& facts() const noexcept = 0;
  /// RDB bytes taken in.
  [[nodiscard]] virtual std::uint64_t bytes() const noexcept = 0;
  [[nodiscard]] virtual std::uint64_t trailing_bytes() const noexcept = 0;
  /// After finish().
  [[nodiscard]] virtual DigestOutcome digest() const = 0;
  /// After finish(): by the index of the record in the order in which it is read back.
  [[nodiscard]] virtual std::vector<LongValue> long_values() const = 0;
};

}  // namespace sluice::engine
