#pragma once

#include <cstdint>
#include <optional>

#include "engine/consumer_group.h"
#include "engine/output_buffer.h"
#include "engine/scratch_sorter.h"
#include "rdb/value_handler.h"

namespace sluice::engine {

/// A stream as one JSON object. Entries are written as they come, which is why they stand first;
/// groups are collected and sorted. Texts of entries are the caller's: begin_text(), end_entry()…
class JsonlStream {
 public:
  JsonlStream(OutputBuffer& out, const ScratchLimits& limits);

  void begin();
  void on_group_text(rdb::Role role, const rdb::Text& text);
  void on_number(rdb::Role role, std::uint64_t number);
  void on_stream_id(rdb::Role role, rdb::StreamId id);
  void end();

  [[nodiscard]] std::optional<Error> error() const;

 private:
  void begin_entry(rdb::StreamId id);
  void end_entries();
  void add_id(const char* name, rdb::StreamId id);
  void end_group();
  void write_group();
  void write_groups();

  OutputBuffer& out_;
  Spool groups_;            // as JSON, in the order of the file
  OutputBuffer group_out_;  // into groups_
  ScratchSorter order_;     // group name -> where in groups_
  ConsumerGroup group_;
  bool in_entries_ = false;
  bool has_entry_ = false;
  bool has_group_ = false;
};

}  // namespace sluice::engine
