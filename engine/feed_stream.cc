#include "engine/feed_stream.h"

#include <algorithm>
#include <utility>

#include "engine/errors.h"
#include "rdb/escape.h"

namespace sluice::engine {
namespace {

constexpr std::size_t module_id_bytes = 9;  // LEN in its form of 64 bits

}  // namespace

FeedStream::FeedStream(const FeedForm& form, bool is_sorted, rdb::Writer::Sink sink)
    : form_(form), is_sorted_(is_sorted), sink_(std::move(sink)) {}

std::uint64_t FeedStream::functions_fed() const noexcept {
  return converter_ != nullptr ? converter_->counts().functions : functions();
}

std::optional<Error> FeedStream::error() const {
  if (error_) return error_;
  if (spool_.error()) return spool_.error();
  if (converter_ != nullptr && converter_->error())
    return from_rdb(*converter_->error(), "the stored value");
  return std::nullopt;
}

bool FeedStream::on_header(const rdb::Header& header) {
  const rdb::WriteOptions options{.compress = form_.converted.has_value(), .checksum = true};
  writer_.emplace(form_.converted.value_or(header), sink_, options);
  if (form_.converted) {
    auto converter = std::make_unique<rdb::Converter>(
        *writer_, spool_, [this](const rdb::ConversionLoss& loss) { ledger_.on_loss(loss); });
    converter_ = converter.get();
    maker_ = std::move(converter);
  } else {
    maker_ = std::make_unique<RdbCopier>(*writer_);
  }
  return StreamFacts::on_header(header) && maker_->on_header(header);
}

bool FeedStream::on_aux(std::span<const std::byte> key, std::span<const std::byte> value) {
  return StreamFacts::on_aux(key, value) && maker_->on_aux(key, value);
}

bool FeedStream::on_database(std::uint64_t db) {
  return StreamFacts::on_database(db) && maker_->on_database(db);
}

bool FeedStream::on_database_size(std::uint64_t keys, std::uint64_t expires) {
  return StreamFacts::on_database_size(keys, expires) && maker_->on_database_size(keys, expires);
}

bool FeedStream::on_function(std::span<const std::byte> source) {
  return StreamFacts::on_function(source) && maker_->on_function(source);
}

bool FeedStream::on_module_aux(std::uint64_t module_id, std::uint64_t when) {
  if (converter_ == nullptr) modules_.insert(module_id);
  return StreamFacts::on_module_aux(module_id, when) && maker_->on_module_aux(module_id, when);
}

bool FeedStream::on_metadata_part(std::span<const std::byte> part) {
  return maker_->on_metadata_part(part);
}

bool FeedStream::note_key(const rdb::RecordHeader& record) {
  if (!is_sorted_) return true;
  if (last_db_ == record.db && std::ranges::equal(last_key_, record.key)) {
    error_ = Error{.stage = Stage::storage,
                   .code = "corrupt",
                   .message = "the backup holds key \"" + rdb::escape(record.key) +
                              "\" twice, which ends a server that loads it: use --mode restore"};
    return false;
  }
  last_db_ = record.db;
  last_key_.assign(record.key.begin(), record.key.end());
  return true;
}

bool FeedStream::on_record_begin(const rdb::RecordHeader& record) {
  if (!note_key(record)) return false;
  type_ = record.type->logical;
  module_id_.clear();
  fed_ = !record.expire_at_ms || *record.expire_at_ms > form_.cutoff_ms;
  if (!fed_) ledger_.count_expired(type_);
  return StreamFacts::on_record_begin(record) && (!fed_ || maker_->on_record_begin(record));
}

/// The id of its type comes first in the value of a module, as a LEN of nine bytes.
void FeedStream::note_module(std::span<const std::byte> part) {
  const std::size_t size = std::min(part.size(), module_id_bytes - module_id_.size());
  module_id_.insert(module_id_.end(), part.begin(),
                    part.begin() + static_cast<std::ptrdiff_t>(size));
}

std::uint64_t FeedStream::module_type() const noexcept {
  std::uint64_t id = 0;
  for (std::size_t i = 1; i < module_id_bytes; ++i)
    id = id << 8 | std::to_integer<std::uint64_t>(module_id_[i]);
  return id;
}

bool FeedStream::on_value_part(std::span<const std::byte> part) {
  if (!fed_) return StreamFacts::on_value_part(part);
  if (type_ == rdb::LogicalType::module) note_module(part);
  return StreamFacts::on_value_part(part) && maker_->on_value_part(part) && !spool_.error();
}

bool FeedStream::on_record_end(std::uint64_t offset) {
  if (!fed_) return StreamFacts::on_record_end(offset);
  const std::uint64_t left_out = converter_ != nullptr ? converter_->counts().left_out : 0;
  const bool done = StreamFacts::on_record_end(offset) && maker_->on_record_end(offset);
  const bool is_written = converter_ == nullptr || converter_->counts().left_out == left_out;
  if (is_written && module_id_.size() == module_id_bytes) modules_.insert(module_type());
  ledger_.count_fed(type_);
  return done && !spool_.error();
}

bool FeedStream::on_end(const rdb::Trailer& trailer) {
  return StreamFacts::on_end(trailer) && maker_->on_end(trailer);
}

}  // namespace sluice::engine
