#include "net/command_parser.h"

#include <gtest/gtest.h>

#include "net/resp.h"

namespace sluice::net {
namespace {

std::span<const std::byte> bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

// What comes out of `input` in two pieces: commands as "a|b;c;".
std::string commands_of(std::string_view input, std::size_t cut) {
  CommandParser parser;
  std::string seen;
  for (std::string_view piece : {input.substr(0, cut), input.substr(cut)}) {
    while (!piece.empty()) {
      const auto taken = parser.feed(bytes(piece));
      if (!taken) return seen + "error " + taken.error().detail;
      piece.remove_prefix(*taken);
      if (!parser.done()) continue;
      for (const std::string& argument : parser.take()) seen += argument + "|";
      seen += ";";
    }
  }
  return seen;
}

TEST(CommandParser, TakesInlineAndArraysWhateverTheCut) {
  const std::string input = "PING\r\n\n\r\n" + encode_command({"AUTH", "", "a\r\nb"}) +
                            "  REPLCONF   capa\teof \n*0\r\n*-1\r\n" + encode_command({"SYNC"});
  for (std::size_t cut = 0; cut <= input.size(); ++cut) {
    SCOPED_TRACE("cut at byte " + std::to_string(cut));
    EXPECT_EQ(commands_of(input, cut), "PING|;AUTH||a\r\nb|;REPLCONF|capa|eof|;SYNC|;");
  }
}

TEST(CommandParser, TakesOneCommandAtATime) {
  CommandParser parser;
  const std::string input = "PING\nSYNC\n";
  EXPECT_EQ(parser.feed(bytes(input)), 5U);
  EXPECT_TRUE(parser.done());
  EXPECT_EQ(parser.feed(bytes(input)), 0U);
  EXPECT_EQ(parser.take(), CommandParser::Command{"PING"});
}

TEST(CommandParser, RefusesWhatIsMalformedOrTooLarge) {
  for (const std::string_view input :
       {"*x\r\n", "*1\r\nPING\r\n", "*1\r\n$x\r\n", "*1\r\n$-1\r\n", "*99999999999999999999\r\n",
        "*1000\r\n", "*1\r\n$100000000\r\n"}) {
    SCOPED_TRACE(input);
    CommandParser parser;
    const auto taken = parser.feed(bytes(input));
    ASSERT_FALSE(taken.has_value());
    EXPECT_EQ(parser.feed(bytes("PING\r\n")).error().code, taken.error().code);
  }
  CommandParser parser({.line_bytes_max = 8, .arguments_max = 2, .argument_bytes_max = 4});
  EXPECT_EQ(parser.feed(bytes("123456789")).error().code, Errc::reply_too_large);
}

TEST(CommandParser, WordsAreTheSameInAnyCase) {
  EXPECT_TRUE(same_word("PsYnC", "psync"));
  EXPECT_FALSE(same_word("psync", "psyn"));
  EXPECT_FALSE(same_word("[", "{"));
}

}  // namespace
}  // namespace sluice::net
