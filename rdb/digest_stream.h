#pragma once

#include <cstdint>

#include "rdb/digest128.h"
#include "rdb/value_handler.h"

namespace sluice::rdb {

/// The part of DatasetDigest that is about one stream. The times at which a consumer was seen or
/// active are left out: no command can reproduce them, and they change while a stream is read.
class StreamDigest {
 public:
  void on_text(Role role, const Digest128& hash);
  void on_number(Role role, std::uint64_t number);
  void on_id(Role role, StreamId id);
  /// Closes what is open and gives the digest of the stream.
  [[nodiscard]] Digest128 end();

 private:
  struct Entry {
    bool open = false;
    StreamId id;
    Digest128 field;
    std::uint64_t pairs = 0;
    Digest128 sum;  // over its pairs
  };
  struct Consumer {
    bool open = false;
    Digest128 name;
    Digest128 pending;  // sum
  };
  struct Group {
    bool open = false;
    Digest128 name;
    StreamId last_id;
    std::uint64_t entries_read = 0;
    StreamId pending_id;  // its time and count come next
    std::uint64_t delivery_time = 0;
    Digest128 pending;  // sums
    Digest128 consumers;
    Digest128 nacked;
  };
  struct Producer {
    bool open = false;
    Digest128 name;
    Digest128 item;   // its entry comes next
    Digest128 items;  // sum
  };

  void end_entry();
  void end_consumer();
  void end_group();
  void end_producer();
  [[nodiscard]] Digest128 idempotency() const;

  Entry entry_;
  Group group_;
  Consumer consumer_;
  Producer producer_;
  Digest128 entries_;  // sums
  Digest128 groups_;
  Digest128 producers_;
  std::uint64_t length_ = 0;
  StreamId last_id_;
  StreamId max_deleted_id_;
  std::uint64_t entries_added_ = 0;
  bool has_producers_ = false;
  std::uint64_t idempotency_seconds_ = 0;
  std::uint64_t idempotency_items_ = 0;
  std::uint64_t items_added_ = 0;
  std::uint64_t items_duplicate_ = 0;
};

}  // namespace sluice::rdb
