#pragma once

#include "engine/stream_facts.h"

namespace sluice::engine {

/// Takes the facts of a stream that passes by on its way to another handler.
/// Lifetime: `next` outlives this. Threads: one at a time.
class FactsTap final : public StreamFacts {
 public:
  explicit FactsTap(rdb::Handler& next) : next_(next) {}

  bool on_header(const rdb::Header& header) override {
    return StreamFacts::on_header(header) && next_.on_header(header);
  }
  bool on_aux(std::span<const std::byte> key, std::span<const std::byte> value) override {
    return StreamFacts::on_aux(key, value) && next_.on_aux(key, value);
  }
  bool on_database(std::uint64_t db) override { return next_.on_database(db); }
  bool on_database_size(std::uint64_t keys, std::uint64_t expires) override {
    return next_.on_database_size(keys, expires);
  }
  bool on_function(std::span<const std::byte> source) override {
    return StreamFacts::on_function(source) && next_.on_function(source);
  }
  bool on_module_aux(std::uint64_t module_id, std::uint64_t when) override {
    return StreamFacts::on_module_aux(module_id, when) && next_.on_module_aux(module_id, when);
  }
  bool on_metadata_part(std::span<const std::byte> part) override {
    return next_.on_metadata_part(part);
  }
  bool on_record_begin(const rdb::RecordHeader& record) override {
    return StreamFacts::on_record_begin(record) && next_.on_record_begin(record);
  }
  bool on_value_part(std::span<const std::byte> part) override {
    return StreamFacts::on_value_part(part) && next_.on_value_part(part);
  }
  bool on_record_end(std::uint64_t offset) override {
    return StreamFacts::on_record_end(offset) && next_.on_record_end(offset);
  }
  bool on_end(const rdb::Trailer& trailer) override {
    return StreamFacts::on_end(trailer) && next_.on_end(trailer);
  }

 private:
  rdb::Handler& next_;
};

}  // namespace sluice::engine
