#pragma once

#include <cstdint>
#include <optional>

#include "rdb/duplicate_set.h"
#include "rdb/stream_node.h"
#include "rdb/value_handler.h"

namespace sluice::rdb {

/// A set of stream ids of which only the sum of the hashes is kept: equal sums, equal sets, as long
/// as no id is in one of them twice.
class IdSum {
 public:
  void clear() noexcept { low_ = high_ = count_ = 0; }
  void add(StreamId id) noexcept;
  [[nodiscard]] std::uint64_t count() const noexcept { return count_; }

  friend bool operator==(const IdSum&, const IdSum&) = default;

 private:
  std::uint64_t low_ = 0;
  std::uint64_t high_ = 0;
  std::uint64_t count_ = 0;
};

/// What is known of a stream so far.
struct StreamState {
  /// Begins another; keeps memory.
  void begin();

  StreamNode node;
  StreamId node_id;
  std::optional<StreamId> last_node_id;
  std::optional<StreamId> first_entry;  ///< Live ones.
  std::optional<StreamId> last_entry;
  std::uint64_t live = 0;

  std::uint64_t ms = 0;  ///< First half of the id being read.
  std::uint64_t length = 0;
  StreamId last_id;
  StreamId first_id;
  StreamId max_deleted_id;
  std::uint64_t entries_added = 0;
  bool has_history = false;  ///< The encoding has first id, deleted id and entries added.
  bool has_active_time = false;

  DuplicateSet groups;
  DuplicateSet consumers;
  DuplicateSet producers;
  std::optional<StreamId> last_pending;
  IdSum pending;
  IdSum owned;

  /// How many entries a group whose last delivered id is `id` has read, as far as that can be told;
  /// -1 when not. Source: Redis src/t_stream.c streamEstimateDistanceFromFirstEverEntry().
  [[nodiscard]] std::int64_t entries_read(StreamId id) const noexcept;
};

}  // namespace sluice::rdb
