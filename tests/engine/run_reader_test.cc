#include "engine/run_reader.h"

#include <gtest/gtest.h>

#include <cstring>

#include "../rdb/allocation_meter.h"
#include "made_records.h"

namespace sluice::engine {
namespace {

/// The columns of a run, to be put together in ways that the writer would not.
struct Columns {
  std::string keys = std::string("\0\1a\1\1b", 6);
  std::string kinds = std::string(4, '\0');
  std::string sizes = "\1\2";
  std::string expiries = {};
  std::string access = {};
  std::string metas = {};
  std::string values = "xyz";
  std::uint32_t version = 1;
  std::uint32_t records = 2;
  std::uint32_t reserved = 0;

  [[nodiscard]] std::string run() const {
    std::string header = little_endian(version, 4) + little_endian(records, 4);
    std::string body;
    for (const auto* column : {&keys, &kinds, &sizes, &expiries, &access, &metas, &values}) {
      header += little_endian(column->size(), 4);
      body += *column;
    }
    return header + little_endian(reserved, 4) + little_endian(0, 4) + body;
  }
};

std::string fault_of(const std::string& run) {
  const auto reader = RunReader::open(bytes(run), "chunk 7");
  if (reader) return "";
  EXPECT_EQ(reader.error().stage, Stage::storage);
  EXPECT_EQ(reader.error().code, "corrupt");
  EXPECT_TRUE(reader.error().message.starts_with("chunk 7: ")) << reader.error().message;
  return reader.error().message.substr(9);
}

TEST(RunReader, FindsEveryKeyAndNoOther) {
  Random random(4);
  const MadeRecords records = random_records(random, 300);
  RunWriter writer;
  auto reader = RunReader::open(write_run(writer, records), "run");
  ASSERT_TRUE(reader.has_value());
  Record found;
  for (const auto& [key, made] : records) {
    ASSERT_TRUE(reader->find(bytes(key), found));
    EXPECT_EQ(text_of(found.key), key);
    EXPECT_EQ(own(found), made);
    EXPECT_EQ(reader->find(bytes(key + '\0'), found), records.contains(key + '\0'));
  }
}

TEST(RunReader, SeeksTheFirstKeyThatIsNotLess) {
  const MadeRecords records{{"b", {}}, {"bb", {}}, {"d", {}}};
  RunWriter writer;
  auto reader = RunReader::open(write_run(writer, records), "run");
  ASSERT_TRUE(reader.has_value());
  Record record;
  const auto seek = [&](std::string_view key) {
    return reader->seek(bytes(key), record) ? text_of(record.key) : "none";
  };
  EXPECT_EQ(seek("d"), "d");
  EXPECT_EQ(seek("da"), "none");
  EXPECT_EQ(seek(""), "b");
  EXPECT_EQ(seek("ba"), "bb");
  ASSERT_TRUE(reader->next(record));
  EXPECT_EQ(text_of(record.key), "d") << "it goes on after what was sought";
  EXPECT_FALSE(reader->next(record));
  reader->rewind();
  ASSERT_TRUE(reader->next(record));
  EXPECT_EQ(text_of(record.key), "b");
}

TEST(RunReader, TakesTheRunThatTheFaultyOnesAreMadeOf) { EXPECT_EQ(fault_of(Columns{}.run()), ""); }

TEST(RunReader, RefusesAHeadThatDoesNotFit) {
  const std::string run = Columns{}.run();
  EXPECT_EQ(fault_of(run.substr(0, 43)), "a run of 43 bytes has no header");
  EXPECT_EQ(fault_of(""), "a run of 0 bytes has no header");
  EXPECT_EQ(fault_of(run + '\0'), "a run of 60 bytes, its columns come to 59");
  EXPECT_EQ(fault_of(run.substr(0, 58)), "a run of 58 bytes, its columns come to 59");
  EXPECT_EQ(fault_of(Columns{.version = 2}.run()), "run version 2 is unknown");
  EXPECT_EQ(fault_of(Columns{.reserved = 1}.run()), "reserved words of a run are not zero");
  EXPECT_EQ(fault_of(Columns{.records = 3}.run()), "4 bytes of kinds for 3 records");
  EXPECT_EQ(fault_of(Columns{.records = UINT32_MAX}.run()),
            "4 bytes of kinds for 4294967295 records");
  const Columns none{.keys = "", .kinds = "", .sizes = "", .values = "", .records = 0};
  EXPECT_EQ(fault_of(none.run()), "a run without records");
  std::string huge = run;
  std::memset(huge.data() + 8, 0xff, 28);  // the lengths come to more than 32 bits
  EXPECT_EQ(fault_of(huge), "a run of 59 bytes, its columns come to 30064771109");
}

TEST(RunReader, RefusesKeysThatAreNotWhatTheWriterMakesOfThem) {
  const auto fault = [](std::string_view keys) {
    return fault_of(Columns{.keys = std::string(keys)}.run());
  };
  using namespace std::string_view_literals;
  EXPECT_EQ(fault("\0\1a\0\1b"sv), "");
  EXPECT_EQ(fault("\0\0\0\1b"sv), "") << "the empty key is one";
  EXPECT_EQ(fault("\0\1a\1\2b"sv), "key of record 1 is cut");
  EXPECT_EQ(fault("\0\1a"sv), "key of record 1 is cut");
  EXPECT_EQ(fault("\0\1a\1"sv), "key of record 1 is cut");
  EXPECT_EQ(fault("\0\1a\2\1b"sv), "key of record 1 shares 2 bytes with one of 1");
  EXPECT_EQ(fault("\1\1a\1\1b"sv), "key of record 0 shares 1 bytes with one of 0");
  EXPECT_EQ(fault("\0\1b\0\1a"sv), "key of record 1 is not in its place");
  EXPECT_EQ(fault("\0\1a\1\0"sv), "key of record 1 is not in its place") << "the same";
  EXPECT_EQ(fault("\0\1a\0\0"sv), "key of record 1 is not in its place");
  EXPECT_EQ(fault("\0\1a\0\2ab"sv), "key of record 1 is not in its place") << "could share more";
  EXPECT_EQ(fault("\0\1a\1\1b!"sv), "1 bytes after the last key");
  EXPECT_EQ(fault("\0\x81\0a\0\1b"sv), "key of record 0 is cut") << "a longer form than need be";
}

TEST(RunReader, RefusesAttributesThatDoNotFitTheirColumns) {
  const auto fault = [](char attributes, Columns columns) {
    columns.kinds[3] = attributes;
    return fault_of(columns.run());
  };
  using namespace std::string_literals;
  EXPECT_EQ(fault('\x40', {}), "attributes 0x40 of record 1 are unknown");
  EXPECT_EQ(fault('\x80', {}), "attributes 0x80 of record 1 are unknown");
  EXPECT_EQ(fault('\3', {.expiries = "12345678"}), "attributes 0x3 of record 1 are unknown");
  EXPECT_EQ(fault('\1', {.expiries = "123456"}), "");
  EXPECT_EQ(fault('\1', {.expiries = "12345"}), "expiry of record 1 is cut or in the wrong form");
  EXPECT_EQ(fault('\1', {.expiries = "1234567"}), "bytes after the last expiry");
  EXPECT_EQ(fault('\2', {.expiries = "12345678"}), "");
  EXPECT_EQ(fault('\2', {.expiries = "123456\0\0"s}),
            "expiry of record 1 is cut or in the wrong form");
  EXPECT_EQ(fault('\0', {.access = "1"}), "bytes after the last access info");
  EXPECT_EQ(fault('\x10', {.access = "\xff"}), "access info of record 1 is cut");
  EXPECT_EQ(fault('\x20', {}), "access info of record 1 is cut");
  EXPECT_EQ(fault('\x30', {.access = "1"}), "access info of record 1 is cut");
  EXPECT_EQ(fault('\x30', {.access = "12"}), "");
  EXPECT_EQ(fault('\4', {.metas = "\2m"}), "metadata of record 1 are cut");
  EXPECT_EQ(fault('\4', {.metas = "\0"s}), "metadata of record 1 are cut") << "none is no metadata";
  EXPECT_EQ(fault('\4', {.metas = "\1mm"}), "bytes after the last metadata");
  EXPECT_EQ(fault('\x0c', {.metas = "\1m"}), "");
}

TEST(RunReader, RefusesSizesThatDoNotAddUp) {
  EXPECT_EQ(fault_of(Columns{.sizes = "\1\3"}.run()), "value of record 1 is cut");
  EXPECT_EQ(fault_of(Columns{.sizes = "\1\1"}.run()), "1 bytes after the last value");
  EXPECT_EQ(fault_of(Columns{.sizes = "\3"}.run()), "size of record 1 is cut");
  EXPECT_EQ(fault_of(Columns{.sizes = std::string("\1\2\0", 3)}.run()),
            "bytes after the last size");
  const std::string most = std::string(9, '\xff') + '\1';
  EXPECT_EQ(fault_of(Columns{.sizes = '\1' + most}.run()), "value of record 1 is cut");
  EXPECT_EQ(fault_of(Columns{.sizes = '\1' + std::string(9, '\xff') + '\2'}.run()),
            "size of record 1 is cut")
      << "more than 64 bits";
}

// What is taken is exactly what the writer would have written.
TEST(RunReader, AFlippedBitIsRefusedOrIsAnotherRun) {
  Random random(5);
  RunWriter writer;
  const std::string run = text_of(write_run(writer, random_records(random, 12)));
  std::size_t refused = 0;
  for (std::size_t bit = 0; bit < 8 * std::min<std::size_t>(run.size(), 800); ++bit) {
    std::string flipped = run;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
    if (!RunReader::open(bytes(flipped), "run")) {
      ++refused;
      continue;
    }
    EXPECT_EQ(text_of(write_run(writer, read_run(bytes(flipped)))), flipped) << "bit " << bit;
  }
  EXPECT_GT(refused, 8 * sizeof(RunHeader) - 1);
  for (std::size_t size = 0; size < run.size(); ++size) {
    EXPECT_FALSE(RunReader::open(bytes(run).first(size), "run").has_value());
  }
}

TEST(RunReader, AllocatesNothingForARecord) {
  Random random(6);
  RunWriter writer;
  const auto run = write_run(writer, random_records(random, 500));
  auto reader = RunReader::open(run, "run");
  ASSERT_TRUE(reader.has_value());
  Record record;
  std::size_t records = 0;
  const rdb::testing::AllocationMeter meter;
  while (reader->next(record)) ++records;
  EXPECT_EQ(meter.count(), 0u);
  EXPECT_EQ(records, 500u);
}

}  // namespace
}  // namespace sluice::engine
