#include "engine/glob.h"

#include <gtest/gtest.h>

#include <string>

namespace sluice::engine {
namespace {

TEST(Glob, MatchesAsKeysDoes) {
  for (const auto& [pattern, text] :
       {std::pair("*", ""), std::pair("*", "anything"), std::pair("a*c", "abbbc"),
        std::pair("a*b*c", "axbbxbc"), std::pair("h?llo", "hello"), std::pair("h[ae]llo", "hallo"),
        std::pair("h[^e]llo", "hallo"), std::pair("[a-c]x", "bx"), std::pair("[c-a]x", "bx"),
        std::pair("\\*", "*"), std::pair("[\\]]", "]"), std::pair("[abc", "c"),
        std::pair("**a**", "xay"), std::pair("", "")}) {
    EXPECT_TRUE(matches_glob(pattern, text)) << pattern << " " << text;
  }
  for (const auto& [pattern, text] :
       {std::pair("", "a"), std::pair("a", ""), std::pair("a*c", "abbbd"),
        std::pair("h?llo", "hllo"), std::pair("h[^e]llo", "hello"), std::pair("[a-c]", "d"),
        std::pair("\\*", "a"), std::pair("?", ""), std::pair("*a", "ab"), std::pair("[", "x")}) {
    EXPECT_FALSE(matches_glob(pattern, text)) << pattern << " " << text;
  }
}

// One that goes back to every star needs longer than the universe for this.
TEST(Glob, ManyStarsTakeNoTime) {
  std::string pattern;
  for (int i = 0; i < 100; ++i) pattern += "*a";
  EXPECT_FALSE(matches_glob(pattern + "b", std::string(10'000, 'a')));
}

}  // namespace
}  // namespace sluice::engine
