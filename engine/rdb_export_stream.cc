#include "engine/rdb_export_stream.h"

#include <algorithm>
#include <utility>

#include "engine/errors.h"

namespace sluice::engine {
namespace {

rdb::Header nearest_writable(const rdb::Header& source) {
  if (source.dialect == rdb::Dialect::valkey) return {rdb::Dialect::valkey, 80};
  return {rdb::Dialect::redis, std::clamp(source.version, 6U, 14U)};
}

}  // namespace

RdbExportStream::RdbExportStream(const std::optional<rdb::Header>& target, OutputFile& file,
                                 rdb::Converter::OnLoss on_loss)
    : wanted_(target), file_(file), on_loss_(std::move(on_loss)) {}

const rdb::ConversionCounts& RdbExportStream::counts() const noexcept {
  static constexpr rdb::ConversionCounts none;
  return converter_ ? converter_->counts() : none;
}

std::uint64_t RdbExportStream::bytes_written() const noexcept {
  return writer_ ? writer_->bytes() : 0;
}

std::optional<Error> RdbExportStream::error() const {
  if (file_.error()) return file_.error();
  if (store_.error()) return store_.error();
  if (converter_ && converter_->error()) return from_rdb(*converter_->error(), "the stored value");
  return std::nullopt;
}

bool RdbExportStream::go_on() const { return !file_.error() && !store_.error(); }

bool RdbExportStream::on_header(const rdb::Header& header) {
  target_ = wanted_.value_or(nearest_writable(header));
  writer_.emplace(
      target_, [this](std::span<const std::byte> bytes) { file_.write(bytes); },
      rdb::WriteOptions{.compress = true});
  converter_.emplace(*writer_, store_, on_loss_);
  return StreamFacts::on_header(header) && converter_->on_header(header);
}

bool RdbExportStream::on_aux(std::span<const std::byte> key, std::span<const std::byte> value) {
  return StreamFacts::on_aux(key, value) && converter_->on_aux(key, value);
}

bool RdbExportStream::on_database(std::uint64_t db) {
  return StreamFacts::on_database(db) && converter_->on_database(db);
}

bool RdbExportStream::on_database_size(std::uint64_t keys, std::uint64_t expires) {
  return StreamFacts::on_database_size(keys, expires) &&
         converter_->on_database_size(keys, expires);
}

bool RdbExportStream::on_function(std::span<const std::byte> source) {
  return StreamFacts::on_function(source) && converter_->on_function(source);
}

bool RdbExportStream::on_module_aux(std::uint64_t module_id, std::uint64_t when) {
  return StreamFacts::on_module_aux(module_id, when) && converter_->on_module_aux(module_id, when);
}

bool RdbExportStream::on_record_begin(const rdb::RecordHeader& record) {
  return StreamFacts::on_record_begin(record) && converter_->on_record_begin(record);
}

bool RdbExportStream::on_value_part(std::span<const std::byte> part) {
  return StreamFacts::on_value_part(part) && converter_->on_value_part(part) && go_on();
}

bool RdbExportStream::on_record_end(std::uint64_t offset) {
  return StreamFacts::on_record_end(offset) && converter_->on_record_end(offset) && go_on();
}

bool RdbExportStream::on_end(const rdb::Trailer& trailer) {
  return StreamFacts::on_end(trailer) && converter_->on_end(trailer) && go_on();
}

}  // namespace sluice::engine
