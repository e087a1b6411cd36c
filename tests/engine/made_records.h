#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "engine/record.h"
#include "engine/run_reader.h"
#include "engine/run_writer.h"
#include "rdb_text.h"

namespace sluice::engine {

/// A record that owns what it is made of, but for its key.
struct MadeRecord {
  std::uint8_t type = 0;
  std::optional<std::int64_t> expire_at_ms = {};
  std::optional<std::uint64_t> idle_s = {};
  std::optional<std::uint8_t> freq = {};
  std::string meta = {};
  bool fragmented = false;
  std::string value = {};

  [[nodiscard]] Record record(std::string_view key) const {
    return {.key = bytes(key),
            .type = type,
            .expire_at_ms = expire_at_ms,
            .idle_s = idle_s,
            .freq = freq,
            .meta = bytes(meta),
            .fragmented = fragmented,
            .value = bytes(value)};
  }
  friend bool operator==(const MadeRecord&, const MadeRecord&) = default;
};

/// By key, in the order of runs.
using MadeRecords = std::map<std::string, MadeRecord>;

inline std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

inline MadeRecord own(const Record& record) {
  return {.type = record.type,
          .expire_at_ms = record.expire_at_ms,
          .idle_s = record.idle_s,
          .freq = record.freq,
          .meta = text_of(record.meta),
          .fragmented = record.fragmented,
          .value = text_of(record.value)};
}

/// The run of `records`, which `writer` goes on holding.
inline std::span<const std::byte> write_run(RunWriter& writer, const MadeRecords& records) {
  writer.clear();
  for (const auto& [key, made] : records) EXPECT_TRUE(writer.add(made.record(key)));
  EXPECT_EQ(writer.records(), records.size());
  const std::uint64_t expected = writer.bytes();
  const auto run = writer.finish();
  EXPECT_EQ(run.size(), expected);
  return run;
}

inline MadeRecords read_run(std::span<const std::byte> run) {
  MadeRecords records;
  auto reader = RunReader::open(run, "run");
  if (!reader) {
    ADD_FAILURE() << reader.error().message;
    return records;
  }
  Record record;
  while (reader->next(record)) records.emplace(text_of(record.key), own(record));
  EXPECT_EQ(records.size(), reader->records());
  return records;
}

using Random = std::mt19937_64;

inline std::string random_text(Random& random, std::size_t size) {
  std::string text(size, '\0');
  for (char& c : text) c = static_cast<char>(random());
  return text;
}

/// Keys share prefixes of any length; everything that a record may have, some have.
inline std::string random_key(Random& random) {
  std::string key;
  const auto parts = random() % 4;
  for (std::uint64_t i = 0; i < parts; ++i) {
    key += random() % 4 == 0 ? std::string(random() % 200, 'p') : random_text(random, random() % 3);
  }
  return key + std::to_string(random() % 1000);
}

inline MadeRecord random_record(Random& random) {
  MadeRecord made;
  made.type = static_cast<std::uint8_t>(random());
  made.value = random_text(random, random() % 8 == 0 ? random() % 20'000 : random() % 200);
  const auto one_in = [&random](std::uint64_t n) { return random() % n == 0; };
  if (one_in(3)) made.expire_at_ms = static_cast<std::int64_t>(random() >> (random() % 64));
  if (one_in(9)) made.expire_at_ms = -static_cast<std::int64_t>(random() >> 8);
  if (one_in(4)) made.idle_s = random() >> (random() % 64);
  if (one_in(4)) made.freq = static_cast<std::uint8_t>(random());
  if (one_in(5)) made.meta = random_text(random, 1 + random() % 300);
  made.fragmented = one_in(20);
  return made;
}

inline MadeRecords random_records(Random& random, std::size_t count) {
  MadeRecords records;
  while (records.size() < count) records.emplace(random_key(random), random_record(random));
  return records;
}

}  // namespace sluice::engine
