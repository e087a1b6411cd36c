#pragma once

#include <functional>
#include <optional>
#include <string>

#include "engine/export_format.h"
#include "engine/output_buffer.h"
#include "engine/stream_facts.h"
#include "rdb/value_reader.h"

namespace sluice::engine {

/// Takes the records of an RDB stream to a format: decoded, or as their serialised bytes.
class ExportStream : public StreamFacts {
 public:
  /// `what` names the stream in messages. `out` is asked whether to go on.
  ExportStream(ExportFormat& format, const OutputBuffer& out, std::string what);

  bool on_function(std::span<const std::byte> source) override;
  bool on_record_begin(const rdb::RecordHeader& record) override;
  bool on_value_part(std::span<const std::byte> part) override;
  bool on_record_end(std::uint64_t offset) override;

  /// Why a handler call returned false, unless the output failed.
  [[nodiscard]] const std::optional<Error>& error() const noexcept { return error_; }

 private:
  bool go_on();
  bool fail(const rdb::Error& error);

  ExportFormat& format_;
  const OutputBuffer& out_;
  std::string what_;
  rdb::ValueReader reader_;
  ExportFormat::Want want_{};
  std::optional<Error> error_;
};

}  // namespace sluice::engine
