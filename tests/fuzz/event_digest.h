#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "rdb/crc64.h"
#include "rdb/handler.h"

namespace sluice::rdb::fuzz {

/// All events folded into one number, in which the cuts between value parts leave no trace. How
/// much of a value is handed on before an error in it does depend on the cuts: it is left out.
class EventDigest : public Handler {
 public:
  bool on_header(const Header& header) override {
    return add('h', static_cast<std::uint64_t>(header.dialect), header.version);
  }
  bool on_aux(std::span<const std::byte> key, std::span<const std::byte> value) override {
    return add('a', key.size(), value.size()) && add(key) && add(value);
  }
  bool on_database(std::uint64_t db) override { return add('d', db); }
  bool on_database_size(std::uint64_t keys, std::uint64_t expires) override {
    return add('s', keys, expires);
  }
  bool on_function(std::span<const std::byte> source) override {
    return add('f', source.size()) && add(source);
  }
  bool on_module_aux(std::uint64_t module_id, std::uint64_t when) override {
    return add('m', module_id, when);
  }
  bool on_record_begin(const RecordHeader& record) override {
    value_bytes_ = value_crc_ = 0;
    add('r', record.index, record.offset);
    add('t', record.db, record.type->number);
    add('e', record.expire_at_ms.has_value(),
        static_cast<std::uint64_t>(record.expire_at_ms.value_or(0)));
    add('i', record.lru_idle_s.has_value(), record.lru_idle_s.value_or(0));
    add('l', record.lfu_freq.has_value(), record.lfu_freq.value_or(0));
    add('k', record.key.size(), record.key_meta.size());
    return add(record.key) && add(record.key_meta);
  }
  bool on_value_part(std::span<const std::byte> part) override {
    value_bytes_ += part.size();
    value_crc_ = crc64_by_table(value_crc_, part);
    return true;
  }
  bool on_record_end(std::uint64_t offset) override {
    return add('v', value_bytes_, offset) && add('c', value_crc_);
  }
  bool on_end(const Trailer& trailer) override {
    return add('z', trailer.crc64, trailer.bytes) && add('Z', trailer.records);
  }

  std::uint64_t digest = 0;

 private:
  bool add(std::span<const std::byte> bytes) {
    digest = crc64_by_table(digest, bytes);
    return true;
  }
  bool add(char kind, std::uint64_t first, std::uint64_t second = 0) {
    const std::uint64_t fields[] = {static_cast<std::uint64_t>(kind), first, second};
    return add(std::as_bytes(std::span(fields)));
  }

  std::uint64_t value_bytes_ = 0;
  std::uint64_t value_crc_ = 0;
};

}  // namespace sluice::rdb::fuzz
