#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <mutex>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "engine/partition_store.h"
#include "engine/slot_loads.h"

namespace sluice::engine {

/// A record that owns its bytes.
struct OwnedRecord {
  std::uint64_t db = 0;
  std::string key = {};
  std::string value = {};
  std::string meta = {};
  std::uint8_t type = 0;
  std::optional<std::int64_t> expire_at_ms = std::nullopt;
  std::optional<std::uint64_t> idle_s = std::nullopt;
  std::optional<std::uint8_t> freq = std::nullopt;
  bool fragmented = false;

  friend bool operator==(const OwnedRecord&, const OwnedRecord&) = default;

  [[nodiscard]] Record view() const {
    return {.key = std::as_bytes(std::span(key)),
            .type = type,
            .expire_at_ms = expire_at_ms,
            .idle_s = idle_s,
            .freq = freq,
            .meta = std::as_bytes(std::span(meta)),
            .fragmented = fragmented,
            .value = std::as_bytes(std::span(value))};
  }
};

inline std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

inline std::vector<std::byte> bytes_of(std::string_view text) {
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

inline std::string label_text(std::string_view key, bool by_slot) {
  if (!by_slot) return std::string(key);
  bool has_tag = false;
  const std::uint16_t slot = key_slot(std::as_bytes(std::span(key)), has_tag);
  return {std::string{static_cast<char>(slot >> 8), static_cast<char>(slot & 0xff)} +
          std::string(key)};
}

/// std::string compares as unsigned bytes do.
inline std::vector<OwnedRecord> sorted_by_label(std::vector<OwnedRecord> records, bool by_slot) {
  std::ranges::sort(records, {}, [by_slot](const OwnedRecord& record) {
    return std::pair(record.db, label_text(record.key, by_slot));
  });
  return records;
}

inline OwnedRecord owned(std::uint64_t db, const Record& record) {
  return {.db = db,
          .key = text_of(record.key),
          .value = text_of(record.value),
          .meta = text_of(record.meta),
          .type = record.type,
          .expire_at_ms = record.expire_at_ms,
          .idle_s = record.idle_s,
          .freq = record.freq,
          .fragmented = record.fragmented};
}

/// Everything that a finished store has, in the order in which it gives it; checks labels.
inline Result<std::vector<OwnedRecord>> drained(PartitionStore& store, bool by_slot = false) {
  std::vector<OwnedRecord> records;
  for (std::size_t i = 0; i < store.partitions(); ++i) {
    auto done = store.take(i, [&](const SortedBatch& batch) -> Result<void> {
      EXPECT_EQ(batch.db(), store.lower(i).db);
      for (std::size_t at = 0; at < batch.size(); ++at) {
        records.push_back(owned(batch.db(), batch[at]));
        EXPECT_EQ(text_of(batch.label(at)), label_text(records.back().key, by_slot));
        EXPECT_GE(text_of(batch.label(at)), text_of(store.lower(i).label));
      }
      return {};
    });
    if (!done) return std::unexpected(done.error());
  }
  return records;
}

/// Adds, finishes, and expects what std::sort gives. Not by EXPECT_EQ: nobody wants to read it.
inline PartitionStats expect_sorted(const PartitionOptions& options,
                                    const std::vector<OwnedRecord>& records,
                                    std::vector<Fence> fences = {}) {
  PartitionStore store(options, std::move(fences));
  for (const OwnedRecord& record : records) store.add(record.db, record.view());
  const auto finished = store.finish();
  EXPECT_TRUE(finished.has_value()) << finished.error().message;
  const auto got = drained(store, options.by_slot);
  EXPECT_TRUE(got.has_value()) << got.error().message;
  if (!got) return {};
  const auto expected = sorted_by_label(records, options.by_slot);
  EXPECT_EQ(got->size(), expected.size());
  const auto [in_got, in_expected] = std::ranges::mismatch(*got, expected);
  EXPECT_TRUE(in_got == got->end() && in_expected == expected.end())
      << "first difference at record " << in_got - got->begin();
  EXPECT_EQ(store.stats().records, expected.size());
  return store.stats();
}

/// In an order as a hash table might have it.
inline std::vector<OwnedRecord> numbered(std::size_t count, std::size_t value_bytes,
                                         std::string_view prefix = "user:session:") {
  std::vector<OwnedRecord> records;
  for (std::size_t i = 0; i < count; ++i) {
    const std::string number = std::to_string(i * 7919 % 1'000'003);
    records.push_back({.key = std::string(prefix) + number + ":" + std::to_string(i),
                       .value = std::string(value_bytes, static_cast<char>('a' + i % 26))});
  }
  std::ranges::shuffle(records, std::mt19937_64(17));
  return records;
}

/// Less than any of the tests adds.
inline const PartitionOptions tiny{.memory_bytes = 256 << 10,
                                   .partition_bytes = 16 << 10,
                                   .partition_bytes_max = 64 << 10,
                                   .by_slot = false,
                                   .expected_bytes = 0};

}  // namespace sluice::engine
