#include "engine/errors.h"

#include <gtest/gtest.h>

namespace sluice::engine {
namespace {

TEST(Errors, EveryNetErrorIsOneLineWithAStableCode) {
  for (int value = 1; value <= static_cast<int>(net::Errc::reply_too_large); ++value) {
    const net::Error error{.code = static_cast<net::Errc>(value), .detail = "what it said"};
    for (const Role role : {Role::source, Role::target}) {
      const Error shown = from_net(error, role, "redis://h:1/0");
      EXPECT_NE(shown.code, "unknown") << value;
      EXPECT_EQ(shown.message.find('\n'), std::string::npos);
      if (shown.code == "cancelled") continue;
      EXPECT_NE(shown.message.find("redis://h:1/0"), std::string::npos);
      EXPECT_NE(shown.message.find("what it said"), std::string::npos);
    }
  }
}

TEST(Errors, ASourceThatWantsAPasswordSaysWhereToPutIt) {
  const Error shown =
      from_net({.code = net::Errc::auth_required, .detail = ""}, Role::source, "redis://h:1/0");
  EXPECT_EQ(shown.stage, Stage::net);
  EXPECT_EQ(shown.code, "auth_required");
  EXPECT_NE(shown.message.find("SLUICE_SOURCE_AUTH"), std::string::npos);
}

TEST(Errors, EveryRdbErrorHasAStableCodeAndItsPlace) {
  for (int value = 1; value <= static_cast<int>(rdb::Errc::empty_value); ++value) {
    const rdb::Error error{.code = static_cast<rdb::Errc>(value),
                           .offset = 812,
                           .record = 7,
                           .db = 3,
                           .key = "k\\x00",
                           .detail = "why"};
    const Error shown = from_rdb(error, "file dump.rdb");
    EXPECT_EQ(shown.stage, Stage::rdb);
    EXPECT_NE(shown.code, "unknown") << value;
    EXPECT_NE(shown.message.find("offset 812, record 7, db 3, key \"k\\x00\": why"),
              std::string::npos)
        << shown.message;
  }
}

TEST(Errors, EveryStorageErrorHasAStableCode) {
  for (int value = 1; value <= static_cast<int>(storage::Errc::finished); ++value) {
    const Error shown = from_storage({.code = static_cast<storage::Errc>(value), .detail = "x"});
    EXPECT_EQ(shown.stage, Stage::storage);
    EXPECT_NE(shown.code, "unknown") << value;
  }
  EXPECT_EQ(from_storage(storage::system_error(28, "write", "/p")).code, "system");
}

}  // namespace
}  // namespace sluice::engine
