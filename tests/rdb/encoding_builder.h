#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "rdb/value_handler.h"

namespace sluice::rdb::testing {

// Pieces of serialised values, put together without the code under test.

/// LEN in its shortest form.
[[nodiscard]] std::string len(std::uint64_t value);
/// STR, neither an integer nor compressed.
[[nodiscard]] std::string str(std::string_view text);
/// STR that LZF makes of `text` with literals only: `text` has at most 4096 bytes.
[[nodiscard]] std::string lzf_str(std::string_view text);
/// `size` bytes, the least significant first.
[[nodiscard]] std::string little(std::uint64_t value, std::size_t size);
[[nodiscard]] std::string real(double value);
/// Sixteen bytes.
[[nodiscard]] std::string raw_id(StreamId id);

/// An element of an inner encoding: a text or a number.
struct Element {
  Element(const char* the_text) : text(the_text) {}
  Element(std::string the_text) : text(std::move(the_text)) {}
  Element(std::int64_t the_number) : number(the_number), is_number(true) {}
  Element(int the_number) : number(the_number), is_number(true) {}

  std::string text;
  std::int64_t number = 0;
  bool is_number = false;
};
using Elements = std::vector<Element>;

/// Which servers wrote it: they disagree on back lengths of 16383, 2097151 and 268435455.
enum class Generation : std::uint8_t { older, newer };

[[nodiscard]] std::string listpack(const Elements& elements,
                                   Generation generation = Generation::older);
[[nodiscard]] std::string listpack_element(const Element& element, Generation generation);
/// Header and terminator around elements that are encoded already.
[[nodiscard]] std::string listpack_of(std::string_view elements, std::size_t count);
[[nodiscard]] std::string ziplist(const Elements& elements);
[[nodiscard]] std::string intset(unsigned width, std::initializer_list<std::int64_t> numbers);
/// Fields and values in turn, `free` unused bytes after each value.
[[nodiscard]] std::string zipmap(const std::vector<std::string>& texts, std::uint8_t free = 0);

/// A stream in any of its encodings. As it stands: one entry 1000-0, f=v, no groups.
struct StreamValue {
  struct Consumer {
    std::string name = "c";
    std::vector<StreamId> pending = {};
  };
  struct Group {
    std::string name = "g";
    StreamId last = {1000, 0};
    std::uint64_t read = 1;
    std::vector<StreamId> pending = {};
    std::vector<Consumer> consumers = {};
    std::vector<StreamId> nacked = {};
  };
  std::vector<std::pair<StreamId, std::string>> nodes = {
      {{1000, 0}, listpack({1, 0, 1, "f", 0, 2, 0, 0, "v", 4})}};
  std::uint64_t length = 1;
  StreamId last = {1000, 0};
  StreamId first = {1000, 0};
  StreamId deleted = {};
  std::uint64_t added = 1;
  std::vector<Group> groups = {};
  std::uint64_t seconds = 100;
  std::uint64_t items = 100;
  std::vector<std::string> producers = {};  ///< Each with the item "i" for 1000-0.

  [[nodiscard]] std::string encode(std::uint8_t type) const;
};

}  // namespace sluice::rdb::testing
