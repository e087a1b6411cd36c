#include <gtest/gtest.h>

#include "sluice/result.h"

TEST(Error, CarriesStageCodeAndMessage) {
  const sluice::Result<int> failed = std::unexpected(
      sluice::Error{.stage = sluice::Stage::net, .code = "refused", .message = "why"});
  EXPECT_EQ(failed.error().stage, sluice::Stage::net);
}
