#include "engine/name_pattern.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <random>

#include "engine/glob.h"

namespace sluice::engine {
namespace {

TEST(NamePattern, TellsWhereNamesOfAGlobLie) {
  EXPECT_EQ(span_of_glob("user:*"), (NameSpan{"user:", true}));
  EXPECT_EQ(span_of_glob("user:7"), (NameSpan{"user:7", false}));
  EXPECT_EQ(span_of_glob("a\\*b?"), (NameSpan{"a*b", true}));
  EXPECT_EQ(span_of_glob("*"), (NameSpan{"", true}));
  EXPECT_EQ(span_of_glob("a[bc]"), (NameSpan{"a", true}));
  EXPECT_TRUE(fills_its_span("user:*"));
  EXPECT_TRUE(fills_its_span("user:7"));
  EXPECT_TRUE(fills_its_span("*"));
  EXPECT_FALSE(fills_its_span("user:*:x"));
  EXPECT_FALSE(fills_its_span("user:?*"));
  EXPECT_TRUE(fills_its_span("user\\*"));  // that very name
}

TEST(NamePattern, TellsWhereNamesOfARegexBegin) {
  using Spans = std::vector<NameSpan>;
  EXPECT_EQ(spans_of_regex("^user:\\d+$"), Spans({{"user:", true}}));
  EXPECT_EQ(spans_of_regex("^user:7$"), Spans({{"user:7", false}}));
  EXPECT_EQ(spans_of_regex("^ab?c"), Spans({{"a", true}}));
  EXPECT_EQ(spans_of_regex("^ab+c"), Spans({{"ab", true}}));
  EXPECT_EQ(spans_of_regex("^a\\.b{2}"), Spans({{"a.", true}}));
  EXPECT_EQ(spans_of_regex("^a|^b$"), Spans({{"a", true}, {"b", false}}));
  EXPECT_EQ(spans_of_regex("^user:(a|b)"), Spans({{"user:", true}}));
  EXPECT_EQ(spans_of_regex("user"), std::nullopt);
  EXPECT_EQ(spans_of_regex("^a|b"), std::nullopt);
  EXPECT_EQ(spans_of_regex("(^a)"), std::nullopt);
  EXPECT_EQ(spans_of_regex("^*a"), std::nullopt);
  EXPECT_EQ(spans_of_regex("^a(?m)|^b"), std::nullopt);
  EXPECT_EQ(spans_of_regex("^[|]|b"), std::nullopt);
  EXPECT_EQ(spans_of_regex("^\\Qa|b\\E"), std::nullopt);
}

bool lies_in(const std::vector<NameSpan>& spans, const std::string& name) {
  return std::ranges::any_of(spans, [&](const NameSpan& span) {
    return span.is_prefix ? name.starts_with(span.name) : name == span.name;
  });
}

/// Random texts of a few letters, so that patterns match now and then.
std::string random_text(std::mt19937& random, std::string_view letters, std::size_t size_max) {
  std::string text;
  for (std::size_t size = random() % (size_max + 1); text.size() < size;)
    text += letters[random() % letters.size()];
  return text;
}

TEST(NamePattern, NeverTellsTooLittle) {
  std::mt19937 random(7);
  std::size_t found = 0;
  for (int round = 0; round < 30'000; ++round) {
    const std::string pattern = random_text(random, "^^^aab.|*+?()[]\\{2}$\nQEm:-", 8);
    const auto regex = NameRegex::make(pattern);
    const auto spans = spans_of_regex(pattern);
    for (int i = 0; i < 10; ++i) {
      const std::string name = random_text(random, "aab.\n", 5);
      if (matches_glob(pattern, name)) {
        EXPECT_TRUE(lies_in({span_of_glob(pattern)}, name)) << pattern << " " << name;
      } else if (fills_its_span(pattern)) {
        EXPECT_FALSE(lies_in({span_of_glob(pattern)}, name)) << pattern << " " << name;
      }
      if (!regex || !spans || !regex->found_in(name)) continue;
      ++found;
      EXPECT_TRUE(lies_in(*spans, name)) << pattern << " " << name;
    }
  }
  EXPECT_GT(found, 1000u);
}

TEST(NamePattern, LooksAtBytes) {
  const auto any = NameRegex::make("^a.b$");
  ASSERT_TRUE(any.has_value());
  EXPECT_TRUE(any->found_in(std::string("a\0b", 3)));
  EXPECT_TRUE(
      any->found_in("a\xff"
                    "b"));
  EXPECT_TRUE(any->found_in("a\nb"));
  EXPECT_FALSE(
      any->found_in("a\xc3\xa4"
                    "b"));  // a letter, but two bytes
  EXPECT_TRUE(NameRegex::make("\xc3\xa4")->found_in("x\xc3\xa4"));
  EXPECT_TRUE(NameRegex::make("\\xff")->found_in("x\xff"));
}

TEST(NamePattern, TakesNoTimeForHostileRegexes) {
  const std::string name(1 << 20, 'a');
  const auto begun = std::chrono::steady_clock::now();
  for (const char* hostile : {"(a*)*b", "(a|a)*b", "(.*)(.*)(.*)(.*)(.*)(.*)b", "(a{0,30}){30}b"}) {
    const auto regex = NameRegex::make(hostile);
    EXPECT_FALSE(regex && regex->found_in(name)) << hostile;
  }
  // Backtracking would take longer than there is time.
  EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(60));
}

TEST(NamePattern, SaysWhatIsWrongWithARegex) {
  for (const char* wrong : {"(", "[a", "a{99999}", "\\1", "(?<x", "*"}) {
    const auto regex = NameRegex::make(wrong);
    ASSERT_FALSE(regex.has_value()) << wrong;
    EXPECT_EQ(regex.error().code, "bad_option");
  }
  EXPECT_FALSE(NameRegex::make(std::string(NameRegex::bytes_max + 1, 'a')).has_value());
}

}  // namespace
}  // namespace sluice::engine
