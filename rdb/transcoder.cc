#include "rdb/transcoder.h"

#include <algorithm>

namespace sluice::rdb {
namespace {

constexpr std::size_t key_bytes_shown = 65;  // one more than ValueReader shows: it says so

}  // namespace

Transcoder::Transcoder()
    : surveyor_(survey_, {.strict = true}), emit_reader_(emitter_, {.strict = false}) {}

void Transcoder::begin(const RecordHeader& record, const Header& source, const Header& target,
                       const ValueType& as) {
  const auto key = record.key.first(std::min(record.key.size(), key_bytes_shown));
  key_.assign(key.begin(), key.end());
  record_ = record;
  record_.key = key_;
  record_.key_meta = {};
  source_ = source;
  target_ = target;
  as_ = &as;
  emitting_ = false;
  survey_.begin(as);
  surveyor_.begin(record_, source_);
}

Result<void> Transcoder::survey(std::span<const std::byte> part) { return surveyor_.feed(part); }

Result<Transcoder::Outcome> Transcoder::end_survey() {
  if (auto ended = surveyor_.end(); !ended) return std::unexpected(ended.error());
  Outcome outcome{.type = as_, .losses = survey_.losses(*record_.type, *as_)};
  // Servers use the types with expiries only where there is one.
  const bool could_expire = field_expiry_of(*as_) != FieldExpiry::none;
  if (could_expire && !survey_.min_expiry()) outcome.type = find_value_type(Dialect::redis, 4);
  if (target_.version < 8 && survey_.is_wide()) outcome.losses.add(Loss::value);
  as_ = outcome.type;
  return outcome;
}

void Transcoder::begin_emit(Writer& writer) {
  emitting_ = true;
  if (is_stream()) {
    stream_.begin(record_, source_, *as_, survey_, writer);
  } else {
    emitter_.begin(*as_, survey_, writer);
    emit_reader_.begin(record_, source_);
  }
}

Result<void> Transcoder::emit(std::span<const std::byte> part, Writer& writer) {
  if (!emitting_) begin_emit(writer);
  return is_stream() ? stream_.feed(part) : emit_reader_.feed(part);
}

Result<void> Transcoder::end_emit() {
  if (!emitting_)
    return std::unexpected(Error{.code = Errc::truncated, .key = {}, .detail = "no bytes"});
  if (is_stream()) return stream_.end();
  auto ended = emit_reader_.end();
  emitter_.end();
  return ended;
}

}  // namespace sluice::rdb
