#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "rdb/downgrade.h"
#include "rdb/error.h"
#include "rdb/handler.h"
#include "rdb/stream_rewriter.h"
#include "rdb/value_emitter.h"
#include "rdb/value_reader.h"
#include "rdb/value_survey.h"
#include "rdb/writer.h"

namespace sluice::rdb {

/// Writes values in another encoding, for which it has to see each of them twice:
///
///     transcoder.begin(record, source, target, *fit.type);   // Fit::Way::transcode
///     transcoder.survey(part);                       // each part
///     auto outcome = transcoder.end_survey();
///     writer.record(outcome->type->number, key);
///     transcoder.emit(part, writer);                 // the same bytes again, cut anywhere
///     transcoder.end_emit();
///
/// A value that is written anew has to be right at depth verify: a server may take exception to an
/// element that is there twice only once it is out of its listpack, and then to the whole file.
///
/// Memory:  200 KiB, and what ValueReader and ValueSurvey say.
/// Errors:  of survey() and end_survey(), what is wrong with the value: leave it out. After an
///          error the next value may be begun. emit() and end_emit() fail only when the bytes are
///          not the same.
/// Threads: none; one at a time.
class Transcoder {
 public:
  struct Outcome {
    const ValueType* type = nullptr;  ///< As which it will be written.
    Losses losses;                    ///< With Loss::value it must not be written.
  };

  Transcoder();
  Transcoder(const Transcoder&) = delete;
  Transcoder& operator=(const Transcoder&) = delete;

  /// `record` is used during the call only. `as` comes from fit().
  void begin(const RecordHeader& record, const Header& source, const Header& target,
             const ValueType& as);
  [[nodiscard]] Result<void> survey(std::span<const std::byte> part);
  [[nodiscard]] Result<Outcome> end_survey();

  /// The writer is the same for all parts of a value.
  [[nodiscard]] Result<void> emit(std::span<const std::byte> part, Writer& writer);
  [[nodiscard]] Result<void> end_emit();

 private:
  void begin_emit(Writer& writer);
  [[nodiscard]] bool is_stream() const noexcept { return as_->logical == LogicalType::stream; }

  ValueSurvey survey_;
  ValueReader surveyor_;
  ValueEmitter emitter_;
  ValueReader emit_reader_;
  StreamRewriter stream_;

  // The value at hand.
  RecordHeader record_;
  std::vector<std::byte> key_;  // as much of it as error messages show
  Header source_;
  Header target_;
  const ValueType* as_ = nullptr;
  bool emitting_ = false;
};

}  // namespace sluice::rdb
