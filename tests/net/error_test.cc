#include "net/error.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace sluice::net {
namespace {

TEST(Error, EveryCodeHasAMessageOfItsOwn) {
  std::set<std::string> messages;
  for (int value = 1; value <= static_cast<int>(Errc::reply_too_large); ++value) {
    const std::error_code code = make_error_code(static_cast<Errc>(value));
    EXPECT_NE(code.message(), "unknown error") << value;
    EXPECT_TRUE(messages.insert(code.message()).second) << code.message();
  }
}

TEST(Error, MapsEachRefusalToItsCause) {
  const std::pair<std::string_view, Errc> cases[] = {
      {"NOAUTH Authentication required.", Errc::auth_required},
      {"ERR operation not permitted", Errc::auth_required},
      {"WRONGPASS invalid username-password pair or user is disabled.", Errc::auth_failed},
      {"NOPERM User x has no permissions to run the 'psync' command", Errc::no_permission},
      {"LOADING Redis is loading the dataset in memory", Errc::loading},
      {"NOMASTERLINK Can't SYNC while not connected with my master", Errc::no_master_link},
      {"MASTERDOWN Link with MASTER is down", Errc::no_master_link},
      {"ERR unknown command 'PSYNC', with args beginning with: '?' '-1' ", Errc::command_unknown},
      {"ERR unknown command `PSYNC`", Errc::command_unknown},
      {"ERR BGSAVE failed, replication can't continue", Errc::save_failed},
      {"ERR syntax error", Errc::refused},
      {"LOADINGS are not a code", Errc::refused},
      {"", Errc::refused},
  };
  for (const auto& [text, code] : cases) {
    const Error error = refusal("PSYNC", text);
    EXPECT_EQ(error.code, code) << text;
    EXPECT_EQ(error.detail, "PSYNC: " + std::string(text));
  }
}

TEST(Error, WhatAPeerSaysIsPrintedWithoutControlBytesAndNotForever) {
  EXPECT_EQ(printable("a\x1b[0m\xff\n"), "a\\x1b[0m\\xff\\x0a");
  EXPECT_EQ(printable(std::string(600, 'x')), std::string(512, 'x') + "...");
}

}  // namespace
}  // namespace sluice::net
