#include "engine/json_text.h"

#include <random>

#include "engine/direct_text.h"
#include "engine/spool.h"
#include "output_text.h"
#include "rdb_text.h"

namespace sluice::engine {
namespace {

using namespace std::string_literals;

std::string json(const std::string& text) {
  OutputText out;
  append_json_text(out.buffer, bytes(text));
  return out.text();
}

std::string base64(const std::string& text, std::size_t part = 1) {
  OutputText out;
  Base64Writer writer(out.buffer);
  for (std::size_t at = 0; at < text.size(); at += part) {
    writer.append(bytes(std::string_view(text).substr(at, part)));
  }
  writer.finish();
  return out.text();
}

TEST(JsonText, EscapesWhatAStringMustNotHold) {
  EXPECT_EQ(json(""), R"("")");
  EXPECT_EQ(json("plain text, longer than a word / of 8 bytes\x7f"),
            "\"plain text, longer than a word / of 8 bytes\x7f\"");
  EXPECT_EQ(json("\"\\"), R"("\"\\")");
  EXPECT_EQ(json("\b\t\n\v\f\r"), R"("\b\t\n\u000b\f\r")");
  EXPECT_EQ(json("\0\x01\x1f"s), R"("\u0000\u0001\u001f")");
}

// The fast path looks at eight bytes at once; a byte must be found at each place of them.
TEST(JsonText, FindsASpecialByteAnywhere) {
  for (std::size_t size = 1; size < 40; ++size) {
    for (std::size_t at = 0; at < size; ++at) {
      std::string text(size, 'x');
      text[at] = '\n';
      const std::string expected =
          '"' + std::string(at, 'x') + "\\n" + std::string(size - at - 1, 'x') + '"';
      EXPECT_EQ(json(text), expected) << size << " " << at;
      text[at] = '\xff';
      EXPECT_TRUE(json(text).starts_with(R"({"$base64":")")) << size << " " << at;
    }
  }
}

/// By the table of RFC 3629, section 4, written apart from the code under test.
bool slow_is_utf8(const std::string& text) {
  for (std::size_t at = 0; at < text.size();) {
    const auto byte = [&](std::size_t i) -> unsigned {
      return at + i < text.size() ? static_cast<unsigned char>(text[at + i]) : 0U;
    };
    const auto tail = [&](std::size_t i) { return byte(i) >= 0x80 && byte(i) <= 0xbf; };
    const auto in = [&](unsigned low, unsigned high) { return byte(1) >= low && byte(1) <= high; };
    const unsigned lead = byte(0);
    std::size_t size = 0;
    if (lead <= 0x7f) size = 1;
    if (lead >= 0xc2 && lead <= 0xdf && tail(1)) size = 2;
    if (lead == 0xe0 && in(0xa0, 0xbf) && tail(2)) size = 3;
    if (lead >= 0xe1 && lead <= 0xec && tail(1) && tail(2)) size = 3;
    if (lead == 0xed && in(0x80, 0x9f) && tail(2)) size = 3;
    if (lead >= 0xee && lead <= 0xef && tail(1) && tail(2)) size = 3;
    if (lead == 0xf0 && in(0x90, 0xbf) && tail(2) && tail(3)) size = 4;
    if (lead >= 0xf1 && lead <= 0xf3 && tail(1) && tail(2) && tail(3)) size = 4;
    if (lead == 0xf4 && in(0x80, 0x8f) && tail(2) && tail(3)) size = 4;
    if (size == 0) return false;
    at += size;
  }
  return true;
}

void expect_as_the_slow_twin(const std::string& text) {
  const bool expected = slow_is_utf8(text);
  EXPECT_EQ(is_utf8(bytes(text)), expected) << ::testing::PrintToString(text);
  EXPECT_EQ(json(text).starts_with('"'), expected) << ::testing::PrintToString(text);
  Utf8Checker checker;
  for (const char letter : text) checker.feed(bytes({&letter, 1}));
  EXPECT_EQ(checker.complete(), expected) << ::testing::PrintToString(text);
}

TEST(JsonText, TellsUtf8AsTheStandardDoes) {
  for (unsigned lead = 0x80; lead <= 0xff; ++lead) {
    for (unsigned second = 0x70; second <= 0xcf; ++second) {
      for (const std::string tail : {"", "\x80", "\x80\xbf", "\x80\x80\x80", "a", "\xbfz"}) {
        expect_as_the_slow_twin({static_cast<char>(lead), static_cast<char>(second)});
        std::string text{static_cast<char>(lead), static_cast<char>(second)};
        expect_as_the_slow_twin(text + tail);
      }
    }
  }
  expect_as_the_slow_twin("na\u00efve \u6c34 \U0001f30a \U0010ffff");
  expect_as_the_slow_twin("cut \xf0\x9f\x8c");
}

TEST(JsonText, LongTextsAreAsShortOnesPutTogether) {
  for (const std::size_t size : {8191, 8192, 8193, 70'000, 300'000}) {
    std::string text;
    while (text.size() < size) text += "w\u6c34\"\n";
    std::string expected = "\"";
    for (std::size_t at = 0; at < text.size(); at += 6) expected += "w\u6c34\\\"\\n";
    EXPECT_EQ(json(text), expected + '"');
    text.back() = '\xc3';
    EXPECT_EQ(json(text), R"({"$base64":")" + base64(text, text.size()) + R"("})");
  }
}

// RFC 4648, section 10.
TEST(Base64Writer, WritesTheVectorsOfTheStandardInAnyCut) {
  for (std::size_t part = 1; part <= 6; ++part) {
    EXPECT_EQ(base64("", part), "");
    EXPECT_EQ(base64("f", part), "Zg==");
    EXPECT_EQ(base64("fo", part), "Zm8=");
    EXPECT_EQ(base64("foo", part), "Zm9v");
    EXPECT_EQ(base64("foob", part), "Zm9vYg==");
    EXPECT_EQ(base64("fooba", part), "Zm9vYmE=");
    EXPECT_EQ(base64("foobar", part), "Zm9vYmFy");
    EXPECT_EQ(base64("\xff\xef\xbe\0"s, part), "/+++AA==");
  }
}

TEST(DirectText, WritesATextInPartsAsTheWhole) {
  for (const std::string text : {"na\u00efve \u6c34 \"q\"", "wrong at the end \xc3",
                                 "\xff wrong at once, and on for a while", ""}) {
    for (const std::size_t memory : {0, 5, 1000}) {
      for (std::size_t cut = 0; cut <= text.size(); ++cut) {
        OutputText out;
        DirectText direct(out.buffer, memory);
        const auto all = bytes(text);
        direct.add({.bytes = all.first(cut), .size = all.size(), .last = false});
        direct.add({.bytes = all.subspan(cut), .size = all.size(), .first = false});
        EXPECT_EQ(out.text(), json(text)) << text << " cut at " << cut;
      }
    }
  }
}

TEST(Spool, GivesBackWhatItTookFromMemoryAndFile) {
  std::mt19937 random(7);
  for (const std::size_t memory : {0, 1, 1000, 1'000'000}) {
    Spool spool(memory);
    for (int round = 0; round < 2; ++round) {
      std::string all;
      while (all.size() < 400'000) {
        const std::string more(random() % (all.size() % 3 == 0 ? 100'000 : 50),
                               static_cast<char>(random()));
        spool.append(bytes(more));
        all += more;
      }
      ASSERT_EQ(spool.size(), all.size());
      for (int i = 0; i < 100; ++i) {
        const std::size_t at = random() % all.size();
        const std::size_t size = random() % (all.size() - at);
        std::string got(size, '\0');
        spool.read(at, std::as_writable_bytes(std::span(got)));
        EXPECT_TRUE(got == all.substr(at, size));
      }
      EXPECT_FALSE(spool.error());
      spool.clear();
      EXPECT_EQ(spool.size(), 0);
    }
  }
}

TEST(Spool, SaysThatItsFolderCannotBeWrittenTo) {
  ::setenv("TMPDIR", "/proc", 1);
  Spool spool(10);
  spool.append(bytes(std::string(100'000, 'x')));
  EXPECT_EQ(spool.piece(50'000, 10).size(), 10);
  ::unsetenv("TMPDIR");
  ASSERT_TRUE(spool.error());
  EXPECT_EQ(spool.error()->code, "scratch_failed");
  EXPECT_TRUE(spool.error()->message.contains("TMPDIR")) << spool.error()->message;
}

}  // namespace
}  // namespace sluice::engine
