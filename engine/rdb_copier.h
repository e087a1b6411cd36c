#pragma once

#include <cstdint>
#include <optional>

#include "rdb/handler.h"
#include "rdb/writer.h"

namespace sluice::engine {

/// Writes an RDB stream again in the version that it has: its records byte for byte but for their
/// keys, functions, what modules keep outside of keys, and those aux fields that are about the
/// data. What is about the source's replication, its slots or its AOF is left out.
///
/// Memory:  that of the parser and the writer.
/// Errors:  none of its own.
/// Threads: none; one at a time.
class RdbCopier final : public rdb::Handler {
 public:
  /// `writer` must stay alive.
  explicit RdbCopier(rdb::Writer& writer) : writer_(writer) {}

  bool on_header(const rdb::Header& header) override;
  bool on_aux(std::span<const std::byte> key, std::span<const std::byte> value) override;
  bool on_database(std::uint64_t db) override;
  bool on_database_size(std::uint64_t keys, std::uint64_t expires) override;
  bool on_function(std::span<const std::byte> source) override;
  bool on_module_aux(std::uint64_t module_id, std::uint64_t when) override;
  bool on_metadata_part(std::span<const std::byte> part) override;
  bool on_record_begin(const rdb::RecordHeader& record) override;
  bool on_value_part(std::span<const std::byte> part) override;
  bool on_end(const rdb::Trailer& trailer) override;

 private:
  enum class Metadata : std::uint8_t { none, module_aux, other };
  struct DatabaseSize {
    std::uint64_t keys = 0;
    std::uint64_t expires = 0;
  };

  void select_database(std::uint64_t db);

  rdb::Writer& writer_;
  Metadata metadata_ = Metadata::none;  // what is being read
  std::optional<DatabaseSize> size_;    // of the database being read
  std::optional<std::uint64_t> db_;     // selected
};

}  // namespace sluice::engine
