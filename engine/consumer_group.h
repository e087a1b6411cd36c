#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "engine/scratch_sorter.h"
#include "rdb/value_handler.h"

namespace sluice::engine {

/// Where a text lies that is kept in a spool.
struct KeptText {
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
};

/// One consumer group of a stream, put together from its events, with each pending id joined to the
/// consumer that has it, whatever the size of the group.
///
///     group.clear();
///     group.on_text(role, text);  …        // the events from `group` up to the next one
///     group.sort();
///     while (group.next_pending(pending)) …   // by id
///     while (group.next_consumer(consumer)) …  // by name
///
/// Errors: sticky, as ScratchFile's; next_…() then end early.
class ConsumerGroup {
 public:
  struct Consumer {
    KeptText name;  // in texts()
    std::uint64_t seen_time = 0;
    std::uint64_t active_time = 0;
  };
  struct Pending {
    rdb::StreamId id;
    std::uint64_t delivery_time = 0;
    std::uint64_t delivery_count = 0;
    std::optional<KeptText> consumer;  ///< None when it was given back with XNACK.
  };

  explicit ConsumerGroup(const ScratchLimits& limits);

  void clear();
  void on_text(rdb::Role role, const rdb::Text& text);
  void on_number(rdb::Role role, std::uint64_t number);
  void on_stream_id(rdb::Role role, rdb::StreamId id);

  void sort();
  [[nodiscard]] bool next_pending(Pending& pending);
  [[nodiscard]] bool next_consumer(Consumer& consumer);

  [[nodiscard]] KeptText name() const noexcept { return name_; }
  [[nodiscard]] rdb::StreamId last_id() const noexcept { return last_id_; }
  /// -1 in two's complement is unknown.
  [[nodiscard]] std::uint64_t entries_read() const noexcept { return entries_read_; }
  [[nodiscard]] Spool& texts() noexcept { return texts_; }
  [[nodiscard]] const std::optional<Error>& error() const noexcept;

 private:
  void end_pending();
  void end_consumer();
  void add_owner(rdb::StreamId id, std::optional<std::uint64_t> consumer);
  [[nodiscard]] Consumer consumer_at(std::uint64_t index);

  Spool texts_;      // names
  Spool consumers_;  // Consumer, as they come
  ScratchSorter by_name_;
  ScratchSorter pending_;
  KeptText name_;
  rdb::StreamId last_id_;
  std::uint64_t entries_read_ = 0;
  Pending open_pending_;
  bool has_open_pending_ = false;
  Consumer open_consumer_;
  bool has_open_consumer_ = false;
  std::uint64_t consumer_count_ = 0;
  ScratchSorter::Record ahead_;  // of pending_
  bool has_ahead_ = false;
};

}  // namespace sluice::engine
