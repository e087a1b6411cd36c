// What is whole is read another way than what is cut. Both must come to the same: over the values
// of real files, as they are and with bytes changed, and over what loops go by in a hurry.

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <random>

#include "corpus.h"
#include "encoding_builder.h"
#include "rdb/lzf.h"
#include "rdb/lzf_compressor.h"
#include "rdb/token_reader.h"
#include "recorder.h"
#include "value_recorder.h"

namespace sluice::rdb::testing {
namespace {

/// Gathers values of up to `bytes_max` bytes, some of each type and file.
class Gatherer final : public Handler {
 public:
  static constexpr std::size_t bytes_max = 3000;
  static constexpr int each_max = 6;

  bool on_header(const Header& header) override {
    header_ = header;
    taken_.clear();
    return true;
  }
  bool on_record_begin(const RecordHeader& record) override {
    value_ = {.type = record.type->number,
              .bytes = {},
              .dialect = header_.dialect,
              .version = header_.version};
    return true;
  }
  bool on_value_part(std::span<const std::byte> part) override {
    value_.bytes.append(reinterpret_cast<const char*>(part.data()), part.size());
    return true;
  }
  bool on_record_end(std::uint64_t /*offset*/) override {
    if (value_.bytes.size() <= bytes_max && taken_[value_.type]++ < each_max) {
      values.push_back(value_);
    }
    return true;
  }

  std::vector<Value> values;

 private:
  Header header_;
  Value value_;
  std::map<int, int> taken_;
};

/// The value whose one string is stored as it is, so that changes reach what is in it.
Value uncompressed(const Value& value) {
  StringHead head;
  std::string padded = value.bytes + std::string(8, '\0');
  const auto all = bytes(padded);
  if (!read_string_head(all.data(), all.data() + all.size(), head) ||
      head.form != StringForm::lzf || head.head_bytes + head.stored_bytes != value.bytes.size()) {
    return value;
  }
  std::string plain(head.plain_bytes, '\0');
  if (!lzf_decompress(all.subspan(head.head_bytes, head.stored_bytes),
                      std::as_writable_bytes(std::span(plain)))) {
    return value;
  }
  Value raw = value;
  raw.bytes = str(plain);
  return raw;
}

std::vector<Value> corpus_values() {
  Gatherer gatherer;
  for (const CorpusFile& file : corpus()) {
    Parser parser(gatherer);
    (void)parser.feed(bytes(file.content));  // some are damaged on purpose
  }
  std::vector<Value> values;
  for (const Value& value : gatherer.values) {
    values.push_back(value);
    values.push_back(uncompressed(value));
    if (values.back().bytes == value.bytes) values.pop_back();
  }
  return values;
}

void expect_whole_as_cut(const Value& value) {
  std::vector<std::size_t> cuts(value.bytes.size());
  std::iota(cuts.begin(), cuts.end(), 0);
  for (const bool strict : {true, false}) {
    for (const Roles texts : {Roles(), Roles::all(), Roles{Role::member, Role::field}}) {
      const ReadOptions options{.texts = texts, .strict = strict};
      const Reading whole = read(value, options);
      EXPECT_EQ(whole, read(value, options, cuts))
          << "type " << int{value.type} << ": " << to_hex(bytes(value.bytes));
      if (has_more_behind(whole)) continue;
      EXPECT_EQ(whole, read_begun_with(value, value.bytes.size(), {}, options))
          << "type " << int{value.type} << ": " << to_hex(bytes(value.bytes));
      if (::testing::Test::HasFailure()) return;
    }
  }
}

TEST(ValueWhole, ReadsRealValuesAsWhenTheyAreCut) {
  const std::vector<Value> values = corpus_values();
  EXPECT_GT(values.size(), 300u);
  for (const Value& value : values) expect_whole_as_cut(value);
}

TEST(ValueWhole, ReadsDamagedValuesAsWhenTheyAreCut) {
  std::mt19937 random(1);
  for (const Value& value : corpus_values()) {
    const int changes = value.bytes.size() < 400 ? 20 : 4;
    for (int i = 0; i < changes && !value.bytes.empty(); ++i) {
      Value damaged = value;
      const std::size_t at = random() % value.bytes.size();
      damaged.bytes[at] = static_cast<char>(random());
      if (i % 4 == 1) damaged.bytes[random() % value.bytes.size()] ^= 1;
      if (i % 4 == 3) damaged.bytes.erase(at, 1 + random() % 3);
      expect_whole_as_cut(damaged);
      if (HasFailure()) return;
    }
  }
}

/// Small inner encodings of every kind, with room for every kind of mistake.
std::vector<Value> built_values() {
  const std::string long_text(200, 'x');
  const Elements texts{"a", "b", 1, "c", -4000, "d", 70000, "e", long_text, "f", INT64_MAX, ""};
  const Elements scored{"a", 1, "b", "1.5", "c", 2, long_text, 300, "e", 1'000'000};
  StreamValue stream;
  stream.nodes[0].second = listpack({2, 1,   2,  "f", "g",     0,       // live, deleted, names
                                     2, 0,   0,  "v", "w",     5,       // as the names say
                                     1, 1,   0,  1,   "other", "x", 6,  // deleted
                                     0, 300, -1, 1,   "own",   "y", 6});
  stream.length = 2;
  stream.added = 3;
  stream.last = {1300, 0};
  stream.first = {1000, 1};
  stream.nodes[0].first = {1000, 1};
  return {{21, stream.encode(21)},
          {16, str(listpack(texts))},
          {20, str(listpack(texts))},
          {17, str(listpack(scored))},
          {18, len(2) + len(2) + str(listpack(texts)) + len(2) + str(listpack(scored))},
          {25, little(5, 8) + str(listpack({"a", 1, 7, "b", "2", 9, "c", 3, 0}))},
          {11, str(intset(2, {-5, -1, 0, 7, 300}))},
          {11, str(intset(4, {-70000, 1, 2, 3}))},
          {11, str(intset(8, {INT64_MIN, 1, INT64_MAX}))},
          {2, len(3) + str("a") + str("b") + str(long_text)},
          {4, len(2) + str("a") + str("1") + str("b") + str(long_text)},
          {5, len(2) + str("a") + real(1) + str("b") + real(2)}};
}

TEST(ValueWhole, ReadsEveryChangeOfOneByteAsWhenItIsCut) {
  for (const Value& value : built_values()) {
    ASSERT_EQ(read(value).error, std::nullopt) << to_hex(bytes(value.bytes));
    for (std::size_t at = 0; at < value.bytes.size(); ++at) {
      for (const int change : {0x01, 0x02, 0x08, 0x40, 0x80, 0xFF}) {
        Value damaged = value;
        damaged.bytes[at] = static_cast<char>(damaged.bytes[at] ^ change);
        expect_whole_as_cut(damaged);
      }
      if (HasFailure()) return;
    }
  }
}

// The shortest way there is: strings that nobody wants.
TEST(ValueWhole, ReadsStringsAsWhenTheyAreCut) {
  const std::string text = "the same again, the same again, the same again";
  std::string packed(text.size(), '\0');
  LzfCompressor compressor;
  packed.resize(compressor.compress(bytes(text), std::as_writable_bytes(std::span(packed))));
  const std::string head = "\xC3" + len(packed.size());
  for (const std::string& string :
       {str(text), str(""), str("x"), std::string("\xC0\x7F"), std::string("\xC2\0\0\0\x80", 5),
        head + len(text.size()) + packed, head + len(text.size() - 1) + packed,
        head + len(text.size() + 1) + packed, "\xC3" + len(0) + len(0), "\xC3" + len(0) + len(1)}) {
    (void)read_at_every_split({0, string}, {.texts = {}, .strict = true});
    for (std::size_t at = 0; at < string.size(); ++at) {
      for (const int change : {0x01, 0x40, 0x80, 0xC0, 0xFF}) {
        std::string damaged = string;
        damaged[at] = static_cast<char>(damaged[at] ^ change);
        expect_whole_as_cut({0, damaged});
      }
    }
    if (HasFailure()) return;
  }
}

// A set that many elements go into is made larger several times, and the next one begins small.
TEST(ValueWhole, FindsADuplicateWhereverItIs) {
  for (const int count : {2, 7, 8, 9, 10, 25, 100, 1500, 5000}) {
    for (const int twice : {0, (count - 1) / 2, count - 2}) {
      std::string members;
      for (int i = 0; i < count - 1; ++i) members += str("member:" + std::to_string(i));
      const Value value{2, len(static_cast<std::uint64_t>(count)) + members +
                               str("member:" + std::to_string(twice))};
      const Reading reading = read(value, {.texts = {}, .strict = true});
      ASSERT_TRUE(reading.error.has_value()) << count;
      EXPECT_EQ(reading.error->code, Errc::duplicate_element);
      if (count <= 1500) expect_whole_as_cut(value);
    }
  }
}

}  // namespace
}  // namespace sluice::rdb::testing
