#include "engine/stream_facts.h"

#include <algorithm>

namespace sluice::engine {
namespace {

constexpr std::size_t aux_fields_max = 256;
constexpr std::size_t aux_bytes_max = 256;

std::string as_string(std::span<const std::byte> bytes) {
  const std::size_t size = std::min(bytes.size(), aux_bytes_max);
  return {reinterpret_cast<const char*>(bytes.data()), size};
}

}  // namespace

std::map<std::string, std::uint64_t> StreamFacts::types() const {
  std::map<std::string, std::uint64_t> named;
  for (std::size_t i = 0; i < types_.size(); ++i) {
    if (types_[i] > 0) named.emplace(to_string(static_cast<rdb::LogicalType>(i)), types_[i]);
  }
  return named;
}

std::string StreamFacts::aux(std::string_view name) const {
  const auto found = std::ranges::find(aux_, name, &std::pair<std::string, std::string>::first);
  return found == aux_.end() ? std::string() : found->second;
}

void StreamFacts::merge(const StreamFacts& other) {
  if (!header_) {
    aux_ = other.aux_;
    module_aux_ = other.module_aux_;
  }
  for (std::size_t i = 0; i < types_.size(); ++i) types_[i] += other.types_[i];
  for (const auto& [db, keys] : other.databases_) databases_[db] += keys;
  keys_ += other.keys_;
  if (other.header_ && (!header_ || other.header_->version > header_->version))
    header_ = other.header_;
  if (!other.trailer_) return;
  if (!trailer_) trailer_.emplace();
  trailer_->bytes += other.trailer_->bytes;
  if (other.trailer_->checksum != rdb::Trailer::Checksum::ok)
    trailer_->checksum = other.trailer_->checksum;
}

void StreamFacts::forget(std::uint64_t db, rdb::LogicalType type) {
  --types_[static_cast<std::size_t>(type)];
  --keys_;
  const auto found = databases_.find(db);
  if (found != databases_.end() && --found->second == 0) databases_.erase(found);
}

bool StreamFacts::on_header(const rdb::Header& header) {
  header_ = header;
  return true;
}

bool StreamFacts::on_aux(std::span<const std::byte> key, std::span<const std::byte> value) {
  if (aux_.size() < aux_fields_max) aux_.emplace_back(as_string(key), as_string(value));
  return true;
}

bool StreamFacts::on_function(std::span<const std::byte> /*source*/) {
  ++functions_;
  return true;
}

bool StreamFacts::on_module_aux(std::uint64_t /*module_id*/, std::uint64_t /*when*/) {
  ++module_aux_;
  return true;
}

bool StreamFacts::on_record_begin(const rdb::RecordHeader& record) {
  if (database_keys_ == nullptr || database_ != record.db) {
    database_ = record.db;
    database_keys_ = &databases_[record.db];
  }
  ++*database_keys_;
  ++types_[static_cast<std::size_t>(record.type->logical)];
  value_bytes_ = 0;
  return true;
}

bool StreamFacts::on_value_part(std::span<const std::byte> part) {
  value_bytes_ += part.size();
  return true;
}

bool StreamFacts::on_record_end(std::uint64_t /*offset*/) {
  if (value_bytes_ > long_value_bytes) {
    long_values_.push_back({.record = keys_, .value_bytes = value_bytes_});
  }
  ++keys_;
  return true;
}

bool StreamFacts::on_end(const rdb::Trailer& trailer) {
  trailer_ = trailer;
  return true;
}

}  // namespace sluice::engine
