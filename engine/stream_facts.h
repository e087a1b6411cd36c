#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "rdb/handler.h"

namespace sluice::engine {

/// A value too long to be held while it is restored; its length has to be known beforehand.
struct LongValue {
  std::uint64_t record = 0;       ///< Index of the record.
  std::uint64_t value_bytes = 0;  ///< Serialised, without the type byte.

  friend bool operator==(const LongValue&, const LongValue&) = default;
};

/// What one pass over an RDB stream tells about it, whatever else the pass is for.
/// Memory: a few KiB, plus 16 bytes a long value and an entry a database.
class StreamFacts : public rdb::Handler {
 public:
  /// Values longer than this are listed in long_values(). No chunk is longer.
  static constexpr std::uint64_t long_value_bytes = 1 << 20;

  using TypeCounts = std::array<std::uint64_t, rdb::logical_type_count>;

  [[nodiscard]] const std::optional<rdb::Header>& header() const noexcept { return header_; }
  [[nodiscard]] const std::optional<rdb::Trailer>& trailer() const noexcept { return trailer_; }
  [[nodiscard]] std::uint64_t keys() const noexcept { return keys_; }
  [[nodiscard]] std::map<std::string, std::uint64_t> types() const;
  [[nodiscard]] const std::map<std::uint64_t, std::uint64_t>& databases() const noexcept {
    return databases_;
  }
  [[nodiscard]] std::uint64_t functions() const noexcept { return functions_; }
  [[nodiscard]] std::uint64_t module_aux() const noexcept { return module_aux_; }
  [[nodiscard]] const std::vector<LongValue>& long_values() const noexcept { return long_values_; }
  /// Aux fields in order; keys and values are cut at 256 bytes, the list at 256 fields.
  [[nodiscard]] const std::vector<std::pair<std::string, std::string>>& aux() const noexcept {
    return aux_;
  }
  /// The value of the first aux field of this name; empty when there is none.
  [[nodiscard]] std::string aux(std::string_view name) const;

  /// Adds the records of another stream, and bytes and checksum of its trailer. The header becomes
  /// that of the newer version; aux fields and module aux data are those of the first merged.
  void merge(const StreamFacts& other);
  /// As if a record had not been there.
  void forget(std::uint64_t db, rdb::LogicalType type);
  void set_functions(std::uint64_t functions) noexcept { functions_ = functions; }

  bool on_header(const rdb::Header& header) override;
  bool on_aux(std::span<const std::byte> key, std::span<const std::byte> value) override;
  bool on_function(std::span<const std::byte> source) override;
  bool on_module_aux(std::uint64_t module_id, std::uint64_t when) override;
  bool on_record_begin(const rdb::RecordHeader& record) override;
  bool on_value_part(std::span<const std::byte> part) override;
  bool on_record_end(std::uint64_t offset) override;
  bool on_end(const rdb::Trailer& trailer) override;

 protected:
  /// Of the current record, serialised, so far.
  [[nodiscard]] std::uint64_t value_bytes() const noexcept { return value_bytes_; }

 private:
  std::optional<rdb::Header> header_;
  std::optional<rdb::Trailer> trailer_;
  std::uint64_t keys_ = 0;
  TypeCounts types_{};
  std::map<std::uint64_t, std::uint64_t> databases_;
  std::uint64_t* database_keys_ = nullptr;  // of the current record's database
  std::uint64_t database_ = 0;
  std::uint64_t functions_ = 0;
  std::uint64_t module_aux_ = 0;
  std::uint64_t value_bytes_ = 0;  // of the current record
  std::vector<LongValue> long_values_;
  std::vector<std::pair<std::string, std::string>> aux_;
};

}  // namespace sluice::engine
