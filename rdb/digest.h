#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "rdb/digest128.h"
#include "rdb/digest_module.h"
#include "rdb/digest_stream.h"
#include "rdb/handler.h"
#include "rdb/value_handler.h"

namespace sluice::rdb {

/// One of the numbers that a dataset digest is the sum of.
struct DigestTerm {
  static constexpr std::int64_t never = std::numeric_limits<std::int64_t>::max();

  Digest128 digest;
  /// From this Unix time in ms on the server may have dropped what the term stands for.
  std::int64_t gone_at_ms = never;
};

/// Is told the terms one by one; for who needs sums over a part of the dataset.
class DigestTermHandler {
 public:
  DigestTermHandler() = default;
  DigestTermHandler(const DigestTermHandler&) = delete;
  DigestTermHandler& operator=(const DigestTermHandler&) = delete;
  virtual ~DigestTermHandler() = default;

  /// A hash field with an expiry, of the record that is being read.
  virtual void on_field_term(const DigestTerm& term) = 0;
  /// The record itself, once it is complete.
  virtual void on_record_term(const DigestTerm& term) = 0;
};

/// The dataset digest: a number that two datasets have in common when they hold the same data,
/// whatever the order of the keys, the encodings and the server. docs/digest.md has the definition.
///
///     digest.begin(record);      // in on_record_begin, before the reader's
///     …                          // a ValueReader, strict or not, tells what is in the value
///     digest.end();              // once the value is complete and was without error
///
/// A value of which the end was not reached is not counted when the next one begins, but its fields
/// that expire are: after an error value() is of no use.
///
/// Not cryptographic: it finds what was lost or damaged, not what somebody forged.
/// Memory:  O(1), whatever the size of a value; nothing is allocated for a value that comes in one
///          part. Threads: none.
class DatasetDigest final : public ValueHandler {
 public:
  /// `terms` may be null; else it must outlive this.
  explicit DatasetDigest(DigestTermHandler* terms = nullptr);
  ~DatasetDigest() override;

  /// `record` is used during the call only.
  void begin(const RecordHeader& record);
  void end();

  [[nodiscard]] std::uint64_t keys() const noexcept { return keys_; }
  [[nodiscard]] const Digest128& value() const noexcept { return total_; }

  bool on_text(Role role, const Text& text) override;
  bool on_number(Role role, std::uint64_t number) override;
  bool on_real(Role role, double number) override;
  bool on_stream_id(Role role, StreamId id) override;

 private:
  class LongText;

  /// The hash field that is being read. Its expiry comes last, so that it ends with the next one.
  struct Field {
    bool open = false;
    Digest128 name;
    Digest128 value;
    std::int64_t expire_at_ms = DigestTerm::never;
  };

  struct Record {
    std::uint64_t db = 0;
    LogicalType type{};
    Digest128 key;
    std::int64_t expire_at_ms = DigestTerm::never;
    Digest128 sum;            // over elements; of a string, its hash
    std::uint64_t index = 0;  // of the list element, or array element, that comes
    Digest128 member;         // of a sorted set: its score comes next
    Field field;
    bool has_lasting_field = false;
    std::int64_t last_field_gone_at_ms = std::numeric_limits<std::int64_t>::min();
    bool has_insert_index = false;
    std::uint64_t insert_index = 0;
  };

  void on_whole_text(Role role, const Digest128& hash);
  void add_array_element(std::uint64_t kind, const Digest128& value);
  void end_field();
  [[nodiscard]] Digest128 value_digest();
  [[nodiscard]] std::int64_t gone_at_ms() const noexcept;

  DigestTermHandler* terms_;
  std::unique_ptr<LongText> long_text_;  // made when a text first comes in parts
  Record record_;
  StreamDigest stream_;
  ModuleDigest module_;
  Digest128 total_;
  std::uint64_t keys_ = 0;
};

/// The term of a string that is stored raw, neither as an integer nor compressed, from all bytes of
/// its value: what a ValueReader and a DatasetDigest come to, in a fraction of the time. Nothing
/// for any other value.
[[nodiscard]] std::optional<Digest128> term_of_raw_string(
    const RecordHeader& record, std::span<const std::byte> value) noexcept;

}  // namespace sluice::rdb
