#include "net/resp.h"

#include <gtest/gtest.h>

#include <vector>

namespace sluice::net {
namespace {

std::span<const std::byte> bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

std::string show(const Reply& reply) {
  switch (reply.type) {
    case Reply::Type::simple: return "+" + reply.text;
    case Reply::Type::error: return "-" + reply.text;
    case Reply::Type::integer: return ":" + std::to_string(reply.integer);
    case Reply::Type::bulk: return "$" + reply.text;
    case Reply::Type::null: return "null";
    case Reply::Type::array: break;
  }
  std::string out = "[";
  for (const Reply& element : reply.elements) out += show(element) + " ";
  return out + "]";
}

Result<std::string> read_all(ReplyParser& parser, std::string_view text) {
  std::string seen;
  auto input = bytes(text);
  while (!input.empty()) {
    const auto taken = parser.feed(input);
    if (!taken) return std::unexpected(taken.error());
    input = input.subspan(*taken);
    if (parser.done()) seen += show(parser.take()) + ";";
  }
  return seen;
}

constexpr std::string_view sample =
    "+OK\r\n-ERR no\r\n:-42\r\n$5\r\na\r\nbc\r\n$0\r\n\r\n$-1\r\n*-1\r\n*0\r\n"
    "*3\r\n:1\r\n*2\r\n$1\r\nx\r\n*0\r\n+y\r\n+\r\n";
constexpr std::string_view sample_shown =
    "+OK;-ERR no;:-42;$a\r\nbc;$;null;null;[];[:1 [$x [] ] +y ];+;";

TEST(ReplyParser, GivesTheSameRepliesForEverySplit) {
  for (std::size_t cut = 0; cut <= sample.size(); ++cut) {
    SCOPED_TRACE("cut at byte " + std::to_string(cut));
    ReplyParser parser;
    const auto front = read_all(parser, sample.substr(0, cut));
    ASSERT_TRUE(front.has_value()) << front.error().detail;
    const auto back = read_all(parser, sample.substr(cut));
    ASSERT_TRUE(back.has_value()) << back.error().detail;
    EXPECT_EQ(*front + *back, sample_shown);
    EXPECT_TRUE(parser.finish().has_value());
  }
}

TEST(ReplyParser, TakesOneByteAtATime) {
  ReplyParser parser;
  std::string seen;
  for (const char c : sample) seen += *read_all(parser, std::string_view(&c, 1));
  EXPECT_EQ(seen, sample_shown);
}

TEST(ReplyParser, AnyPrefixOfAReplyIsNotAReply) {
  const std::string_view whole = "*2\r\n$3\r\nabc\r\n:1\r\n";
  for (std::size_t size = 1; size < whole.size(); ++size) {
    ReplyParser parser;
    ASSERT_EQ(parser.feed(bytes(whole.substr(0, size))), size);
    EXPECT_FALSE(parser.done());
    EXPECT_EQ(parser.finish().error().code, Errc::closed_by_peer);
  }
}

TEST(ReplyParser, StopsAtTheEndOfOneReply) {
  ReplyParser parser;
  EXPECT_EQ(parser.feed(bytes("+OK\r\n+NEXT\r\n")), 5u);
  EXPECT_TRUE(parser.done());
  EXPECT_EQ(parser.feed(bytes("+NEXT\r\n")), 0u);
  EXPECT_EQ(parser.take().text, "OK");
}

TEST(ReplyParser, RefusesWhatIsNotResp2AndKeepsRefusing) {
  for (std::string_view text :
       {"\r\n", "?\r\n", "$x\r\n", "$\r\n", ":\r\n", ":1x\r\n", "$-2\r\n", "*-2\r\n", "$1\r\nabc",
        "$1\r\na\rx", "_\r\n", "*99999999999999999999\r\n", "$99999999999999999999\r\n"}) {
    ReplyParser parser;
    const auto result = read_all(parser, text);
    ASSERT_FALSE(result.has_value()) << text;
    EXPECT_EQ(result.error().code, Errc::protocol_error) << text;
    EXPECT_EQ(parser.feed(bytes("+OK\r\n")).error().code, Errc::protocol_error);
    EXPECT_FALSE(parser.finish().has_value());
  }
}

TEST(ReplyParser, HasLimits) {
  const ReplyLimits limits{
      .line_bytes_max = 16, .bulk_bytes_max = 10, .reply_bytes_max = 400, .depth_max = 2};
  for (std::string text :
       {std::string("+") + std::string(16, 'x'), std::string("$11\r\n"),
        std::string("$9223372036854775807\r\n"), std::string("*1\r\n*1\r\n*1\r\n"),
        std::string("*9999999\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n")}) {
    ReplyParser parser(limits);
    const auto result = read_all(parser, text);
    ASSERT_FALSE(result.has_value()) << text;
    EXPECT_EQ(result.error().code, Errc::reply_too_large) << text;
  }
  ReplyParser parser(limits);
  EXPECT_EQ(*read_all(parser, "$10\r\n0123456789\r\n*1\r\n*1\r\n+x\r\n"), "$0123456789;[[+x ] ];");
}

// One flipped byte gives replies or an error, never anything else.
TEST(ReplyParser, SurvivesEveryFlippedByte) {
  for (std::size_t at = 0; at < sample.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string text(sample);
      text[at] = static_cast<char>(text[at] ^ (1 << bit));
      ReplyParser parser(ReplyLimits{
          .line_bytes_max = 64, .bulk_bytes_max = 1024, .reply_bytes_max = 4096, .depth_max = 3});
      std::ignore = read_all(parser, text);
    }
  }
}

TEST(EncodeCommand, CountsBytes) {
  EXPECT_EQ(encode_command({"SET", std::string_view("a\0\r\n", 4), ""}),
            std::string("*3\r\n$3\r\nSET\r\n$4\r\na\0\r\n\r\n$0\r\n\r\n", 29));
}

}  // namespace
}  // namespace sluice::net
