#include "engine/canonical_value.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "../rdb/allocation_meter.h"
#include "../rdb/corpus.h"
#include "../rdb/encoding_builder.h"
#include "made_records.h"
#include "rdb/digest.h"
#include "rdb/parser.h"
#include "rdb/value_reader.h"

namespace sluice::engine {
namespace {

using rdb::Dialect;
using rdb::ValueType;
using rdb::testing::len;
using rdb::testing::little;
using rdb::testing::lzf_str;
using rdb::testing::str;

const ValueType& type_of(Dialect dialect, std::uint8_t number) {
  return *rdb::find_value_type(dialect, number);
}

/// The value in canonical order, whether that is another than it had or not.
std::string canonical(const ValueType& type, const std::string& value) {
  CanonicalValue canonical_value;
  std::vector<std::byte> out;
  return canonical_value.canonicalise(type, bytes(value), out) ? text_of(out) : value;
}

/// The dataset digest of a record that has nothing but this value; empty for one that is refused.
std::string digest_of(const rdb::Header& header, const ValueType& type, const std::string& value) {
  rdb::RecordHeader record;
  record.type = &type;
  record.key = bytes("key");
  rdb::DatasetDigest digest;
  rdb::ValueReader reader(digest, {.texts = rdb::Roles::all(), .strict = false});
  digest.begin(record);
  reader.begin(record, header);
  if (!reader.feed(bytes(value)) || !reader.end()) return "";
  digest.end();
  return rdb::to_string(digest.value());
}

/// A form of value with elements in any order.
struct Form {
  Dialect dialect{};
  std::uint8_t number = 0;
  std::string head;
  std::string (*element)(Random& random, const std::string& token) = nullptr;

  [[nodiscard]] const ValueType& type() const { return type_of(dialect, number); }
  [[nodiscard]] std::string value(const std::vector<std::string>& elements) const {
    std::string text = head + len(elements.size());
    for (const std::string& each : elements) text += each;
    return text;
  }
};

std::string any_string(Random& random) {
  const std::string text =
      random_text(random, random() % 4 == 0 ? random() % 20'000 : random() % 80);
  switch (random() % 4) {
    case 0: return std::string("\xC0") + static_cast<char>(random());
    case 1: return "\xC2" + little(random(), 4);
    case 2: return lzf_str(text.substr(0, 4000) + "lzf");
    default: return str(text);
  }
}

const std::vector<Form>& forms() {
  static const std::vector<Form> all{
      {Dialect::redis, 2, "", [](Random&, const std::string& member) { return member; }},
      {Dialect::redis, 4, "",
       [](Random& random, const std::string& field) { return field + any_string(random); }},
      {Dialect::redis, 22, "",
       [](Random& random, const std::string& field) {
         return len(random() % 3 * 1'700'000'000'000) + field + any_string(random);
       }},
      {Dialect::redis, 24, little(1'700'000'000'000, 8),
       [](Random& random, const std::string& field) {
         return len(random() % 3 * 20'000) + field + any_string(random);
       }},
      {Dialect::valkey, 22, "",
       [](Random& random, const std::string& field) {
         const std::uint64_t expiry = random() % 2 == 0 ? UINT64_MAX : random() >> 20;
         return field + any_string(random) + little(expiry, 8);
       }},
  };
  return all;
}

TEST(CanonicalValue, AnyOrderOfTheElementsGivesTheSameBytes) {
  Random random(1);
  for (const Form& form : forms()) {
    SCOPED_TRACE(form.type().name);
    const rdb::Header header{.dialect = form.dialect, .version = form.type().since};
    for (int round = 0; round < 60; ++round) {
      std::map<std::string, std::string> by_token;
      while (by_token.size() < 1 + static_cast<std::size_t>(round)) {
        const std::string token = any_string(random);
        by_token[token] = form.element(random, token);
      }
      std::vector<std::string> elements;
      for (const auto& [token, element] : by_token) elements.push_back(element);
      const std::string sorted = form.value(elements);
      EXPECT_EQ(canonical(form.type(), sorted), sorted);
      std::ranges::shuffle(elements, random);
      const std::string shuffled = form.value(elements);
      EXPECT_EQ(canonical(form.type(), shuffled), sorted);
      const std::string digest = digest_of(header, form.type(), shuffled);
      EXPECT_NE(digest, "");
      EXPECT_EQ(digest_of(header, form.type(), sorted), digest);
    }
  }
}

TEST(CanonicalValue, SaysThatThereIsNothingToDo) {
  CanonicalValue canonical_value;
  std::vector<std::byte> out;
  const auto changes = [&](std::uint8_t number, const std::string& value) {
    return canonical_value.canonicalise(type_of(Dialect::redis, number), bytes(value), out);
  };
  EXPECT_TRUE(changes(2, len(2) + str("b") + str("a")));
  EXPECT_EQ(text_of(out), len(2) + str("a") + str("b"));
  EXPECT_TRUE(changes(2, len(2) + str("aa") + str("b"))) << "the length is the first byte";
  EXPECT_TRUE(changes(2, "\x80" + std::string("\0\0\0\2", 4) + str("b") + str("a"))) << "long form";
  EXPECT_FALSE(changes(2, len(2) + str("a") + str("b")));
  EXPECT_FALSE(changes(2, len(0)));
  EXPECT_FALSE(changes(1, len(2) + str("b") + str("a"))) << "a list has an order of its own";
  EXPECT_FALSE(changes(0, str("b")));
  const std::string longest = str(std::string(CanonicalValue::value_bytes_max, 'b'));
  EXPECT_FALSE(changes(2, len(2) + longest + str("a"))) << "too long";
}

TEST(CanonicalValue, AppliesToTheHashTableFormsOnly) {
  std::string names;
  for (const Dialect dialect : {Dialect::redis, Dialect::valkey}) {
    for (unsigned number = 0; number < 256; ++number) {
      const ValueType* type = rdb::find_value_type(dialect, static_cast<std::uint8_t>(number));
      if (type == nullptr || !CanonicalValue::applies_to(*type)) continue;
      names += std::string(type->name) + ' ';
    }
  }
  EXPECT_EQ(names, "set hash hash_metadata_pre_ga hash_metadata set hash hash_2 ");
}

TEST(CanonicalValue, KeepsWhatItCannotWalk) {
  const ValueType& set = type_of(Dialect::redis, 2);
  CanonicalValue canonical_value;
  std::vector<std::byte> out;
  const std::string good = len(3) + str("c") + lzf_str("bbbb") + str("a");
  ASSERT_TRUE(canonical_value.canonicalise(set, bytes(good), out));
  for (std::size_t size = 0; size < good.size(); ++size) {
    EXPECT_FALSE(canonical_value.canonicalise(set, bytes(good).first(size), out)) << size;
  }
  EXPECT_FALSE(canonical_value.canonicalise(set, bytes(good + '\0'), out)) << "trailing byte";
  const std::string ba = str("b") + str("a");
  for (const std::string& bad :
       {"\x82" + ba, "\xC4" + ba, len(2) + '\xC4' + ba, len(2) + '\x90' + ba, "\xBF" + ba,
        "\x81" + std::string(8, '\xff') + ba, len(2) + str("b") + '\x81' + std::string(8, '\xff'),
        len(2) + str("b") + '\xC3' + '\x81' + std::string(8, '\xff') + '\1', len(1000) + ba}) {
    EXPECT_FALSE(canonical_value.canonicalise(set, bytes(bad), out));
  }
}

// A server refuses them; the bytes are kept, in one order.
TEST(CanonicalValue, DuplicatesHaveOneOrderToo) {
  const ValueType& hash = type_of(Dialect::redis, 4);
  const std::string f1 = str("f") + str("1");
  const std::string f2 = str("f") + str("2");
  EXPECT_EQ(canonical(hash, len(3) + f2 + f1 + f2), len(3) + f1 + f2 + f2);
  EXPECT_EQ(canonical(hash, len(3) + f2 + f2 + f1), len(3) + f1 + f2 + f2);
}

TEST(CanonicalValue, AllocatesNothingOnceItHasSeenAValueOfTheSize) {
  std::string value = len(300);
  for (int i = 300; i-- > 0;) value += str("field" + std::to_string(i)) + str("value");
  const ValueType& hash = type_of(Dialect::redis, 4);
  CanonicalValue canonical_value;
  std::vector<std::byte> out;
  ASSERT_TRUE(canonical_value.canonicalise(hash, bytes(value), out));
  const rdb::testing::AllocationMeter meter;
  EXPECT_TRUE(canonical_value.canonicalise(hash, bytes(value), out));
  EXPECT_EQ(meter.count(), 0u);
}

/// Takes the digest of every record of a stream, as it is and in canonical order.
class CorpusReader final : public rdb::Handler {
 public:
  bool on_header(const rdb::Header& header) override {
    header_ = header;
    return true;
  }
  bool on_record_begin(const rdb::RecordHeader& record) override {
    type_ = record.type;
    value_.clear();
    return true;
  }
  bool on_value_part(std::span<const std::byte> part) override {
    value_ += text_of(part);
    return true;
  }
  bool on_record_end(std::uint64_t /*offset*/) override {
    if (!CanonicalValue::applies_to(*type_)) return true;
    ++seen;
    const std::string sorted = canonical(*type_, value_);
    if (sorted != value_) ++changed;
    EXPECT_EQ(sorted.size(), value_.size());
    EXPECT_EQ(canonical(*type_, sorted), sorted);
    EXPECT_EQ(digest_of(header_, *type_, sorted), digest_of(header_, *type_, value_));
    return true;
  }

  std::size_t seen = 0;
  std::size_t changed = 0;

 private:
  rdb::Header header_;
  const ValueType* type_ = nullptr;
  std::string value_;
};

TEST(CanonicalValue, WhatServersWroteMeansTheSameAfterwards) {
  std::size_t seen = 0;
  std::size_t changed = 0;
  for (const auto& file : rdb::testing::corpus()) {
    SCOPED_TRACE(file.name);
    CorpusReader reader;
    rdb::Parser parser(reader);
    static_cast<void>(parser.feed(bytes(file.content)));
    seen += reader.seen;
    changed += reader.changed;
  }
  EXPECT_GT(seen, 50u);
  EXPECT_GT(changed, 20u);
}

}  // namespace
}  // namespace sluice::engine
