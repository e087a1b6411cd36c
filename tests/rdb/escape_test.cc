#include "rdb/escape.h"

#include <gtest/gtest.h>

#include "recorder.h"

namespace sluice::rdb {
namespace {

using testing::bytes;

TEST(Escape, KeepsPrintableAscii) { EXPECT_EQ(escape(bytes("user:1 ~")), "user:1 ~"); }

TEST(Escape, HidesTheRest) {
  EXPECT_EQ(escape(bytes(std::string_view("a\"\\\0\n\x7f\xc3", 7))),
            "a\\\"\\\\\\x00\\x0a\\x7f\\xc3");
}

TEST(Escape, CutsAndSaysSo) {
  EXPECT_EQ(escape(bytes("abcd"), 4), "abcd");
  EXPECT_EQ(escape(bytes("abcde"), 4), "abcd...");
  EXPECT_EQ(escape({}, 0), "");
}

}  // namespace
}  // namespace sluice::rdb
