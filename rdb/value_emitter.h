#pragma once

#include <cstddef>
#include <cstdint>

#include "rdb/value_handler.h"
#include "rdb/value_survey.h"
#include "rdb/value_type.h"
#include "rdb/writer.h"

namespace sluice::rdb {

/// Writes what a ValueReader finds in a string, list, set, sorted set or hash as one of the types
/// that have no inner encoding: string, list, set, zset, zset_2, hash, hash_metadata, hash_2.
class ValueEmitter final : public ValueHandler {
 public:
  /// `survey` is of the same value. All must stay alive until end().
  void begin(const ValueType& as, const ValueSurvey& survey, Writer& writer);
  void end();

  bool on_text(Role role, const Text& text) override;
  bool on_number(Role role, std::uint64_t number) override;
  bool on_real(Role role, double value) override;

 private:
  void begin_field();
  void end_field();

  const ValueSurvey* survey_ = nullptr;
  Writer* writer_ = nullptr;
  bool ascii_scores_ = false;
  FieldExpiry expiry_{};
  std::size_t field_ = 0;
  bool field_is_open_ = false;  // its expiry may follow
};

}  // namespace sluice::rdb
