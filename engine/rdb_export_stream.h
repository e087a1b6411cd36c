#pragma once

#include <cstdint>
#include <optional>

#include "engine/output_file.h"
#include "engine/spooled_value.h"
#include "engine/stream_facts.h"
#include "rdb/converter.h"
#include "rdb/writer.h"

namespace sluice::engine {

/// Takes an RDB stream to a Converter, which writes it in another version, and that to a file.
class RdbExportStream : public StreamFacts {
 public:
  /// Without a target it is the source's own version, or the nearest to it. `file` must stay alive.
  RdbExportStream(const std::optional<rdb::Header>& target, OutputFile& file,
                  rdb::Converter::OnLoss on_loss);

  /// The version that is written, once the header was read.
  [[nodiscard]] const rdb::Header& target() const noexcept { return target_; }
  [[nodiscard]] const rdb::ConversionCounts& counts() const noexcept;
  [[nodiscard]] std::uint64_t bytes_written() const noexcept;
  /// Why a handler call returned false.
  [[nodiscard]] std::optional<Error> error() const;

  bool on_header(const rdb::Header& header) override;
  bool on_aux(std::span<const std::byte> key, std::span<const std::byte> value) override;
  bool on_database(std::uint64_t db) override;
  bool on_database_size(std::uint64_t keys, std::uint64_t expires) override;
  bool on_function(std::span<const std::byte> source) override;
  bool on_module_aux(std::uint64_t module_id, std::uint64_t when) override;
  bool on_record_begin(const rdb::RecordHeader& record) override;
  bool on_value_part(std::span<const std::byte> part) override;
  bool on_record_end(std::uint64_t offset) override;
  bool on_end(const rdb::Trailer& trailer) override;

 private:
  [[nodiscard]] bool go_on() const;

  std::optional<rdb::Header> wanted_;
  rdb::Header target_;
  OutputFile& file_;
  rdb::Converter::OnLoss on_loss_;
  SpooledValue store_;
  std::optional<rdb::Writer> writer_;        // once the header was read
  std::optional<rdb::Converter> converter_;  // likewise
};

}  // namespace sluice::engine
