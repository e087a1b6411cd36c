#include "rdb/error.h"

#include <gtest/gtest.h>

namespace sluice::rdb {
namespace {

TEST(Error, EveryCodeHasAMessage) {
  for (int value = 1; value <= static_cast<int>(Errc::not_representable); ++value) {
    const std::error_code code = make_error_code(static_cast<Errc>(value));
    EXPECT_NE(code.message(), "unknown error") << value;
  }
}

}  // namespace
}  // namespace sluice::rdb
