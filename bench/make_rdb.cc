// Writes an RDB file of version 11 that follows from the options alone: what the feeder serves.
//
//   make_rdb OUT [--keys N] [--data small|tiny|documents] [--large-string BYTES]
//                [--large-hash BYTES] [--change PERCENT] [--order SEED] [--sample N]
//
// small: the mix of dataset.py, some 300 bytes a key, and a hash table in a thousand keys.
// tiny: strings of 32 bytes. documents: JSON of some 900 bytes, as LZF. Keys come in the order of
// `--order`, as those of a hash table do, and so do the fields of hashes that are kept as tables.
// With `--change`, that percentage of the keys differs from the file without it: strings have
// another text of about that length, collections one other element. Of large values it is that
// percentage of the fields, or of the blocks of 64 KiB. Prints `--sample` names of keys that are in
// the file, one a line.

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "bench/draw.h"
#include "rdb/writer.h"

namespace {

using sluice::bench::Draw;
using sluice::bench::mixed;
using sluice::bench::Permutation;
using sluice::rdb::Writer;

constexpr std::size_t block_bytes = 64 << 10;
constexpr std::int64_t far_ms = 4'102'444'800'000;  // 2100-01-01

/// What value types are numbered in an RDB file.
enum ValueType : std::uint8_t {
  string_value = 0,
  hash_table = 4,
  set_intset = 11,
  hash_listpack = 16,
  zset_listpack = 17,
  list_quicklist = 18,
  stream_listpacks = 21,
};

std::span<const std::byte> bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

/// A listpack, as src/listpack.c of Redis lays it out.
class Listpack {
 public:
  Listpack& add(std::string_view text) {
    const std::size_t before = out_.size();
    if (text.size() < 64) {
      out_ += static_cast<char>(0x80 | text.size());
    } else {
      out_ += static_cast<char>(0xE0 | text.size() >> 8);
      out_ += static_cast<char>(text.size());
    }
    out_ += text;
    return end_entry(out_.size() - before);
  }

  Listpack& add(std::uint64_t number) {
    const std::size_t before = out_.size();
    if (number < 128) {
      out_ += static_cast<char>(number);
    } else {
      out_ += '\xF4';
      out_.append(reinterpret_cast<const char*>(&number), sizeof number);
    }
    return end_entry(out_.size() - before);
  }

  std::string end() {
    out_ += '\xFF';
    const auto size = static_cast<std::uint32_t>(out_.size());
    std::memcpy(out_.data(), &size, sizeof size);
    std::memcpy(out_.data() + sizeof size, &count_, sizeof count_);
    return std::move(out_);
  }

 private:
  Listpack& end_entry(std::size_t size) {
    if (size > 127) {
      out_ += static_cast<char>(size >> 7);
      out_ += static_cast<char>(size | 0x80);
    } else {
      out_ += static_cast<char>(size);
    }
    ++count_;
    return *this;
  }

  std::string out_ = std::string(6, '\0');
  std::uint16_t count_ = 0;
};

struct Options {
  std::string out;
  std::uint64_t keys = 0;
  std::string data = "small";
  std::uint64_t large_string_bytes = 0;
  std::uint64_t large_hash_bytes = 0;
  double change_percent = 0;
  std::uint64_t order = 1;
  std::uint64_t sample = 0;
};

class Dump {
 public:
  Dump(const Options& options, Writer& writer) : options_(options), writer_(writer) {}

  void write();

 private:
  static constexpr std::uint64_t kinds = 20;
  static constexpr std::uint64_t table_every = 50 * kinds;

  void small_key(std::uint64_t number);
  void tiny_key(std::uint64_t number);
  void document(std::uint64_t number);
  void text_key(std::uint64_t number);
  void cart(std::uint64_t number);
  void table(const std::string& name, std::uint64_t fields, std::size_t value_bytes,
             std::uint64_t seed, bool changed);
  void list(std::uint64_t number);
  void tags(std::uint64_t number);
  void rank(std::uint64_t number);
  void events(std::uint64_t number);
  void large_string();

  void begin(ValueType type, const std::string& name) {
    writer_.record(type, bytes(name));
    name_ = name;
  }
  void value(std::string_view text) { writer_.string(bytes(text)); }

  [[nodiscard]] bool changed(std::uint64_t number, std::uint64_t salt = 0) const {
    const auto in_ten_thousand = static_cast<std::uint64_t>(options_.change_percent * 100);
    return mixed(number ^ mixed(salt + 77)) % 10'000 < in_ten_thousand;
  }
  /// Of what `--change` leaves as it is.
  [[nodiscard]] static Draw same(std::uint64_t number) { return Draw(number * 2); }
  /// Of what `--change` makes another.
  [[nodiscard]] Draw other(std::uint64_t number) const {
    return changed(number) ? Draw(number * 2 + 1) : same(number ^ 1ULL << 62);
  }

  const Options& options_;
  Writer& writer_;
  std::string name_;  // of the last key
};

void Dump::write() {
  writer_.begin();
  writer_.aux("redis-ver", "7.2.4");
  writer_.aux("redis-bits", "64");
  writer_.select_db(0);
  const std::uint64_t large = (options_.large_string_bytes > 0) + (options_.large_hash_bytes > 0);
  if (options_.keys + large > 0) writer_.resize_db(options_.keys + large, 0);
  const auto write_key = options_.data == "tiny"        ? &Dump::tiny_key
                         : options_.data == "documents" ? &Dump::document
                                                        : &Dump::small_key;
  const Permutation order(options_.keys, options_.order);
  const std::uint64_t sample_every =
      options_.sample == 0 ? options_.keys : std::max(options_.keys / options_.sample, 1UL);
  for (std::uint64_t i = 0; i < options_.keys; ++i) {
    const std::uint64_t number = order.at(i);
    (this->*write_key)(number);
    if (i / sample_every < options_.sample && i % sample_every == 0) std::puts(name_.c_str());
    if (i == options_.keys / 2 && options_.large_string_bytes > 0) large_string();
  }
  if (options_.keys == 0 && options_.large_string_bytes > 0) large_string();
  if (options_.large_hash_bytes > 0) {
    constexpr std::size_t value_bytes = 100;
    table("large:hash", options_.large_hash_bytes / 128, value_bytes, 1ULL << 60, true);
  }
  writer_.end();
}

void Dump::tiny_key(std::uint64_t number) {
  begin(string_value, "key:" + std::to_string(number));
  value(other(number).text(32));
}

void Dump::document(std::uint64_t number) {
  begin(string_value, "order:" + std::to_string(number));
  Draw draw = other(number);
  std::string text = R"({"order":)" + std::to_string(number) + R"(,"items":[)";
  for (int item = 0; item < 8; ++item) {
    text += R"({"sku":")" + draw.text(8) + R"(","quantity":)" + std::to_string(draw.number() % 10) +
            R"(,"price":)" + std::to_string(draw.number() % 10'000) +
            R"(,"currency":"EUR","discount":null,"shipped":false},)";
  }
  text.back() = ']';
  value(text + "}");
}

void Dump::small_key(std::uint64_t number) {
  switch (number % kinds) {
    case 14:
      if (number % table_every == 14) {
        return table("table:" + std::to_string(number), 150, 30, number << 20, changed(number));
      }
      [[fallthrough]];
    case 15: return cart(number);
    case 16: return list(number);
    case 17: return tags(number);
    case 18: return rank(number);
    case 19: return events(number);
    default: return text_key(number);
  }
}

void Dump::text_key(std::uint64_t number) {
  const std::string digits = std::to_string(number);
  if (number % kinds < 12) {
    begin(string_value, "user:" + digits + ":profile");
    return value(other(number).text(200 + same(number).number() % 400));
  }
  writer_.expire_at_ms(far_ms + static_cast<std::int64_t>(number));
  begin(string_value, "session:" + digits);
  value(other(number).text(120));
}

void Dump::cart(std::uint64_t number) {
  begin(hash_listpack, "cart:" + std::to_string(number));
  Listpack fields;
  fields.add("a").add(other(number).text(40)).add("b").add(same(number).text(40));
  value(fields.add("n").add(number).end());
}

void Dump::table(const std::string& name, std::uint64_t fields, std::size_t value_bytes,
                 std::uint64_t seed, bool any_changed) {
  begin(hash_table, name);
  writer_.len(fields);
  const Permutation order(fields, options_.order ^ seed);
  const bool large = fields > 1000;
  for (std::uint64_t i = 0; i < fields; ++i) {
    const std::uint64_t field = order.at(i);
    const bool is_other = any_changed && (large ? changed(field, seed) : field == seed % fields);
    std::string digits = std::to_string(field);
    digits.insert(0, 10 - digits.size(), '0');
    value("field:" + digits);
    value(Draw((seed + field) * 2 + (is_other ? 1 : 0)).text(value_bytes));
  }
}

void Dump::list(std::uint64_t number) {
  begin(list_quicklist, "log:" + std::to_string(number));
  writer_.len(1);  // node
  writer_.len(2);  // packed
  Draw draw = same(number);
  Listpack elements;
  elements.add(draw.text(60)).add(other(number).text(60)).add(draw.text(60));
  value(elements.end());
}

void Dump::tags(std::uint64_t number) {
  begin(set_intset, "tags:" + std::to_string(number));
  const auto base = static_cast<std::uint32_t>(number + 1);
  const std::array<std::uint32_t, 5> set{4, 3, base, base * 3,
                                         base * 7 + (changed(number) ? 1 : 0)};
  value({reinterpret_cast<const char*>(set.data()), sizeof set});
}

void Dump::rank(std::uint64_t number) {
  begin(zset_listpack, "rank:" + std::to_string(number));
  Listpack members;
  members.add(same(number).text(16)).add(number).add(other(number).text(16)).add(number * 2);
  value(members.end());
}

void Dump::events(std::uint64_t number) {
  begin(stream_listpacks, "events:" + std::to_string(number));
  // A node with one entry, 1-1: the master entry has the counts and the field, the entry the value.
  writer_.len(1);
  constexpr std::string_view id("\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\1", 16);
  value(id);
  Listpack node;
  node.add(1).add(std::uint64_t{0}).add(1).add("f").add(std::uint64_t{0});
  constexpr std::uint64_t same_fields = 2;
  node.add(same_fields).add(std::uint64_t{0}).add(std::uint64_t{0});
  value(node.add(other(number).text(80)).add(4).end());
  // Length, last id, first id, greatest deleted id, entries added, groups.
  for (const std::uint64_t fact : {1, 1, 1, 1, 1, 0, 0, 1, 0}) writer_.len(fact);
}

void Dump::large_string() {
  begin(string_value, "large:string");
  writer_.len(options_.large_string_bytes);
  std::array<std::uint64_t, block_bytes / sizeof(std::uint64_t)> block;
  std::uint64_t left = options_.large_string_bytes;
  for (std::uint64_t number = 0; left > 0; ++number) {
    Draw draw((number + (1ULL << 40)) * 2 + (changed(number, 1) ? 1 : 0));
    for (std::uint64_t& word : block) word = draw.number();
    const auto part = std::as_bytes(std::span(block)).first(std::min(left, block_bytes));
    writer_.raw(part);
    left -= part.size();
  }
}

using File = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;

[[noreturn]] void fail(const std::string& path) {
  std::perror(("make_rdb: " + path).c_str());
  std::exit(EXIT_FAILURE);
}

void write_file(const Options& options) {
  File file(std::fopen(options.out.c_str(), "wbe"), &std::fclose);
  if (!file) fail(options.out);
  std::setvbuf(file.get(), nullptr, _IONBF, 0);  // the writer has a buffer of its own
  const auto sink = [&](std::span<const std::byte> part) {
    if (std::fwrite(part.data(), 1, part.size(), file.get()) != part.size()) fail(options.out);
  };
  Writer writer({.dialect = sluice::rdb::Dialect::redis, .version = 11}, sink,
                {.compress = options.data == "documents"});
  Dump(options, writer).write();
  if (std::fclose(file.release()) != 0) fail(options.out);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Writes an RDB file that follows from the options alone");
  Options options;
  app.add_option("OUT", options.out)->required();
  app.add_option("--keys", options.keys, "Small keys");
  app.add_option("--data", options.data)->check(CLI::IsMember({"small", "tiny", "documents"}));
  app.add_option("--large-string", options.large_string_bytes, "Size of large:string");
  app.add_option("--large-hash", options.large_hash_bytes, "About the size of large:hash");
  app.add_option("--change", options.change_percent, "Of the keys")->check(CLI::Range(0.0, 100.0));
  app.add_option("--order", options.order, "Seed of the order of the keys");
  app.add_option("--sample", options.sample, "Names of keys to print");
  CLI11_PARSE(app, argc, argv);
  write_file(options);
  return EXIT_SUCCESS;
}
