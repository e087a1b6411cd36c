#include "engine/scratch_sorter.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <random>

#include "rdb_text.h"

namespace sluice::engine {
namespace {

struct Element {
  std::string key;
  std::string value;
  std::optional<std::uint64_t> number;

  friend bool operator==(const Element&, const Element&) = default;
};

/// In parts of `part` bytes.
template <class Take>
void give(const std::string& text, std::size_t part, Take&& take) {
  const auto all = bytes(text);
  std::size_t at = 0;
  do {
    const std::size_t size = std::min(part, all.size() - at);
    take(rdb::Text{.bytes = all.subspan(at, size),
                   .size = all.size(),
                   .first = at == 0,
                   .last = at + size == all.size()});
    at += size;
  } while (at < all.size());
}

std::string read(ScratchSorter& sorter, const ScratchSorter::Field& field) {
  std::string text(field.size, '\0');
  if (field.is_long) {
    sorter.texts().read(field.offset, std::as_writable_bytes(std::span(text)));
  } else {
    std::ranges::copy(field.bytes, std::as_writable_bytes(std::span(text)).begin());
  }
  return text;
}

std::vector<Element> sorted(ScratchSorter& sorter, const std::vector<Element>& elements,
                            std::size_t part) {
  for (const Element& element : elements) {
    give(element.key, part, [&](const rdb::Text& text) { sorter.key(text); });
    if (!element.value.empty()) {
      give(element.value, part, [&](const rdb::Text& text) { sorter.value(text); });
    }
    if (element.number) sorter.number(*element.number);
    sorter.end();
  }
  sorter.sort();
  std::vector<Element> result;
  for (ScratchSorter::Record record; sorter.next(record);) {
    result.push_back({read(sorter, record.key), read(sorter, record.value), record.number});
  }
  EXPECT_FALSE(sorter.error());
  return result;
}

std::vector<Element> random_elements(std::size_t count) {
  std::mt19937 random(11);
  std::vector<Element> elements;
  for (std::size_t i = 0; i < count; ++i) {
    Element element;
    // Few letters, zeros among them: many common beginnings, and keys that begin others.
    element.key.resize(random() % 7 == 0 ? random() % 300 : random() % 12);
    for (char& letter : element.key) letter = std::string_view("\0a\xff", 3)[random() % 3];
    element.value.assign(random() % 40, static_cast<char>(random()));
    if (random() % 2 == 0) element.number = i;
    elements.push_back(std::move(element));
  }
  return elements;
}

bool by_key(const Element& a, const Element& b) { return a.key < b.key; }

TEST(ScratchSorter, SortsAsTheStandardDoesWithAnyBudget) {
  const auto elements = random_elements(3000);
  auto expected = elements;
  std::ranges::stable_sort(expected, by_key);
  for (const std::size_t sort_bytes : {1U, 200U, 5000U, 100'000U, 8U << 20}) {
    for (const std::size_t inline_bytes : {0, 5, 100, 8192}) {
      for (const std::size_t part : {1, 7, 1000}) {
        ScratchSorter sorter(
            {.sort_bytes = sort_bytes, .spool_bytes = 64, .inline_bytes = inline_bytes});
        const auto result = sorted(sorter, elements, part);
        EXPECT_TRUE(result == expected) << sort_bytes << " " << inline_bytes << " " << part;
      }
    }
  }
}

TEST(ScratchSorter, ServesOneCollectionAfterTheOther) {
  ScratchSorter sorter({.sort_bytes = 1000, .spool_bytes = 64, .inline_bytes = 50});
  for (const std::size_t count : {500, 0, 1, 3, 700, 2}) {
    auto elements = random_elements(count);
    sorter.clear();
    const auto result = sorted(sorter, elements, 100);
    std::ranges::stable_sort(elements, by_key);
    EXPECT_TRUE(result == elements) << count;
  }
}

TEST(ScratchSorter, ComparesGiantsByTheirBytes) {
  std::vector<Element> elements;
  for (const char letter : {'c', 'a', 'b'}) {
    std::string key(3 << 20, 'x');
    key.back() = letter;
    elements.push_back({key, std::string(2 << 20, letter), 1});
    elements.push_back({key.substr(0, key.size() - 1), "", 2});
  }
  elements.push_back({std::string(64, 'x'), "short", {}});
  auto expected = elements;
  std::ranges::stable_sort(expected, by_key);
  for (const std::size_t sort_bytes : {1, 1 << 20}) {
    ScratchSorter sorter({.sort_bytes = sort_bytes, .spool_bytes = 1 << 20});
    EXPECT_TRUE(sorted(sorter, elements, 64 << 10) == expected);
  }
}

TEST(ScratchSorter, SortsByScoreAndThenByMember) {
  constexpr double inf = std::numeric_limits<double>::infinity();
  const std::vector<double> scores{-inf, -1e300, -2.5, -5e-324, -0.0, 0.0, 5e-324, 1, 1, 3, inf};
  std::vector<Element> elements;
  for (const double score : scores) {
    const std::string member = "m" + std::to_string(elements.size());
    elements.push_back({member, "", std::bit_cast<std::uint64_t>(score)});
  }
  std::swap(elements[4], elements[5]);  // the zeros are equal
  std::ranges::sort(elements.begin() + 4, elements.begin() + 6, by_key);
  const auto expected = elements;
  std::ranges::reverse(elements);
  for (const std::size_t sort_bytes : {1, 100, 100'000}) {
    ScratchSorter sorter({.sort_bytes = sort_bytes}, ScratchSorter::Order::score);
    sorter.clear(ScratchSorter::Order::score);
    EXPECT_TRUE(sorted(sorter, elements, 10) == expected) << sort_bytes;
  }
}

}  // namespace
}  // namespace sluice::engine
