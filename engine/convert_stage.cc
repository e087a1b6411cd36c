#include "engine/convert_stage.h"

#include <utility>

#include "engine/errors.h"
#include "engine/target_format.h"

namespace sluice::engine {

ConvertStage::Conversion::Conversion(const rdb::Header& target, rdb::Handler& next,
                                     rdb::Converter::OnLoss on_loss)
    : parser(next),
      writer(target, [this](auto bytes) { take(bytes); }),
      converter(writer, store, std::move(on_loss)) {}

void ConvertStage::Conversion::take(std::span<const std::byte> bytes) {
  if (problem) return;
  if (auto fed = parser.feed(bytes); !fed) problem = std::move(fed.error());
}

ConvertStage::ConvertStage(const std::optional<rdb::Header>& target, rdb::Handler& next,
                           rdb::Converter::OnLoss on_loss)
    : target_(target), next_(next), on_loss_(std::move(on_loss)) {}

rdb::Handler& ConvertStage::way() noexcept {
  if (conversion_) return conversion_->converter;
  return next_;
}

bool ConvertStage::pass_on(bool taken) const {
  return taken && (!conversion_ || conversion_->is_well());
}

bool ConvertStage::flush() {
  if (conversion_) conversion_->writer.flush();
  return pass_on(true);
}

std::optional<Error> ConvertStage::error() const {
  if (!conversion_) return std::nullopt;
  const auto& [store, parser, problem, writer, converter] = *conversion_;
  if (store.error()) return store.error();
  if (converter.error()) return from_rdb(*converter.error(), "converting");
  if (problem && problem->code != rdb::Errc::stopped) return from_rdb(*problem, "converting");
  return std::nullopt;
}

bool ConvertStage::on_header(const rdb::Header& header) {
  if (target_ && needs_conversion(header, *target_)) {
    conversion_.emplace(*target_, next_, on_loss_);
  }
  return pass_on(way().on_header(header));
}
bool ConvertStage::on_aux(std::span<const std::byte> key, std::span<const std::byte> value) {
  return pass_on(way().on_aux(key, value));
}
bool ConvertStage::on_database(std::uint64_t db) { return pass_on(way().on_database(db)); }
bool ConvertStage::on_database_size(std::uint64_t keys, std::uint64_t expires) {
  return pass_on(way().on_database_size(keys, expires));
}
bool ConvertStage::on_function(std::span<const std::byte> source) {
  return pass_on(way().on_function(source));
}
bool ConvertStage::on_module_aux(std::uint64_t module_id, std::uint64_t when) {
  return pass_on(way().on_module_aux(module_id, when));
}
bool ConvertStage::on_record_begin(const rdb::RecordHeader& record) {
  return pass_on(way().on_record_begin(record));
}
bool ConvertStage::on_value_part(std::span<const std::byte> part) {
  return pass_on(way().on_value_part(part));
}
bool ConvertStage::on_record_end(std::uint64_t offset) {
  return pass_on(way().on_record_end(offset));
}
// The writer has handed on all by then.
bool ConvertStage::on_end(const rdb::Trailer& trailer) {
  if (!pass_on(way().on_end(trailer))) return false;
  if (!conversion_) return true;
  if (auto ended = conversion_->parser.finish(); !ended) conversion_->problem = ended.error();
  return !conversion_->problem;
}

}  // namespace sluice::engine
