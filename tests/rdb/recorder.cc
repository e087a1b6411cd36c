#include "recorder.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <ostream>

#include "rdb/crc64.h"
#include "rdb/escape.h"

namespace sluice::rdb {

void PrintTo(const Error& error, std::ostream* out) { *out << to_string(error); }

}  // namespace sluice::rdb

namespace sluice::rdb::testing {
namespace {

unsigned digit_value(char digit) {
  if (digit >= '0' && digit <= '9') return static_cast<unsigned>(digit - '0');
  if (digit >= 'A' && digit <= 'F') return static_cast<unsigned>(digit - 'A' + 10);
  if (digit >= 'a' && digit <= 'f') return static_cast<unsigned>(digit - 'a' + 10);
  std::abort();  // a typo in a test
}

std::string padded(unsigned number, std::size_t width) {
  const std::string digits = std::to_string(number);
  return std::string(width - digits.size(), '0') + digits;
}

std::string close_stream(std::string stream) {
  stream += '\xff';
  const std::uint64_t crc = crc64_by_table(0, bytes(stream));
  char footer[sizeof crc];
  std::memcpy(footer, &crc, sizeof crc);
  return stream.append(footer, sizeof footer);
}

std::string describe(const RecordHeader& record) {
  std::string text =
      "record " + std::to_string(record.index) + " at " + std::to_string(record.offset) + " db " +
      std::to_string(record.db) + ' ' + std::string(record.type->name) + '/' +
      std::string(to_string(record.type->logical)) + " \"" + escape(record.key) + '"';
  if (record.expire_at_ms) text += " expire " + std::to_string(*record.expire_at_ms);
  if (record.lru_idle_s) text += " idle " + std::to_string(*record.lru_idle_s);
  if (record.lfu_freq) text += " freq " + std::to_string(*record.lfu_freq);
  if (!record.key_meta.empty()) text += " meta " + to_hex(record.key_meta);
  return text;
}

}  // namespace

std::string from_hex(std::string_view hex) {
  std::string out;
  for (std::size_t at = 0; at < hex.size(); ++at) {
    if (hex[at] == ' ') continue;
    if (hex[at] == '\'') {
      const std::size_t close = hex.find('\'', at + 1);
      out += hex.substr(at + 1, close - at - 1);
      at = close;
      continue;
    }
    out += static_cast<char>(digit_value(hex[at]) << 4 | digit_value(hex.at(at + 1)));
    ++at;
  }
  return out;
}

std::string to_hex(std::span<const std::byte> bytes) {
  constexpr const char* digits = "0123456789abcdef";
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const std::byte byte : bytes) {
    text += digits[std::to_integer<unsigned>(byte) >> 4];
    text += digits[std::to_integer<unsigned>(byte) & 15];
  }
  return text;
}

bool Recorder::line(const std::string& text) {
  ++events;
  if (events_left_ == 0) {
    ++refusals;
    return false;
  }
  --events_left_;
  log += text;
  log += '\n';
  return true;
}

bool Recorder::on_header(const Header& header) {
  const char* dialect = header.dialect == Dialect::redis ? "redis " : "valkey ";
  return line(dialect + std::to_string(header.version));
}

bool Recorder::on_aux(std::span<const std::byte> key, std::span<const std::byte> value) {
  return line("aux \"" + escape(key) + "\" \"" + escape(value) + '"');
}

bool Recorder::on_database(std::uint64_t db) { return line("db " + std::to_string(db)); }

bool Recorder::on_database_size(std::uint64_t keys, std::uint64_t expires) {
  return line("size " + std::to_string(keys) + ' ' + std::to_string(expires));
}

bool Recorder::on_function(std::span<const std::byte> source) {
  return line("function \"" + escape(source) + '"');
}

bool Recorder::on_module_aux(std::uint64_t module_id, std::uint64_t when) {
  return line("module_aux " + std::to_string(module_id) + ' ' + std::to_string(when));
}

bool Recorder::on_record_begin(const RecordHeader& record) {
  value_.clear();
  return line(describe(record));
}

bool Recorder::on_value_part(std::span<const std::byte> part) {
  EXPECT_FALSE(part.empty());
  if (events_left_ == 0) return line({});
  if (events_left_ != never) --events_left_;
  ++events;
  value_.append(reinterpret_cast<const char*>(part.data()), part.size());
  return true;
}

bool Recorder::on_record_end(std::uint64_t offset) {
  constexpr std::size_t shown_bytes_max = 256;
  const std::string value = value_.size() <= shown_bytes_max
                                ? to_hex(bytes(value_))
                                : std::to_string(value_.size()) + " bytes, crc64 " +
                                      std::to_string(crc64_by_table(0, bytes(value_)));
  return line("value " + value + " to " + std::to_string(offset));
}

bool Recorder::on_end(const Trailer& trailer) {
  const bool ok = trailer.checksum == Trailer::Checksum::ok;
  return line("end " + std::string(ok ? "checked" : "unchecked") + ", " +
              std::to_string(trailer.bytes) + " bytes, " + std::to_string(trailer.records) +
              " records");
}

void PrintTo(const Outcome& outcome, std::ostream* out) {
  *out << outcome.log << (outcome.error ? to_string(*outcome.error) : "no error") << "\ntaken "
       << outcome.taken << (outcome.done ? ", done" : ", not done");
}

Outcome parse(std::string_view input, std::span<const std::size_t> cuts, Limits limits) {
  Recorder seen;
  Parser parser(seen, limits);
  Outcome outcome;
  std::size_t from = 0;
  for (std::size_t piece = 0; piece <= cuts.size() && !outcome.error; ++piece) {
    const std::size_t to = piece < cuts.size() ? cuts[piece] : input.size();
    const auto taken = parser.feed(bytes(input.substr(from, to - from)));
    if (!taken) outcome.error = taken.error();
    if (taken) outcome.taken += *taken;
    EXPECT_TRUE(!taken || *taken == to - from || parser.done()) << "input left without an end";
    from = to;
  }
  const auto finished = parser.finish();
  if (outcome.error) {
    EXPECT_EQ(finished.error(), *outcome.error) << "errors are sticky";
    EXPECT_EQ(parser.feed(bytes("x")).error(), *outcome.error) << "errors are sticky";
    EXPECT_EQ(parser.feed({}).error(), *outcome.error) << "errors are sticky";
    outcome.taken = 0;  // how much of a refused stream was taken before depends on the cuts
  } else if (!finished) {
    outcome.error = finished.error();
  }
  outcome.log = std::move(seen.log);
  outcome.done = parser.done();
  return outcome;
}

Outcome parse_byte_by_byte(std::string_view input, Limits limits) {
  std::vector<std::size_t> cuts(input.size());
  for (std::size_t i = 0; i < cuts.size(); ++i) cuts[i] = i;
  return parse(input, cuts, limits);
}

Outcome parse_at_every_split(std::string_view input, Limits limits) {
  const Outcome whole = parse(input, {}, limits);
  EXPECT_EQ(parse_byte_by_byte(input, limits), whole);
  for (std::size_t cut = 0; cut <= input.size(); ++cut) {
    const Outcome in_two = parse(input, std::array{cut}, limits);
    EXPECT_EQ(in_two, whole) << "cut at byte " << cut;
    if (in_two != whole) break;
  }
  return whole;
}

std::string redis_stream(unsigned version, std::string_view body) {
  return close_stream("REDIS" + padded(version, 4) + std::string(body));
}

std::string valkey_stream(unsigned version, std::string_view body) {
  return close_stream("VALKEY" + padded(version, 3) + std::string(body));
}

}  // namespace sluice::rdb::testing
