#include "engine/run_writer.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "../rdb/allocation_meter.h"
#include "made_records.h"

namespace sluice::engine {
namespace {

TEST(RunWriter, WhatItWritesIsReadAgain) {
  Random random(1);
  RunWriter writer;
  for (const std::size_t count : {1, 2, 3, 10, 100, 900}) {
    const MadeRecords records = random_records(random, count);
    EXPECT_EQ(read_run(write_run(writer, records)), records);
  }
}

TEST(RunWriter, KeepsTheExtremesOfEveryField) {
  constexpr std::int64_t longest = INT64_MAX;
  MadeRecords records;
  for (const std::int64_t when : {std::int64_t{0}, expiry_u48_max, expiry_u48_max + 1,
                                  std::int64_t{-1}, longest, -longest - 1}) {
    records["expires at " + std::to_string(when)].expire_at_ms = when;
  }
  records["idle 0"].idle_s = 0;
  records["idle long"].idle_s = UINT64_MAX;
  records["freq 0"].freq = 0;
  records["both"] = {.idle_s = 7, .freq = 255};
  records[""] = {.type = 255, .value = std::string(70'000, 'v')};
  records[std::string(70'000, 'k')] = {.meta = std::string(70'000, 'm'), .fragmented = true};
  RunWriter writer;
  EXPECT_EQ(read_run(write_run(writer, records)), records);
}

TEST(RunWriter, TakesKeysInAscendingOrderOnly) {
  RunWriter writer;
  EXPECT_TRUE(writer.add({.key = bytes("b")}));
  const std::uint64_t before = writer.bytes();
  for (const std::string_view key : {"", "a", "aaa", "b"}) {
    EXPECT_FALSE(writer.add({.key = bytes(key)})) << key;
  }
  EXPECT_EQ(writer.bytes(), before);
  EXPECT_TRUE(writer.add({.key = bytes("b\x7f")}));
  EXPECT_FALSE(writer.add({.key = bytes("b\x7e")}));
  EXPECT_TRUE(writer.add({.key = bytes("b\x80")})) << "bytes are compared without a sign";
  EXPECT_EQ(read_run(writer.finish()).size(), 3u);
}

TEST(RunWriter, TellsWhereThePiecesLieAsTheReaderDoes) {
  Random random(2);
  RunWriter writer;
  const MadeRecords records = random_records(random, 200);
  const auto run = write_run(writer, records);
  const auto reader = RunReader::open(run, "run");
  ASSERT_TRUE(reader.has_value());
  RunPieces pieces;
  reader->pieces(pieces);
  ASSERT_EQ(pieces.records(), records.size());
  std::uint32_t end = sizeof(RunHeader);
  for (std::size_t c = 0; c < run_column_count; ++c) {
    const auto column = static_cast<RunColumn>(c);
    EXPECT_TRUE(std::ranges::equal(pieces.starts(column), writer.pieces().starts(column)));
    EXPECT_TRUE(std::ranges::is_sorted(pieces.starts(column)));
    EXPECT_EQ(pieces.starts(column).front(), end);
    end = pieces.starts(column).back();
  }
  EXPECT_EQ(end, run.size());
  std::size_t i = 0;
  for (const auto& [key, made] : records) {
    EXPECT_EQ(text_of(pieces.piece(run, RunColumn::values, i++)), made.value);
  }
}

TEST(RunWriter, AllocatesNothingOnceItHasWrittenARunOfTheSize) {
  Random random(3);
  const MadeRecords records = random_records(random, 500);
  RunWriter writer;
  const auto write = [&] {
    writer.clear();
    bool ok = true;
    for (const auto& [key, made] : records) ok = writer.add(made.record(key)) && ok;
    return ok && !writer.finish().empty();
  };
  ASSERT_TRUE(write());
  const rdb::testing::AllocationMeter meter;
  EXPECT_TRUE(write());
  EXPECT_EQ(meter.count(), 0u);
}

}  // namespace
}  // namespace sluice::engine
