#include "storage/error.h"

#include <gtest/gtest.h>

#include <cerrno>

namespace sluice::storage {
namespace {

TEST(Error, EveryCodeHasAMessage) {
  for (int value = 1; value <= static_cast<int>(Errc::not_authentic); ++value) {
    const std::error_code code = make_error_code(static_cast<Errc>(value));
    EXPECT_NE(code.message(), "unknown error") << value;
  }
}

TEST(Error, NamesTheCallAndTheObject) {
  const Error error = system_error(ENOSPC, "pwrite", "/r/packs/00/x");
  EXPECT_EQ(error.code, std::errc::no_space_on_device);
  EXPECT_EQ(to_string(error), "pwrite /r/packs/00/x: No space left on device");
  EXPECT_EQ(to_string(Error{.code = Errc::busy, .detail = "/r/LOCK"}),
            "/r/LOCK: in use by another writer");
}

}  // namespace
}  // namespace sluice::storage
