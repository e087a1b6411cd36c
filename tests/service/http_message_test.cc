// Targets, cookies and names of keys as they come from outside.

#include "service/http_message.h"

#include <gtest/gtest.h>

#include <csignal>
#include <fstream>

#include "service/captured_output.h"
#include "service/key_text.h"

namespace sluice::service {
namespace {

using namespace std::chrono_literals;

TEST(Target, IsSplitAndDecoded) {
  HttpRequest request;
  ASSERT_TRUE(split_target("/api/a%2fb/c?x=1+2&y=%C3%A9&z", request));
  EXPECT_EQ(request.segments, (std::vector<std::string>{"api", "a/b", "c"}));
  EXPECT_EQ(request.parameter("x"), "1 2");
  EXPECT_EQ(request.parameter("y"), "\xC3\xA9");
  EXPECT_FALSE(request.parameter("z")) << "empty is none";
}

TEST(Target, ThatIsMalformedIsRefused) {
  for (const char* target : {"", "x", "/%", "/%4", "/%zz", "/a?x=%g0", "*"}) {
    HttpRequest request;
    EXPECT_FALSE(split_target(target, request)) << target;
  }
}

TEST(Cookie, IsFoundByItsWholeName) {
  HttpRequest request;
  request.headers["cookie"] = "xsid=1; sid=2; sidx=3";
  EXPECT_EQ(request.cookie("sid"), "2");
  EXPECT_EQ(request.cookie("none"), "");
}

TEST(KeyText, ComesBackFromItsEscapedForm) {
  EXPECT_EQ(unescaped("a\\x00\\xff\\\"\\\\b"), std::string("a\0\xff\"\\b", 6));
  EXPECT_EQ(unescaped("\\q\\x1\\xzz\\"), "\\q\\x1\\xzz\\") << "no escape: as it stands";
}

TEST(KeyText, APrefixIsNoPattern) { EXPECT_EQ(prefix_glob("a*[b]?\\"), "a\\*\\[b\\]\\?\\\\*"); }

TEST(KeyText, FieldsOfCsv) {
  EXPECT_EQ(csv_fields("0,\"a,\"\"b\"\"\",,x"),
            (std::vector<std::string>{"0", "a,\"b\"", "", "x"}));
}

Result<void> write_lines(const std::string& path, const JobContext& context) {
  std::ofstream out(path);
  while (out << std::string(1000, 'x') << std::flush) {
    if (context.stop.stop_requested()) break;
  }
  return {};
}

class CapturedOutputTest : public testing::Test {
 protected:
  void SetUp() override { std::signal(SIGPIPE, SIG_IGN); }
};

TEST_F(CapturedOutputTest, EndsAtItsSize) {
  const auto captured = capture(5000, 10s, write_lines);
  EXPECT_EQ(captured.end, CapturedOutput::End::size);
  EXPECT_GT(captured.text.size(), 5000u);
}

TEST_F(CapturedOutputTest, EndsAtItsTime) {
  const auto captured = capture(1 << 30, 50ms, [](const std::string&, const JobContext& context) {
    while (!context.stop.stop_requested()) {
    }
    return Result<void>();
  });
  EXPECT_EQ(captured.end, CapturedOutput::End::time);
}

TEST_F(CapturedOutputTest, GivesTheOutcomeOfWhatWentToItsEnd) {
  const auto captured = capture(5000, 10s, [](const std::string&, const JobContext&) {
    return Result<void>(std::unexpect, Error{.code = "x", .message = "y"});
  });
  EXPECT_EQ(captured.end, CapturedOutput::End::whole);
  EXPECT_EQ(captured.outcome.error().code, "x");
}

}  // namespace
}  // namespace sluice::service
