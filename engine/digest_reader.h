#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "engine/stream_facts.h"
#include "rdb/digest.h"
#include "rdb/handler.h"
#include "rdb/value_reader.h"

namespace sluice::engine {

/// The dataset digest of what was taken in, or why there is none.
struct DigestOutcome {
  std::optional<std::string> digest;  ///< docs/digest.md; none when a value cannot be decoded.
  std::uint64_t undecodable = 0;      ///< Such values.
  std::string first_problem;          ///< The first of them, its key and why.
};

/// Takes the dataset digest of records whose bytes pass by, whatever else becomes of them. A value
/// that cannot be decoded is counted and leaves the dataset without a digest; that is no error,
/// since its bytes are what the server sent.
///
/// Memory:  as ValueReader.
/// Threads: none; one at a time.
class DigestReader {
 public:
  /// `terms` may be null; else it must outlive this.
  explicit DigestReader(rdb::DigestTermHandler* terms = nullptr)
      : digest_(terms), reader_(digest_, {.texts = rdb::Roles::all(), .strict = false}) {}

  void begin(const rdb::RecordHeader& record, const rdb::Header& header);
  void add(std::span<const std::byte> part);
  /// False when the value could not be decoded.
  bool end();
  /// The same; gives what the record adds to the sum, nullopt when it could not be decoded.
  std::optional<rdb::Digest128> end_record();

  [[nodiscard]] std::uint64_t keys() const noexcept { return digest_.keys(); }
  /// Null when a value could not be decoded.
  [[nodiscard]] std::optional<std::string> digest() const;
  [[nodiscard]] std::uint64_t undecodable() const noexcept { return undecodable_; }
  /// The first value that could not be decoded, its key and why. Empty when there is none.
  [[nodiscard]] const std::string& first_problem() const noexcept { return first_problem_; }
  [[nodiscard]] DigestOutcome outcome() const {
    return {.digest = digest(), .undecodable = undecodable_, .first_problem = first_problem_};
  }

 private:
  void fail(const rdb::Error& error);

  rdb::DatasetDigest digest_;
  rdb::ValueReader reader_;
  rdb::Digest128 sum_before_;  // the current record
  bool decodable_ = false;
  std::uint64_t undecodable_ = 0;
  std::string first_problem_;
};

/// What a pass over an RDB stream tells, and the digest of what it holds.
class FactsAndDigest : public StreamFacts {
 public:
  explicit FactsAndDigest(rdb::DigestTermHandler* terms = nullptr) : digest_(terms) {}

  [[nodiscard]] const DigestReader& digest() const noexcept { return digest_; }

  bool on_record_begin(const rdb::RecordHeader& record) override {
    digest_.begin(record, *header());
    return StreamFacts::on_record_begin(record);
  }
  bool on_value_part(std::span<const std::byte> part) override {
    digest_.add(part);
    return StreamFacts::on_value_part(part);
  }
  bool on_record_end(std::uint64_t offset) override {
    digest_.end();
    return StreamFacts::on_record_end(offset);
  }

 private:
  DigestReader digest_;
};

}  // namespace sluice::engine
