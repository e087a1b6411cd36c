#pragma once

#include <cstddef>
#include <optional>
#include <span>

#include "rdb/handler.h"
#include "rdb/value_handler.h"
#include "rdb/value_reader.h"
#include "sluice/result.h"

namespace sluice::engine {

/// Writes records in one format of `export`. For each record: begin(); then either the events of
/// its value, or its serialised bytes; then end().
class ExportFormat : public rdb::ValueHandler {
 public:
  /// In which shape a format wants a value.
  enum class Want : std::uint8_t { events, bytes, nothing };

  /// `record` is valid during the call only.
  [[nodiscard]] virtual Want begin(const rdb::RecordHeader& record) = 0;
  virtual void on_bytes(std::span<const std::byte> /*part*/) {}
  /// `value_bytes`: serialised, without the type byte.
  virtual void end(std::uint64_t value_bytes) = 0;
  virtual void on_function(std::span<const std::byte> /*source*/) {}

  /// Which texts the format looks at.
  [[nodiscard]] virtual rdb::Roles texts() const { return rdb::Roles::all(); }
  /// Why the format cannot go on: scratch, or a value that it cannot write.
  [[nodiscard]] virtual std::optional<Error> error() const { return std::nullopt; }
};

}  // namespace sluice::engine
