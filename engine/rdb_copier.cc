#include "engine/rdb_copier.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace sluice::engine {
namespace {

constexpr std::byte opcode_module_aux{247};
constexpr unsigned version_with_sizes = 7;
constexpr unsigned version_with_checksum = 5;
constexpr std::uint8_t opcode_eof = 255;

bool is_about_data(std::string_view aux) {
  constexpr std::array<std::string_view, 4> others{"repl-", "aof-", "cluster-", "slot-info"};
  return std::ranges::none_of(others,
                              [aux](std::string_view prefix) { return aux.starts_with(prefix); });
}

}  // namespace

bool RdbCopier::on_header(const rdb::Header&) {
  writer_.begin();
  return true;
}

bool RdbCopier::on_metadata_part(std::span<const std::byte> part) {
  if (metadata_ == Metadata::none) {
    metadata_ = part.front() == opcode_module_aux ? Metadata::module_aux : Metadata::other;
  }
  if (metadata_ == Metadata::module_aux) writer_.raw(part);
  return true;
}

bool RdbCopier::on_aux(std::span<const std::byte> key, std::span<const std::byte> value) {
  metadata_ = Metadata::none;
  const std::string_view name(reinterpret_cast<const char*>(key.data()), key.size());
  if (is_about_data(name)) writer_.aux(key, value);
  return true;
}

bool RdbCopier::on_function(std::span<const std::byte> source) {
  metadata_ = Metadata::none;
  writer_.function(source);
  return true;
}

bool RdbCopier::on_module_aux(std::uint64_t, std::uint64_t) {
  metadata_ = Metadata::none;
  return true;
}

bool RdbCopier::on_database(std::uint64_t) {
  size_.reset();
  return true;
}

bool RdbCopier::on_database_size(std::uint64_t keys, std::uint64_t expires) {
  size_ = {.keys = keys, .expires = expires};
  return true;
}

void RdbCopier::select_database(std::uint64_t db) {
  if (db_ == db) return;
  db_ = db;
  writer_.select_db(db);
  if (size_ && writer_.header().version >= version_with_sizes)
    writer_.resize_db(size_->keys, size_->expires);
}

bool RdbCopier::on_record_begin(const rdb::RecordHeader& record) {
  select_database(record.db);
  if (record.expire_at_ms) writer_.expire_at_ms(*record.expire_at_ms);
  if (record.lru_idle_s) writer_.idle(*record.lru_idle_s);
  if (record.lfu_freq) writer_.freq(*record.lfu_freq);
  writer_.raw(record.key_meta);
  writer_.record(record.type->number, record.key);
  return true;
}

bool RdbCopier::on_value_part(std::span<const std::byte> part) {
  writer_.raw(part);
  return true;
}

bool RdbCopier::on_end(const rdb::Trailer&) {
  if (writer_.header().version >= version_with_checksum) {
    writer_.end();
  } else {
    writer_.byte(opcode_eof);
    writer_.flush();
  }
  return true;
}

}  // namespace sluice::engine
