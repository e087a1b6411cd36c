#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "engine/memory_model.h"
#include "rdb/handler.h"
#include "rdb/value_handler.h"
#include "rdb/value_reader.h"

namespace sluice::engine {

/// Counts the elements of one value after the other and estimates the memory it takes in a server,
/// from the events of a ValueReader.
class ValueMeasure final : public rdb::ValueHandler {
 public:
  /// The texts it has to be told of, so that it can count them.
  static constexpr rdb::Roles texts{rdb::Role::element, rdb::Role::member, rdb::Role::field};

  void set_model(MemoryModel model) { model_ = model; }
  [[nodiscard]] const MemoryModel& model() const noexcept { return model_; }

  void begin(const rdb::RecordHeader& record, unsigned rdb_version);

  [[nodiscard]] std::uint64_t elements() const noexcept;
  /// Key and value. `value_bytes` is the serialised size: all that is known of a module's value.
  [[nodiscard]] std::uint64_t memory_bytes(std::uint64_t value_bytes) const noexcept;
  [[nodiscard]] std::uint64_t expiring_fields() const noexcept { return value_.expiring_fields; }
  /// Of the module type of the value; empty for others.
  [[nodiscard]] const std::string& module() const noexcept { return value_.module; }

  bool on_string(const rdb::StoredString& string) override;
  bool on_text(rdb::Role role, const rdb::Text& text) override;
  bool on_number(rdb::Role role, std::uint64_t number) override;
  bool on_stream_id(rdb::Role role, rdb::StreamId id) override;

 private:
  struct Value {
    rdb::LogicalType type{};
    unsigned rdb_version = 0;
    std::uint64_t key_bytes = 0;
    bool expires = false;
    bool has_table = false;  ///< A hash table, or a skiplist, rather than one blob.
    bool is_integer = false;
    std::uint64_t string_bytes = 0;
    std::uint64_t elements = 0;
    std::uint64_t blobs = 0;       ///< Inner encodings.
    std::uint64_t blob_bytes = 0;  ///< Allocated for them.
    std::uint64_t last_blob_bytes = 0;
    std::uint64_t loose_bytes = 0;  ///< Allocated for elements on their own.
    std::uint64_t field_bytes = 0;  ///< Length of the field whose value comes next.
    std::uint64_t expiring_fields = 0;
    std::uint64_t groups = 0;
    std::uint64_t consumers = 0;
    std::uint64_t pending = 0;
    std::string module;
  };

  void add_blob(std::uint64_t bytes);
  [[nodiscard]] std::uint64_t list_bytes() const noexcept;
  [[nodiscard]] std::uint64_t stream_bytes() const noexcept;

  MemoryModel model_;

  Value value_;
};

}  // namespace sluice::engine
