#include "value_recorder.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <ostream>
#include <vector>

#include "rdb/crc64.h"
#include "rdb/escape.h"
#include "recorder.h"

namespace sluice::rdb::testing {
namespace {

constexpr std::array<std::string_view, 44> role_names = {
    "string",
    "element",
    "member",
    "field",
    "value",
    "entry_field",
    "entry_value",
    "group",
    "consumer",
    "producer",
    "producer_item",
    "array_text",
    "module_text",
    "field_expiry",
    "stream_length",
    "entries_added",
    "entries_read",
    "delivery_time",
    "delivery_count",
    "seen_time",
    "active_time",
    "idempotency_seconds",
    "idempotency_items",
    "items_added",
    "items_duplicate",
    "array_insert_index",
    "array_index",
    "array_integer",
    "module_id",
    "module_signed",
    "module_unsigned",
    "score",
    "array_real",
    "module_float",
    "module_double",
    "entry",
    "last_id",
    "first_id",
    "max_deleted_id",
    "group_last_id",
    "pending",
    "consumer_pending",
    "nacked",
    "producer_entry",
};

bool is_signed(Role role) {
  return role == Role::entries_read || role == Role::active_time || role == Role::array_integer ||
         role == Role::module_signed;
}

}  // namespace

std::string_view name_of(Role role) { return role_names.at(static_cast<std::size_t>(role)); }

bool ValueRecorder::accept() {
  if (events_left_ == 0 || refusals > 0) {
    ++refusals;
    return false;
  }
  ++events;
  if (events_left_ != never) --events_left_;
  return true;
}

void ValueRecorder::words(Role role, const std::string& what) {
  EXPECT_FALSE(in_text_) << name_of(role) << " inside a text";
  log += (log.empty() ? "" : " ") + std::string(name_of(role)) + ' ' + what;
}

bool ValueRecorder::on_text(Role role, const Text& text) {
  constexpr std::size_t shown_bytes_max = 64;
  if (!accept()) return false;
  EXPECT_EQ(text.first, !in_text_);
  EXPECT_TRUE(text.last || !text.bytes.empty()) << "an empty part";
  if (text.first) text_.clear();
  text_.append(reinterpret_cast<const char*>(text.bytes.data()), text.bytes.size());
  EXPECT_LE(text_.size(), text.size);
  in_text_ = !text.last;
  if (!text.last) return true;
  EXPECT_EQ(text_.size(), text.size);
  const auto whole = bytes(text_);
  words(role, text_.size() <= shown_bytes_max
                  ? '"' + escape(whole) + '"'
                  : std::to_string(text_.size()) + ":" + std::to_string(crc64_by_table(0, whole)));
  return true;
}

bool ValueRecorder::on_number(Role role, std::uint64_t number) {
  if (!accept()) return false;
  words(role, is_signed(role) ? std::to_string(static_cast<std::int64_t>(number))
                              : std::to_string(number));
  return true;
}

bool ValueRecorder::on_real(Role role, double real) {
  if (!accept()) return false;
  std::array<char, 32> digits{};
  std::snprintf(digits.data(), digits.size(), "%.17g", real);
  words(role, digits.data());
  return true;
}

bool ValueRecorder::on_stream_id(Role role, StreamId id) {
  if (!accept()) return false;
  words(role, std::to_string(id.ms) + '-' + std::to_string(id.seq));
  return true;
}

void PrintTo(const Reading& reading, std::ostream* out) {
  *out << reading.log << "\n" << (reading.error ? to_string(*reading.error) : "no error");
}

Reading read(const Value& value, ReadOptions options, std::span<const std::size_t> cuts) {
  ValueRecorder seen;
  ValueReader reader(seen, options);
  RecordHeader record;
  record.type = find_value_type(value.dialect, value.type);
  record.key = bytes("k");
  reader.begin(record, {.dialect = value.dialect, .version = value.version});
  Reading reading;
  std::size_t from = 0;
  for (std::size_t piece = 0; piece <= cuts.size() && !reading.error; ++piece) {
    const std::size_t to = piece < cuts.size() ? cuts[piece] : value.bytes.size();
    const auto part = bytes(value.bytes).subspan(from, to - from);
    const auto fed = reader.feed(part.empty() ? std::span<const std::byte>() : part);
    if (!fed) reading.error = fed.error();
    from = to;
  }
  const auto ended = reader.end();
  if (reading.error) {
    EXPECT_EQ(ended.error(), *reading.error) << "errors are sticky";
    EXPECT_EQ(reader.feed(bytes("x")).error(), *reading.error) << "errors are sticky";
  } else if (!ended) {
    reading.error = ended.error();
  }
  reading.log = std::move(seen.log);
  return reading;
}

bool has_more_behind(const Reading& reading) {
  return reading.error && reading.error->detail == "bytes after its end";
}

Reading read_begun_with(const Value& value, std::size_t first, std::string_view behind,
                        ReadOptions options) {
  ValueRecorder seen;
  ValueReader reader(seen, options);
  RecordHeader record;
  record.type = find_value_type(value.dialect, value.type);
  std::string key = "k";
  record.key = bytes(key);
  const std::string there = value.bytes.substr(0, first) + std::string(behind);
  const std::size_t taken =
      reader.begin_with(record, {.dialect = value.dialect, .version = value.version}, bytes(there));
  key = "gone";
  Reading reading;
  if (taken == 0) {
    auto fed = reader.feed({});
    if (fed) fed = reader.feed(bytes(value.bytes).subspan(first));
    if (fed) fed = reader.end();
    if (!fed) reading.error = fed.error();
  } else {
    EXPECT_EQ(taken, value.bytes.size());
  }
  reading.log = std::move(seen.log);
  return reading;
}

Reading read_at_every_split(const Value& value, ReadOptions options) {
  const std::size_t size = value.bytes.size();
  const Reading whole = read(value, options);
  std::vector<std::size_t> cuts;
  for (std::size_t i = 0; i < size; ++i) cuts.insert(cuts.end(), 2, i);
  EXPECT_EQ(read(value, options, cuts), whole) << "byte by byte";
  for (std::size_t cut = 0; cut <= size; cut += size / (size < 8192 ? 500 : 40) + 1) {
    const Reading in_two = read(value, options, std::array{cut});
    EXPECT_EQ(in_two, whole) << "cut at byte " << cut;
    if (in_two != whole) break;
    if (has_more_behind(whole)) continue;
    EXPECT_EQ(read_begun_with(value, cut, {}, options), whole) << "begun with " << cut;
  }
  if (!whole.error) {
    EXPECT_EQ(read_begun_with(value, size, "\xFF\x01more", options), whole) << "and more behind";
  }
  options.texts = {};
  EXPECT_EQ(read(value, options).error, whole.error) << "without texts";
  EXPECT_EQ(read(value, options, cuts).error, whole.error) << "without texts, byte by byte";
  if (has_more_behind(whole)) return whole;
  EXPECT_EQ(read_begun_with(value, size, {}, options).error, whole.error) << "begun, no texts";
  return whole;
}

void expect_events(const Value& value, std::string_view log) {
  const Reading strict = read_at_every_split(value);
  EXPECT_EQ(strict.error, std::nullopt);
  EXPECT_EQ(strict.log, log);
  EXPECT_EQ(read_at_every_split(value, {.texts = Roles::all(), .strict = false}), strict);
}

void expect_accepted(const Value& value) { expect_events(value, read(value).log); }

void expect_refused(Depth depth, const Value& value, Errc code, std::string_view detail) {
  SCOPED_TRACE(std::string(detail));
  const Reading strict = read_at_every_split(value);
  ASSERT_TRUE(strict.error.has_value()) << strict.log;
  EXPECT_EQ(strict.error->code, code) << to_string(*strict.error);
  EXPECT_NE(strict.error->detail.find(detail), std::string::npos) << to_string(*strict.error);
  EXPECT_EQ(strict.error->key, "k");
  const Reading lax = read_at_every_split(value, {.texts = Roles::all(), .strict = false});
  if (depth == Depth::decode) {
    EXPECT_EQ(lax.error, strict.error);
  } else {
    EXPECT_EQ(lax.error, std::nullopt);
  }
}

}  // namespace sluice::rdb::testing
