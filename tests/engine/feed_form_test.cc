#include "engine/feed_form.h"

#include <gtest/gtest.h>

#include <string>

namespace sluice::engine {
namespace {

rdb::Header header(unsigned version) {
  return {.dialect = version >= 80 ? rdb::Dialect::valkey : rdb::Dialect::redis,
          .version = version};
}

std::string fed(unsigned own, unsigned source) {
  const auto version = version_to_feed(header(own), header(source));
  return version ? std::to_string(version->version) : "as it is";
}

TEST(FeedForm, IsTheBackupsOwnWhereTheTargetTakesThat) {
  EXPECT_EQ(fed(10, 10), "as it is");
  EXPECT_EQ(fed(12, 6), "as it is");
  EXPECT_EQ(fed(80, 11), "as it is");
  EXPECT_EQ(fed(80, 80), "as it is");
}

TEST(FeedForm, IsTheTargetsOwnWhereTheBackupIsNewerOrOfTheOtherFamily) {
  EXPECT_EQ(fed(9, 10), "9");
  EXPECT_EQ(fed(10, 12), "10");
  EXPECT_EQ(fed(80, 12), "80");
  EXPECT_EQ(fed(11, 12), "11");
  EXPECT_EQ(fed(12, 80), "12");
  EXPECT_EQ(fed(10, 80), "10");
}

TEST(FeedForm, IsOneThatCanBeWritten) {
  EXPECT_EQ(fed(16, 80), "14");
  EXPECT_EQ(fed(81, 13), "80");
}

}  // namespace
}  // namespace sluice::engine
