#include "rdb/value_emitter.h"

#include <bit>

namespace sluice::rdb {
namespace {

constexpr std::uint64_t no_expiry = UINT64_MAX;  // -1

}  // namespace

void ValueEmitter::begin(const ValueType& as, const ValueSurvey& survey, Writer& writer) {
  survey_ = &survey;
  writer_ = &writer;
  ascii_scores_ = as.name == "zset";
  expiry_ = field_expiry_of(as);
  field_ = 0;
  field_is_open_ = false;
  if (expiry_ == FieldExpiry::before) writer.fixed8(survey.min_expiry().value_or(0));
  if (as.logical != LogicalType::string) writer.len(survey.elements());
}

void ValueEmitter::end() { end_field(); }

bool ValueEmitter::on_text(Role role, const Text& text) {
  if (role == Role::field && text.first) {
    end_field();
    begin_field();
  }
  writer_->string_part(text);
  return true;
}

void ValueEmitter::begin_field() {
  field_is_open_ = true;
  if (expiry_ != FieldExpiry::before) return;
  const auto& expiries = survey_->expiries();
  const std::uint64_t expiry = field_ < expiries.size() ? expiries[field_] : 0;
  ++field_;
  writer_->len(expiry == 0 ? 0 : expiry - *survey_->min_expiry() + 1);
}

/// Only now it is certain that no expiry follows.
void ValueEmitter::end_field() {
  if (field_is_open_ && expiry_ == FieldExpiry::after) writer_->fixed8(no_expiry);
  field_is_open_ = false;
}

bool ValueEmitter::on_number(Role role, std::uint64_t number) {
  if (role != Role::field_expiry) return true;
  if (expiry_ == FieldExpiry::after) writer_->fixed8(number);
  field_is_open_ = false;
  return true;
}

bool ValueEmitter::on_real(Role role, double value) {
  if (role != Role::score) return true;
  if (ascii_scores_) {
    writer_->ascii_double(value);
  } else {
    writer_->fixed8(std::bit_cast<std::uint64_t>(value));
  }
  return true;
}

}  // namespace sluice::rdb
