// Users, sessions, tokens; who guesses passwords; the audit log.

#include "service/accounts.h"

#include "service/audit.h"
#include "service/login_limit.h"
#include "service/password.h"
#include "tests/service/state_fixture.h"

namespace sluice::service {
namespace {

const std::string password = "correct horse battery";

class AccountsTest : public StateFixture {
 protected:
  Accounts accounts_{*database_};
};

TEST_F(AccountsTest, TheSetupTokenStaysUntilItIsUsed) {
  const std::string token = accounts_.setup_token();
  EXPECT_EQ(accounts_.setup_token(), token);
  EXPECT_EQ(accounts_.set_up("0", "ann", password).error().code, "bad_token");
  EXPECT_EQ(accounts_.set_up(token, "ann", "short").error().code, "weak_password");
  EXPECT_EQ(accounts_.set_up(token, "a b", password).error().code, "bad_name");
  ASSERT_TRUE(accounts_.set_up(token, "ann", password));
  EXPECT_EQ(accounts_.set_up(token, "eve", password).error().code, "exists");
}

TEST_F(AccountsTest, ASessionEndsWithItsUserItsPasswordOrItself) {
  ASSERT_TRUE(accounts_.add_user("root", password, Role::admin));
  ASSERT_TRUE(accounts_.add_user("ann", password, Role::operator_));
  const auto log_in = [this] { return accounts_.log_in("ann", password, "here")->secret; };
  std::string secret = log_in();
  EXPECT_EQ(accounts_.by_session(secret)->role, Role::operator_);
  accounts_.log_out(accounts_.by_session(secret)->session);
  EXPECT_FALSE(accounts_.by_session(secret));
  secret = log_in();
  ASSERT_TRUE(accounts_.change_user("ann", Role::viewer, std::nullopt));
  EXPECT_FALSE(accounts_.by_session(secret)) << "its role was another";
  secret = log_in();
  ASSERT_TRUE(accounts_.remove_user("ann"));
  EXPECT_FALSE(accounts_.by_session(secret));
}

TEST_F(AccountsTest, OfSecretsOnlyHashesAreKept) {
  ASSERT_TRUE(accounts_.add_user("ann", password, Role::admin));
  const auto login = accounts_.log_in("ann", password, "here");
  const auto token = accounts_.add_token("cron", Role::viewer, std::nullopt);
  EXPECT_EQ(accounts_.by_token(token.secret)->name, "token:cron");
  Database::Reading reading(*database_);
  auto rows = reading.statement(
      "SELECT group_concat(password), (SELECT group_concat(hash) FROM sessions), "
      "(SELECT group_concat(hash) FROM tokens) FROM users");
  ASSERT_TRUE(rows.step());
  for (int column = 0; column < 3; ++column) {
    for (const std::string& secret : {password, login->secret, token.secret})
      EXPECT_EQ(rows.text(column).find(secret), std::string::npos);
  }
}

TEST_F(AccountsTest, ATokenExpires) {
  const auto token = accounts_.add_token("old", Role::admin, 1);
  EXPECT_FALSE(accounts_.by_token(token.secret));
}

TEST(Password, IsKnownByItsHashOnly) {
  const std::string hash = hash_password(password);
  EXPECT_NE(hash, hash_password(password)) << "salted";
  EXPECT_TRUE(is_password(password, hash));
  EXPECT_FALSE(is_password(password + "x", hash));
  EXPECT_FALSE(is_password(password, "plain$" + password));
}

TEST(LoginLimit, DoublesTheWaitAndForgets) {
  LoginLimit limit;
  std::int64_t now = 1'000'000;
  for (int i = 0; i < 5; ++i) EXPECT_EQ(limit.try_again_in_s("eve", now), 0);
  EXPECT_EQ(limit.try_again_in_s("eve", now), 2);
  now += 2000;
  EXPECT_EQ(limit.try_again_in_s("eve", now), 0);
  EXPECT_EQ(limit.try_again_in_s("eve", now), 4);
  EXPECT_EQ(limit.try_again_in_s("ann", now), 0) << "nobody else waits";
  now += 16LL * 60 * 1000;
  EXPECT_EQ(limit.try_again_in_s("eve", now), 0);
  limit.succeeded("eve");
  for (int i = 0; i < 5; ++i) EXPECT_EQ(limit.try_again_in_s("eve", now), 0);
}

TEST(LoginLimit, RemembersOnlySoMany) {
  LoginLimit limit;
  for (int i = 0; i < 30'000; ++i)
    EXPECT_EQ(limit.try_again_in_s("name" + std::to_string(i), 1'000'000), 0);
}

class AuditTest : public StateFixture {
 protected:
  void add(const std::string& actor) {
    audit_.add({.at_ms = 5,
                .actor = actor,
                .address = "a",
                .action = "b.c",
                .object = "d",
                .outcome = "ok",
                .detail = "e"});
  }
  void spoil(const std::string& sql) {
    Database::Writing writing(*database_);
    writing.statement("DROP TRIGGER IF EXISTS audit_is_not_changed").run();
    writing.statement("DROP TRIGGER IF EXISTS audit_is_not_deleted").run();
    writing.statement(sql).run();
    writing.commit();
  }
  Audit audit_{*database_};
};

TEST_F(AuditTest, ListsTheNewestFirst) {
  for (const char* actor : {"a", "b", "c"}) add(actor);
  const auto entries = audit_.list(3, 10);
  ASSERT_EQ(entries.size(), 2u);
  EXPECT_EQ(entries.front().actor, "b");
  EXPECT_TRUE(audit_.is_whole());
}

TEST_F(AuditTest, TellsWhenItWasChanged) {
  for (const char* actor : {"a", "b", "c"}) add(actor);
  spoil("UPDATE audit SET outcome = 'failed' WHERE seq = 2");
  EXPECT_FALSE(audit_.is_whole());
}

TEST_F(AuditTest, TellsWhenARowIsMissing) {
  for (const char* actor : {"a", "b", "c"}) add(actor);
  spoil("DELETE FROM audit WHERE seq = 1");
  EXPECT_FALSE(audit_.is_whole());
}

}  // namespace
}  // namespace sluice::service
