#include "engine/convert_stage.h"

#include <utility>

#include "engine/errors.h"

namespace sluice::engine {

ConvertStage::ConvertStage(const rdb::Header& target, rdb::Handler& next,
                           rdb::Converter::OnLoss on_loss)
    : parser_(next),
      writer_(target, [this](auto bytes) { take(bytes); }),
      converter_(writer_, store_, std::move(on_loss)) {}

void ConvertStage::take(std::span<const std::byte> bytes) {
  if (problem_) return;
  if (auto fed = parser_.feed(bytes); !fed) problem_ = std::move(fed.error());
}

bool ConvertStage::pass_on(bool taken) { return taken && !problem_ && !store_.error(); }

std::optional<Error> ConvertStage::error() const {
  if (store_.error()) return store_.error();
  if (converter_.error()) return from_rdb(*converter_.error(), "converting");
  if (problem_ && problem_->code != rdb::Errc::stopped) return from_rdb(*problem_, "converting");
  return std::nullopt;
}

bool ConvertStage::on_header(const rdb::Header& header) {
  return pass_on(converter_.on_header(header));
}
bool ConvertStage::on_aux(std::span<const std::byte> key, std::span<const std::byte> value) {
  return pass_on(converter_.on_aux(key, value));
}
bool ConvertStage::on_database(std::uint64_t db) { return pass_on(converter_.on_database(db)); }
bool ConvertStage::on_database_size(std::uint64_t keys, std::uint64_t expires) {
  return pass_on(converter_.on_database_size(keys, expires));
}
bool ConvertStage::on_function(std::span<const std::byte> source) {
  return pass_on(converter_.on_function(source));
}
bool ConvertStage::on_module_aux(std::uint64_t module_id, std::uint64_t when) {
  return pass_on(converter_.on_module_aux(module_id, when));
}
bool ConvertStage::on_record_begin(const rdb::RecordHeader& record) {
  return pass_on(converter_.on_record_begin(record));
}
bool ConvertStage::on_value_part(std::span<const std::byte> part) {
  return pass_on(converter_.on_value_part(part));
}
bool ConvertStage::on_record_end(std::uint64_t offset) {
  return pass_on(converter_.on_record_end(offset));
}
// The writer has handed on all by then.
bool ConvertStage::on_end(const rdb::Trailer& trailer) {
  if (!pass_on(converter_.on_end(trailer))) return false;
  if (auto ended = parser_.finish(); !ended) problem_ = std::move(ended.error());
  return !problem_;
}

}  // namespace sluice::engine
