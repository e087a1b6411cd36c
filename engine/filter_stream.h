#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/key_chooser.h"
#include "engine/stream_facts.h"
#include "rdb/field_expiry_editor.h"
#include "sluice/filter.h"
#include "sluice/result.h"

namespace sluice::engine {

/// Hears of the keys that a filter does not hand on.
class FilterTally {
 public:
  virtual ~FilterTally() = default;

  /// It is not chosen.
  virtual void left_out(rdb::LogicalType type) = 0;
  /// It is chosen, but cannot be made what the filter says.
  virtual void refused(rdb::LogicalType type, std::uint64_t db, std::span<const std::byte> key,
                       std::string_view why) = 0;
};

/// Stands between a parser and another handler, which is told of the chosen keys only, with the
/// databases, names and expiries that a Filter gives them. The index of a record stays that of the
/// whole backup. Its own facts are of what came from the parser.
///
/// Not handed on: sizes of databases, which are not known any more, and the bytes of metadata.
/// Memory:   one key; with expiries to change, one hash of at most long_value_bytes, twice.
/// Errors:   a handler call returns false, and error() says why unless `next` stopped it.
/// Threads:  one at a time. Lifetime: what it is made of must outlive it.
class FilterStream final : public StreamFacts {
 public:
  struct Clock {
    std::int64_t now_ms = 0;
    /// When the data were saved, if the stream does not say (ctime).
    std::optional<std::int64_t> saved_ms = {};
  };

  /// `chooser` decides in the place of filter.keys.
  FilterStream(const Filter& filter, const KeyChooser& chooser, Clock clock, rdb::Handler& next,
               FilterTally& tally);

  [[nodiscard]] const KeyChooser& chooser() const noexcept { return chooser_; }
  /// Whoever reads only some records tells of each, before the parser gets it, its index in the
  /// whole backup …
  void expect(std::uint64_t index) { indexes_.push_back(index); }
  /// … and of each that was looked at and is not chosen.
  void pass_over(rdb::LogicalType type) { tally_.left_out(type); }
  [[nodiscard]] const std::optional<Error>& error() const noexcept { return error_; }

  bool on_header(const rdb::Header& header) override;
  bool on_aux(std::span<const std::byte> key, std::span<const std::byte> value) override;
  bool on_database(std::uint64_t db) override;
  bool on_function(std::span<const std::byte> source) override;
  bool on_module_aux(std::uint64_t module_id, std::uint64_t when) override;
  bool on_record_begin(const rdb::RecordHeader& record) override;
  bool on_value_part(std::span<const std::byte> part) override;
  bool on_record_end(std::uint64_t offset) override;
  bool on_end(const rdb::Trailer& trailer) override;

 private:
  /// What becomes of the current value.
  enum class Value : std::uint8_t {
    dropped,
    passed,
    held,    ///< In held_; the record was not handed on yet.
    edited,  ///< Handed on in parts, changed.
  };

  [[nodiscard]] bool takes_functions() const noexcept {
    return filter_.functions || chooser_.takes_all();
  }
  [[nodiscard]] std::uint64_t target_db(std::uint64_t db) const;
  [[nodiscard]] bool know_change();
  [[nodiscard]] std::optional<std::int64_t> changed(std::optional<std::int64_t> at_ms) const;
  void take_record(const rdb::RecordHeader& record);
  bool hold(std::span<const std::byte> part);
  bool begin_edited();
  bool pass_edited(std::span<const std::byte> part);
  bool hand_on_held(std::uint64_t offset);
  void refuse(std::string_view why);
  bool fail(std::string_view why);

  const Filter& filter_;
  const KeyChooser& chooser_;
  Clock clock_;
  rdb::Handler& next_;
  FilterTally& tally_;
  std::deque<std::uint64_t> indexes_;
  std::optional<rdb::ExpiryChange> change_;  // once an expiry was met, or never
  rdb::FieldExpiryEditor editor_;

  Value value_ = Value::dropped;
  rdb::RecordHeader record_;       // as it is handed on; key and metadata lie below
  std::uint64_t source_db_ = 0;    // of it
  std::vector<std::byte> source_;  // its key in the source
  std::vector<std::byte> key_;
  std::vector<std::byte> key_meta_;
  std::vector<std::byte> held_;
  std::optional<Error> error_;
};

/// When the data of an RDB were saved, as its aux fields say: Unix ms, rounded down to a second.
[[nodiscard]] std::optional<std::int64_t> saved_time_ms(const StreamFacts& facts);

}  // namespace sluice::engine
