#include "rdb/field_expiry_editor.h"

#include <gtest/gtest.h>

#include "encoding_builder.h"

namespace sluice::rdb {
namespace {

using testing::len;
using testing::listpack;
using testing::little;
using testing::lzf_str;
using testing::str;

constexpr std::int64_t past = 1'600'000'000'000;
constexpr std::int64_t snapshot = 1'700'000'000'000;
constexpr std::int64_t future = 1'800'000'000'000;
constexpr std::int64_t hour = 3'600'000;
constexpr ExpiryChange drop{.kind = ExpiryChange::Kind::drop, .by_ms = 0, .snapshot_ms = snapshot};
constexpr ExpiryChange later{
    .kind = ExpiryChange::Kind::shift, .by_ms = hour, .snapshot_ms = snapshot};

std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}

/// Edits the value of a table, cut at every place there is.
void expect_table(Dialect dialect, std::uint8_t number, const ExpiryChange& change,
                  const std::string& value, const std::string& expected) {
  const ValueType& type = *find_value_type(dialect, number);
  ASSERT_TRUE(FieldExpiryEditor::concerns(type));
  ASSERT_FALSE(FieldExpiryEditor::is_listpack(type));
  ASSERT_EQ(value.size(), expected.size());
  for (std::size_t cut = 0; cut <= value.size(); ++cut) {
    FieldExpiryEditor editor;
    editor.begin(type, change);
    std::string edited;
    for (const auto& part : {value.substr(0, cut), value.substr(cut)}) {
      const auto fed = editor.feed(bytes_of(part));
      ASSERT_TRUE(fed.has_value()) << fed.error();
      edited += text_of(*fed);
    }
    EXPECT_TRUE(editor.complete());
    EXPECT_EQ(edited, expected) << "cut at " << cut;
  }
}

std::string valkey_hash(std::int64_t a, std::int64_t b, std::int64_t c) {
  const auto expiry = [](std::int64_t at) { return little(static_cast<std::uint64_t>(at), 8); };
  return len(3) + str("a") + str(std::string(200, 'x')) + expiry(a) + str("b") +
         lzf_str(std::string(40, 'y')) + expiry(b) + str("c") + "\xc1\x34\x12" + expiry(c);
}

TEST(FieldExpiryEditor, DropsAndMovesTheTimesOfAValkeyHash) {
  const std::string value = valkey_hash(future, past, -1);
  expect_table(Dialect::valkey, 22, drop, value, valkey_hash(-1, past, -1));
  expect_table(Dialect::valkey, 22, later, value, valkey_hash(future + hour, past + hour, -1));
}

std::string redis_hash(std::int64_t least, const std::string& a, const std::string& b) {
  return little(static_cast<std::uint64_t>(least), 8) + len(2) + a + str("a") + str("1") + b +
         str("b") + str("2");
}

TEST(FieldExpiryEditor, DropsAndMovesTimesThatCountFromTheLeast) {
  const std::string far = len(1'000'000);
  ASSERT_EQ(far.size(), 5u);
  const std::string value = redis_hash(future, len(1), far);
  const std::string none = std::string("\x80\0\0\0\0", 5);
  expect_table(Dialect::redis, 24, drop, value, redis_hash(future, len(0), none));
  expect_table(Dialect::redis, 24, later, value, redis_hash(future + hour, len(1), far));
  // In two bytes, none at all, and one that was past when the data were saved.
  const std::string two = std::string("\x40\0", 2);
  expect_table(Dialect::redis, 24, drop, redis_hash(future, len(0), len(300)),
               redis_hash(future, len(0), two));
  expect_table(Dialect::redis, 24, drop, redis_hash(past, len(1), len(0)),
               redis_hash(past, len(1), len(0)));
  expect_table(Dialect::redis, 24, later, redis_hash(0, len(0), len(0)),
               redis_hash(0, len(0), len(0)));
}

TEST(FieldExpiryEditor, EditsTheFirstForm) {
  const auto value = [](std::int64_t at) {
    return len(1) + len(static_cast<std::uint64_t>(at)) + str("a") + str("1");
  };
  expect_table(Dialect::redis, 22, later, value(future), value(future + hour));
  expect_table(Dialect::redis, 22, drop, value(future),
               len(1) + "\x81" + std::string(8, '\0') + str("a") + str("1"));
}

std::string edited_listpack(std::uint8_t number, const ExpiryChange& change,
                            const std::string& value) {
  const ValueType& type = *find_value_type(Dialect::redis, number);
  EXPECT_TRUE(FieldExpiryEditor::is_listpack(type));
  const auto edited = FieldExpiryEditor::edit_listpack(type, change, bytes_of(value), 1 << 20);
  EXPECT_TRUE(edited.has_value()) << edited.error();
  return edited ? text_of(*edited) : "";
}

TEST(FieldExpiryEditor, EditsAListpack) {
  const auto value = [](std::int64_t a, std::int64_t b) {
    return little(static_cast<std::uint64_t>(a), 8) +
           str(listpack({"f", "v", a, "g", 17, b, "h", std::string(300, 'z'), 0}));
  };
  EXPECT_EQ(edited_listpack(25, later, value(future, future + 5)),
            value(future + hour, future + hour + 5));
  const std::string dropped = edited_listpack(25, drop, value(past, future));
  const std::string before = value(past, future);
  ASSERT_EQ(dropped.size(), before.size());
  // The same but for eight bytes that are zero now.
  const std::size_t at = before.find(little(future, 8), 8);
  ASSERT_NE(at, std::string::npos);
  EXPECT_EQ(dropped, before.substr(0, at) + std::string(8, '\0') + before.substr(at + 8));
}

TEST(FieldExpiryEditor, EditsACompressedListpack) {
  const std::string plain = listpack({"f", std::string(2000, 'v'), future});
  const std::string value = little(future, 8) + lzf_str(plain);
  const std::string edited = edited_listpack(25, later, value);
  EXPECT_LT(edited.size(), 200u);  // compressed anew
  EXPECT_EQ(edited.substr(0, 8), little(future + hour, 8));
  EXPECT_EQ(edited[8], '\xc3');
  // Once more back: nothing but the compression has changed.
  ExpiryChange back = later;
  back.by_ms = -hour;
  const std::string once = edited_listpack(25, back, edited);
  EXPECT_EQ(edited_listpack(25, later, once), edited);
}

TEST(FieldExpiryEditor, RefusesWhatIsNoHash) {
  const ValueType& table = *find_value_type(Dialect::valkey, 22);
  for (const std::string& value : {std::string("\xff"), len(1) + "\xc7", len(0) + "x"}) {
    FieldExpiryEditor editor;
    editor.begin(table, drop);
    EXPECT_FALSE(editor.feed(bytes_of(value)).has_value());
  }
  const ValueType& list = *find_value_type(Dialect::redis, 25);
  const std::string good = little(future, 8) + str(listpack({"f", "v", future}));
  const auto edit = [&](const std::string& value, std::uint64_t max) {
    return FieldExpiryEditor::edit_listpack(list, drop, bytes_of(value), max).has_value();
  };
  EXPECT_TRUE(edit(good, 100));
  EXPECT_FALSE(edit(good, 10));
  for (std::size_t cut = 0; cut < good.size(); ++cut) EXPECT_FALSE(edit(good.substr(0, cut), 100));
  EXPECT_FALSE(edit(little(future, 8) + str(listpack({"f", "v"})), 100));
  EXPECT_FALSE(edit(little(future, 8) + str(listpack({"f", "v", "w"})), 100));
}

TEST(FieldExpiryEditor, StopsAtTheEndsOfTime) {
  constexpr auto max = std::numeric_limits<std::int64_t>::max();
  EXPECT_EQ(add_times(max - 1, 5), max);
  EXPECT_EQ(add_times(-5, std::numeric_limits<std::int64_t>::min()),
            std::numeric_limits<std::int64_t>::min());
}

}  // namespace
}  // namespace sluice::rdb
