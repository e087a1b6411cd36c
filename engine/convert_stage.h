#pragma once

#include <optional>

#include "engine/spooled_value.h"
#include "rdb/converter.h"
#include "rdb/parser.h"
#include "rdb/writer.h"
#include "sluice/result.h"

namespace sluice::engine {

/// Stands before a handler and shows it a stream as a server of another version can take it: what
/// that cannot say is told to `on_loss`, keys that it cannot say at all do not come. Records then
/// count anew, and aux fields are those of a Converter. A stream that the server takes as it is
/// passes through.
///
/// Memory:   that of Converter, Writer and Parser; a value that is transcoded above 16 MiB is in
///           scratch meanwhile.
/// Lifetime: `next` outlives this. Threads: one at a time.
class ConvertStage final : public rdb::Handler {
 public:
  /// `target`: what the server writes itself; none: it takes everything.
  ConvertStage(const std::optional<rdb::Header>& target, rdb::Handler& next,
               rdb::Converter::OnLoss on_loss);

  /// Between records: hands on all that came. False as of a call.
  [[nodiscard]] bool flush();
  /// Why a call returned false, unless it was `next` that stopped.
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
  /// What a stream goes through to become another.
  struct Conversion {
    Conversion(const rdb::Header& target, rdb::Handler& next, rdb::Converter::OnLoss on_loss);
    void take(std::span<const std::byte> bytes);
    [[nodiscard]] bool is_well() const { return !problem && !store.error(); }

    SpooledValue store;
    rdb::Parser parser;
    std::optional<rdb::Error> problem;  // of the parser
    rdb::Writer writer;
    rdb::Converter converter;
  };

  [[nodiscard]] rdb::Handler& way() noexcept;
  [[nodiscard]] bool pass_on(bool taken) const;

  std::optional<rdb::Header> target_;
  rdb::Handler& next_;
  rdb::Converter::OnLoss on_loss_;
  std::optional<Conversion> conversion_;
};

}  // namespace sluice::engine
