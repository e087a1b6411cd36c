#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "engine/direct_text.h"
#include "engine/export_format.h"
#include "engine/jsonl_stream.h"
#include "engine/output_buffer.h"
#include "engine/scratch_sorter.h"
#include "rdb/dump.h"

namespace sluice::engine {

/// JSON lines, one key a line, as docs/cli.md has it.
///
/// Memory: some 20 MiB with the default limits, whatever the size of a value.
class JsonlFormat final : public ExportFormat {
 public:
  enum class Shape : std::uint8_t {
    line,   ///< {"db":…,"key":…,"type":…,"value":…} and a newline.
    value,  ///< The value and a newline.
  };

  JsonlFormat(OutputBuffer& out, Shape shape, const ScratchLimits& limits = {});

  [[nodiscard]] Want begin(const rdb::RecordHeader& record) override;
  void on_bytes(std::span<const std::byte> part) override;
  void end(std::uint64_t value_bytes) override;

  bool on_text(rdb::Role role, const rdb::Text& text) override;
  bool on_number(rdb::Role role, std::uint64_t number) override;
  bool on_real(rdb::Role role, double real) override;
  bool on_stream_id(rdb::Role role, rdb::StreamId id) override;

  [[nodiscard]] std::optional<Error> error() const override;

 private:
  void begin_line(const rdb::RecordHeader& record, std::string_view type);
  void begin_value(rdb::LogicalType type);
  void begin_opaque();
  void separate();
  void end_record();
  void end_value();
  void write_sorted();
  void write_field(const ScratchSorter::Field& field);

  OutputBuffer& out_;
  Shape shape_;
  ScratchSorter sorter_;
  DirectText direct_;
  JsonlStream stream_;
  Base64Writer base64_;

  rdb::LogicalType type_{};
  bool has_element_ = false;    // a comma has to come before the next
  bool open_record_ = false;    // a hash field that an expiry may still follow
  bool open_elements_ = false;  // of an array
  std::optional<Error> error_;

  // Opaque values. The type is that of the first bytes, so the line begins with them.
  std::optional<rdb::DumpPayload> payload_;
  std::array<std::byte, 9> module_id_{};  // LEN
  std::size_t module_id_size_ = 0;
  std::optional<rdb::RecordHeader> waiting_;  // its key lies in key_
  std::vector<std::byte> key_;
};

}  // namespace sluice::engine
