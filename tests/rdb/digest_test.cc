// What belongs to the dataset digest and what does not, from events told by hand. How real
// encodings come to the same events is the value reader's business; digest_vector_test.cc joins the
// two.

#include "rdb/digest.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace sluice::rdb::testing {
namespace {

struct Event {
  Role role;
  std::variant<std::string, std::uint64_t, double, StreamId> what;
};
using Events = std::vector<Event>;

std::span<const std::byte> bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

struct Key {
  std::string name = "k";
  std::uint64_t db = 0;
  std::optional<std::int64_t> expire_at_ms = std::nullopt;
};

RecordHeader header(const Key& key, const ValueType& type) {
  RecordHeader record;
  record.db = key.db;
  record.type = &type;
  record.key = bytes(key.name);
  record.expire_at_ms = key.expire_at_ms;
  return record;
}

void tell_text(DatasetDigest& digest, Role role, std::string_view text, std::size_t part_bytes) {
  const std::uint64_t size = text.size();
  bool first = true;
  do {
    const auto part = text.substr(0, part_bytes);
    text.remove_prefix(part.size());
    digest.on_text(role,
                   {.bytes = bytes(part), .size = size, .first = first, .last = text.empty()});
    first = false;
  } while (!text.empty());
}

void tell(DatasetDigest& digest, const Key& key, LogicalType type, const Events& events,
          std::size_t part_bytes = 1 << 20) {
  ValueType row;
  row.logical = type;
  digest.begin(header(key, row));
  for (const Event& event : events) {
    if (const auto* text = std::get_if<std::string>(&event.what)) {
      tell_text(digest, event.role, *text, part_bytes);
    } else if (const auto* number = std::get_if<std::uint64_t>(&event.what)) {
      digest.on_number(event.role, *number);
    } else if (const auto* real = std::get_if<double>(&event.what)) {
      digest.on_real(event.role, *real);
    } else {
      digest.on_stream_id(event.role, std::get<StreamId>(event.what));
    }
  }
  digest.end();
}

Digest128 digest_of(LogicalType type, const Events& events, const Key& key = {},
                    std::size_t part_bytes = 1 << 20) {
  DatasetDigest digest;
  tell(digest, key, type, events, part_bytes);
  return digest.value();
}

/// The event with something else in its place.
Event changed(Event event) {
  if (auto* text = std::get_if<std::string>(&event.what)) *text += 'x';
  if (auto* number = std::get_if<std::uint64_t>(&event.what)) ++*number;
  if (auto* real = std::get_if<double>(&event.what)) *real += 1;
  if (auto* id = std::get_if<StreamId>(&event.what)) ++id->seq;
  return event;
}

constexpr bool is_left_out(Role role) {
  return role == Role::seen_time || role == Role::active_time || role == Role::first_id;
}

/// Every event but those left out must change the digest when it changes.
void expect_every_event_counts(LogicalType type, const Events& events) {
  const Digest128 before = digest_of(type, events);
  for (std::size_t i = 0; i < events.size(); ++i) {
    SCOPED_TRACE(std::string(to_string(type)) + ", event " + std::to_string(i));
    Events other = events;
    other[i] = changed(events[i]);
    EXPECT_EQ(digest_of(type, other) == before, is_left_out(events[i].role));
  }
}

std::string raw_string(std::string_view text) {
  const auto size = static_cast<unsigned>(text.size());
  std::string head;
  if (size < 64) {
    head = {static_cast<char>(size)};
  } else if (size < 16384) {
    head = {static_cast<char>(0x40 | size >> 8), static_cast<char>(size)};
  } else {
    head = {'\x80', '\0', static_cast<char>(size >> 16), static_cast<char>(size >> 8),
            static_cast<char>(size)};
  }
  return head.append(text);
}

TEST(Digest, OfARawStringIsTheSameInOneStep) {
  ValueType row;
  row.logical = LogicalType::string;
  for (const std::size_t size : {4, 63, 64, 300, 16383, 16384, 100'000}) {
    for (const Key& key : {Key{}, Key{.name = "other", .db = 3, .expire_at_ms = 17},
                           Key{.name = "", .db = 0, .expire_at_ms = -1}}) {
      const std::string text(size, 'v');
      const auto term = term_of_raw_string(header(key, row), bytes(raw_string(text)));
      ASSERT_TRUE(term) << size;
      EXPECT_EQ(*term, digest_of(LogicalType::string, {{Role::value, text}}, key)) << size;
    }
  }
}

TEST(Digest, OfWhatIsNoRawStringIsNotTakenInOneStep) {
  ValueType string;
  string.logical = LogicalType::string;
  const std::string sound = raw_string("a value");
  const std::string_view integer("\xC2\1\0\0\0", 5);
  const std::string_view lzf("\xC3\4\5\1ab\x20\0", 8);
  for (const std::string_view value :
       {std::string_view(), integer, lzf, std::string_view(sound).substr(0, sound.size() - 1)})
    EXPECT_FALSE(term_of_raw_string(header({}, string), bytes(value)));
  EXPECT_FALSE(term_of_raw_string(header({}, string), bytes(sound + "x")));
  ValueType list;
  list.logical = LogicalType::list;
  EXPECT_FALSE(term_of_raw_string(header({}, list), bytes(sound)));
}

constexpr std::uint64_t unknown = std::numeric_limits<std::uint64_t>::max();

Events stream_events() {
  return {
      {Role::entry, StreamId{1, 1}},
      {Role::entry_field, "f"},
      {Role::entry_value, "v"},
      {Role::entry_field, "g"},
      {Role::entry_value, "w"},
      {Role::entry, StreamId{2, 0}},
      {Role::entry_field, "f"},
      {Role::entry_value, "v"},
      {Role::stream_length, std::uint64_t{2}},
      {Role::last_id, StreamId{2, 0}},
      {Role::first_id, StreamId{1, 1}},
      {Role::max_deleted_id, StreamId{1, 2}},
      {Role::entries_added, std::uint64_t{3}},
      {Role::group, "one"},
      {Role::group_last_id, StreamId{2, 0}},
      {Role::entries_read, std::uint64_t{3}},
      {Role::pending, StreamId{1, 1}},
      {Role::delivery_time, std::uint64_t{1000}},
      {Role::delivery_count, std::uint64_t{1}},
      {Role::pending, StreamId{2, 0}},
      {Role::delivery_time, std::uint64_t{1001}},
      {Role::delivery_count, std::uint64_t{2}},
      {Role::consumer, "alice"},
      {Role::seen_time, std::uint64_t{2000}},
      {Role::active_time, std::uint64_t{2000}},
      {Role::consumer_pending, StreamId{1, 1}},
      {Role::consumer, "bob"},
      {Role::seen_time, std::uint64_t{2000}},
      {Role::active_time, unknown - 1},
      {Role::nacked, StreamId{2, 0}},
      {Role::group, "two"},
      {Role::group_last_id, StreamId{0, 0}},
      {Role::entries_read, unknown - 1},
      {Role::idempotency_seconds, std::uint64_t{100}},
      {Role::idempotency_items, std::uint64_t{10}},
      {Role::producer, "p"},
      {Role::producer_item, "i"},
      {Role::producer_entry, StreamId{1, 1}},
      {Role::items_added, std::uint64_t{1}},
      {Role::items_duplicate, std::uint64_t{0}},
  };
}

/// As vset.c writes it: with attributes, without a projection matrix.
Events vector_set_events(std::uint64_t link) {
  constexpr std::uint64_t vector_set = 0xBDE72DA2BB1EB400;
  const auto number = [](std::uint64_t value) { return Event{Role::module_unsigned, value}; };
  return {{Role::module_id, vector_set},
          number(3),            // dimensions
          number(2),            // nodes
          number(1 | 16 << 8),  // quantisation and links at most
          number(2),            // flags
          {Role::module_text, "item one"},
          {Role::module_text, "{\"a\":1}"},
          {Role::module_text, "vec"},
          number(3),
          number(link),
          number(link),
          number(77),
          {Role::module_text, "item two"},
          {Role::module_text, ""},
          {Role::module_text, "tor"},
          number(2),
          number(link),
          number(78)};
}

TEST(Digest, OfNothingIsZero) {
  EXPECT_EQ(to_string(DatasetDigest().value()), "s1:00000000000000000000000000000000");
}

TEST(Digest, IsWrittenMostSignificantFirst) {
  EXPECT_EQ(to_string(Digest128{.low = 0x1f, .high = 0xab00000000000000}),
            "s1:ab00000000000000000000000000001f");
}

TEST(Digest, AddsWithCarry) {
  Digest128 sum{.low = ~std::uint64_t{0}, .high = 1};
  sum += {.low = 2, .high = 3};
  EXPECT_EQ(sum, (Digest128{.low = 1, .high = 5}));
}

TEST(Digest, DoesNotDependOnTheOrderOfKeys) {
  DatasetDigest one;
  DatasetDigest other;
  tell(one, {.name = "a"}, LogicalType::string, {{Role::string, "1"}});
  tell(one, {.name = "b"}, LogicalType::list, {{Role::element, "1"}});
  tell(other, {.name = "b"}, LogicalType::list, {{Role::element, "1"}});
  tell(other, {.name = "a"}, LogicalType::string, {{Role::string, "1"}});
  EXPECT_EQ(one.value(), other.value());
  EXPECT_EQ(one.keys(), 2U);
}

TEST(Digest, CountsEverythingAboutAKey) {
  const Events value{{Role::string, "v"}};
  const auto before = digest_of(LogicalType::string, value);
  EXPECT_NE(before, digest_of(LogicalType::string, value, {.name = "l"}));
  EXPECT_NE(before, digest_of(LogicalType::string, value, {.db = 1}));
  EXPECT_NE(before, digest_of(LogicalType::string, value, {.expire_at_ms = 1}));
  EXPECT_NE(before, digest_of(LogicalType::list, {{Role::element, "v"}}));
  EXPECT_EQ(before, digest_of(LogicalType::string, value, {.expire_at_ms = -1}));
}

TEST(Digest, DiffersByTypeEvenWhenEmpty) {
  const auto set = digest_of(LogicalType::set, {});
  EXPECT_NE(set, digest_of(LogicalType::hash, {}));
  EXPECT_NE(set, digest_of(LogicalType::list, {}));
  EXPECT_NE(set, digest_of(LogicalType::string, {{Role::string, ""}}));
}

TEST(Digest, DoesNotDependOnHowTextsAreCut) {
  for (const std::size_t size : {0, 1, 7, 16, 17, 128, 129, 240, 241, 1000, 5000}) {
    const Events value{{Role::field, std::string(size, 'f')},
                       {Role::value, std::string(size, 'v')}};
    const auto whole = digest_of(LogicalType::hash, value);
    for (const std::size_t part : {1, 3, 256, 1024}) {
      EXPECT_EQ(whole, digest_of(LogicalType::hash, value, {}, part)) << size << " by " << part;
    }
  }
}

TEST(Digest, CountsEveryEventOfEveryType) {
  expect_every_event_counts(LogicalType::string, {{Role::string, "v"}});
  expect_every_event_counts(LogicalType::list, {{Role::element, "a"}, {Role::element, "b"}});
  expect_every_event_counts(LogicalType::set, {{Role::member, "a"}, {Role::member, "b"}});
  expect_every_event_counts(
      LogicalType::zset,
      {{Role::member, "a"}, {Role::score, 1.0}, {Role::member, "b"}, {Role::score, -1.5}});
  expect_every_event_counts(LogicalType::hash, {{Role::field, "a"},
                                                {Role::value, "b"},
                                                {Role::field, "c"},
                                                {Role::value, "d"},
                                                {Role::field_expiry, std::uint64_t{5}}});
  expect_every_event_counts(LogicalType::stream, stream_events());
  expect_every_event_counts(LogicalType::array, {{Role::array_insert_index, std::uint64_t{7}},
                                                 {Role::array_index, std::uint64_t{0}},
                                                 {Role::array_text, "t"},
                                                 {Role::array_index, std::uint64_t{2}},
                                                 {Role::array_integer, std::uint64_t{3}},
                                                 {Role::array_index, std::uint64_t{4}},
                                                 {Role::array_real, 0.5}});
  expect_every_event_counts(LogicalType::module, {{Role::module_id, std::uint64_t{1 << 20}},
                                                  {Role::module_text, "t"},
                                                  {Role::module_signed, std::uint64_t{3}},
                                                  {Role::module_unsigned, std::uint64_t{3}},
                                                  {Role::module_float, 0.5},
                                                  {Role::module_double, 0.5}});
}

TEST(Digest, KnowsOrderWhereThereIsOne) {
  const Event a{Role::element, "a"};
  const Event b{Role::element, "b"};
  EXPECT_NE(digest_of(LogicalType::list, {a, b}), digest_of(LogicalType::list, {b, a}));
  const Event m{Role::member, "a"};
  const Event n{Role::member, "b"};
  EXPECT_EQ(digest_of(LogicalType::set, {m, n}), digest_of(LogicalType::set, {n, m}));
  EXPECT_EQ(digest_of(LogicalType::zset, {m, {Role::score, 1.0}, n, {Role::score, 2.0}}),
            digest_of(LogicalType::zset, {n, {Role::score, 2.0}, m, {Role::score, 1.0}}));
  EXPECT_NE(digest_of(LogicalType::zset, {m, {Role::score, 1.0}, n, {Role::score, 2.0}}),
            digest_of(LogicalType::zset, {n, {Role::score, 1.0}, m, {Role::score, 2.0}}));
  const Events fields{
      {Role::field, "f"}, {Role::value, "1"}, {Role::field, "g"}, {Role::value, "2"}};
  EXPECT_EQ(digest_of(LogicalType::hash, fields),
            digest_of(LogicalType::hash, {fields[2], fields[3], fields[0], fields[1]}));
  EXPECT_NE(digest_of(LogicalType::hash, fields),
            digest_of(LogicalType::hash, {fields[0], fields[3], fields[2], fields[1]}));
}

TEST(Digest, TakesBothZeroesForOneScore) {
  const Event member{Role::member, "m"};
  EXPECT_EQ(digest_of(LogicalType::zset, {member, {Role::score, 0.0}}),
            digest_of(LogicalType::zset, {member, {Role::score, -0.0}}));
}

// Which of the two a server keeps is its own affair; a client sees "12".
TEST(Digest, TakesAnIntegerOfAnArrayForItsText) {
  const Event index{Role::array_index, std::uint64_t{3}};
  EXPECT_EQ(digest_of(LogicalType::array, {index, {Role::array_text, "-12"}}),
            digest_of(LogicalType::array, {index, {Role::array_integer, ~std::uint64_t{11}}}));
}

TEST(Digest, LeavesOutWhatIdempotencyIsSetToWithoutProducers) {
  const Events with = stream_events();
  Events without(with.begin(), with.end() - 7);
  const auto before = digest_of(LogicalType::stream, without);
  without.push_back({Role::idempotency_seconds, std::uint64_t{100}});
  without.push_back({Role::idempotency_items, std::uint64_t{10}});
  without.push_back({Role::items_added, std::uint64_t{0}});
  EXPECT_EQ(before, digest_of(LogicalType::stream, without));
}

TEST(Digest, DoesNotDependOnTheOrderOfGroupsAndConsumers) {
  const Event read{Role::entries_read, std::uint64_t{1}};
  const Event last{Role::group_last_id, StreamId{}};
  const Event one{Role::group, "one"};
  const Event two{Role::group, "two"};
  const Event alice{Role::consumer, "alice"};
  const Event bob{Role::consumer, "bob"};
  EXPECT_EQ(digest_of(LogicalType::stream, {one, last, read, alice, bob, two, last, read}),
            digest_of(LogicalType::stream, {two, last, read, one, last, read, bob, alice}));
  EXPECT_NE(digest_of(LogicalType::stream, {one, last, read, alice, bob, two, last, read}),
            digest_of(LogicalType::stream, {one, last, read, alice, two, last, read, bob}));
}

TEST(Digest, OfAVectorSetLeavesOutTheGraph) {
  const Events events = vector_set_events(5);
  const auto before = digest_of(LogicalType::module, events);
  EXPECT_EQ(before, digest_of(LogicalType::module, vector_set_events(6)));
  for (const std::size_t i : {1, 3, 5, 6, 7, 11, 12, 13, 14, 17}) {
    Events other = events;
    other[i] = changed(events[i]);
    EXPECT_NE(before, digest_of(LogicalType::module, other)) << i;
  }
  Events other = events;  // the nodes the other way round
  std::rotate(other.begin() + 5, other.begin() + 12, other.end());
  EXPECT_EQ(before, digest_of(LogicalType::module, other));
}

// Should a later server write vector sets in another way, nothing must be overlooked.
TEST(Digest, OfAVectorSetThatIsNotUnderstoodIsThatOfAnyModule) {
  Events events = vector_set_events(5);
  events.push_back({Role::module_unsigned, std::uint64_t{1}});
  const auto before = digest_of(LogicalType::module, events);
  events[9] = changed(events[9]);
  EXPECT_NE(before, digest_of(LogicalType::module, events));
}

class Terms final : public DigestTermHandler {
 public:
  void on_field_term(const DigestTerm& term) override { fields.push_back(term); }
  void on_record_term(const DigestTerm& term) override { records.push_back(term); }

  std::vector<DigestTerm> fields;
  std::vector<DigestTerm> records;
};

TEST(Digest, IsTheSumOfItsTerms) {
  Terms terms;
  DatasetDigest digest(&terms);
  tell(digest, {.name = "a"}, LogicalType::string, {{Role::string, "1"}});
  tell(digest, {.name = "b", .expire_at_ms = 50}, LogicalType::hash,
       {{Role::field, "f"},
        {Role::value, "1"},
        {Role::field_expiry, std::uint64_t{40}},
        {Role::field, "g"},
        {Role::value, "2"}});
  Digest128 sum;
  for (const auto* list : {&terms.fields, &terms.records}) {
    for (const DigestTerm& term : *list) sum += term.digest;
  }
  EXPECT_EQ(sum, digest.value());
  ASSERT_EQ(terms.fields.size(), 1U);
  ASSERT_EQ(terms.records.size(), 2U);
  EXPECT_EQ(terms.records[0].gone_at_ms, DigestTerm::never);
  EXPECT_EQ(terms.records[1].gone_at_ms, 50);
  EXPECT_EQ(terms.fields[0].gone_at_ms, 40);
}

TEST(Digest, SaysThatAHashGoesWithTheLastOfItsFields) {
  Terms terms;
  DatasetDigest digest(&terms);
  const Event forty{Role::field_expiry, std::uint64_t{40}};
  const Event thirty{Role::field_expiry, std::uint64_t{30}};
  const Event f{Role::field, "f"};
  const Event g{Role::field, "g"};
  const Event v{Role::value, "v"};
  tell(digest, {}, LogicalType::hash, {f, v, forty, g, v, thirty});
  tell(digest, {}, LogicalType::hash, {f, v, forty, g, v});
  tell(digest, {.expire_at_ms = 35}, LogicalType::hash, {f, v, forty});
  ASSERT_EQ(terms.records.size(), 3U);
  EXPECT_EQ(terms.records[0].gone_at_ms, 40);
  EXPECT_EQ(terms.records[1].gone_at_ms, DigestTerm::never);
  EXPECT_EQ(terms.records[2].gone_at_ms, 35);
  ASSERT_EQ(terms.fields.size(), 4U);
  EXPECT_EQ(terms.fields[3].gone_at_ms, 35);  // the key goes before its field
  // What stays of a hash is the same whether its other fields are still there or not.
  Terms left;
  DatasetDigest later(&left);
  tell(later, {}, LogicalType::hash, {g, v});
  EXPECT_EQ(left.records[0].digest, terms.records[1].digest);
}

}  // namespace
}  // namespace sluice::rdb::testing
