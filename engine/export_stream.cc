#include "engine/export_stream.h"

#include <utility>

#include "engine/errors.h"

namespace sluice::engine {

using Want = ExportFormat::Want;

// Not strict: what a server has saved is to be read; whether it should have is for `check`.
ExportStream::ExportStream(ExportFormat& format, const OutputBuffer& out, std::string what)
    : format_(format),
      out_(out),
      what_(std::move(what)),
      reader_(format, {.texts = format.texts(), .strict = false}) {}

bool ExportStream::go_on() {
  if (!error_) error_ = format_.error();
  return !error_ && out_.ok();
}

bool ExportStream::fail(const rdb::Error& error) {
  go_on();  // the format knows better why it stopped the reader
  if (!error_ && out_.ok()) error_ = from_rdb(error, what_);
  return false;
}

bool ExportStream::on_function(std::span<const std::byte> source) {
  format_.on_function(source);
  return StreamFacts::on_function(source) && go_on();
}

bool ExportStream::on_record_begin(const rdb::RecordHeader& record) {
  if (!StreamFacts::on_record_begin(record)) return false;
  want_ = format_.begin(record);
  if (want_ == Want::events) reader_.begin(record, *header());
  return true;
}

bool ExportStream::on_value_part(std::span<const std::byte> part) {
  if (want_ == Want::bytes) format_.on_bytes(part);
  if (want_ == Want::events) {
    if (const auto fed = reader_.feed(part); !fed) return fail(fed.error());
  }
  return StreamFacts::on_value_part(part);
}

bool ExportStream::on_record_end(std::uint64_t offset) {
  if (want_ == Want::events) {
    if (const auto ended = reader_.end(); !ended) return fail(ended.error());
  }
  if (!go_on()) return false;
  format_.end(value_bytes());
  return StreamFacts::on_record_end(offset) && go_on();
}

}  // namespace sluice::engine
