#include "net/uri.h"

#include <gtest/gtest.h>

namespace sluice::net {
namespace {

constexpr const char* port_is_wrong =
    "the port is not a number from 1 to 65535 (a password stands before an '@': "
    "redis://user:password@host)";

TEST(Uri, HasTheDefaultsOfTheServers) {
  const auto uri = parse_uri("redis://example.org");
  ASSERT_TRUE(uri.has_value());
  EXPECT_FALSE(uri->tls);
  EXPECT_EQ(uri->host, "example.org");
  EXPECT_EQ(uri->port, 6379);
  EXPECT_EQ(uri->user, "");
  EXPECT_EQ(uri->password, "");
  EXPECT_EQ(uri->db, 0u);
}

TEST(Uri, TakesEveryPart) {
  const auto uri = parse_uri("valkeys://b%6fb:p%40ss%3a@[2001:db8::1]:7000/12");
  ASSERT_TRUE(uri.has_value()) << uri.error().detail;
  EXPECT_TRUE(uri->tls);
  EXPECT_EQ(uri->user, "bob");
  EXPECT_EQ(uri->password, "p@ss:");
  EXPECT_EQ(uri->host, "2001:db8::1");
  EXPECT_EQ(uri->port, 7000);
  EXPECT_EQ(uri->db, 12u);
}

TEST(Uri, KnowsItsSchemesInAnyCase) {
  EXPECT_TRUE(parse_uri("REDISS://h")->tls);
  EXPECT_TRUE(parse_uri("valkeys://h")->tls);
  EXPECT_FALSE(parse_uri("Valkey://h")->tls);
  for (std::string_view text : {"redis://", "rediss://x", "valkey://x", "valkeys://x", "REDIS://x",
                                "redis-sentinel://a:1,b:2?master=m"}) {
    EXPECT_TRUE(is_uri(text)) << text;
  }
  for (std::string_view text : {"dump.rdb", "/redis/dump.rdb", "file:///x", "s3://b/p", "-", "",
                                "redis:x", "://x", "unix:///tmp/redis.sock"}) {
    EXPECT_FALSE(is_uri(text)) << text;
    EXPECT_FALSE(parse_uri(text).has_value()) << text;
  }
}

TEST(Uri, TakesShortForms) {
  EXPECT_EQ(parse_uri("redis://")->host, "127.0.0.1");
  EXPECT_EQ(parse_uri("redis://:7001")->port, 7001);
  EXPECT_EQ(parse_uri("redis://:7001")->host, "127.0.0.1");
  EXPECT_EQ(parse_uri("redis://h/")->db, 0u);
  EXPECT_EQ(parse_uri("redis://:secret@h")->password, "secret");
  EXPECT_EQ(parse_uri("redis://:secret@h")->user, "");
  EXPECT_EQ(parse_uri("redis://bob@h")->user, "bob");
  EXPECT_EQ(parse_uri("redis://:a@b@h")->password, "a@b");
  EXPECT_EQ(parse_uri("redis://:a/b@h")->password, "a/b");
}

TEST(Uri, NamesThePartThatIsWrong) {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"redis://h:0", port_is_wrong},
      {"redis://h:65536", port_is_wrong},
      {"redis://h:", port_is_wrong},
      {"redis://h:63x", port_is_wrong},
      {"redis://h:-1", port_is_wrong},
      {"redis://h/x", "database '/x' is not a number"},
      {"redis://h/-1", "database '/-1' is not a number"},
      {"redis://h/4294967296", "database '/4294967296' is not a number"},
      {"redis://h/2147483648", "database '/2147483648' is not a number"},
      {"redis://h/1/2", "database '/1/2' is not a number"},
      {"redis://[::1", "'[' of an IPv6 address without its ']'"},
      {"redis://[::1]x", "'x' after the IPv6 address"},
      {"redis://[]", "'[]' is not an IPv6 address"},
      {"redis://::1", "more than one ':' in the host: an IPv6 address needs brackets, [::1]"},
      {"redis://a b", "the host has a character that no host name has"},
      {"redis://h?db=1", "a query ('?') or fragment ('#') is not supported"},
      {"redis-sentinel://h1:26379,h2:26379?master=m",
       "redis-sentinel:// names sentinels; here the address of a server is needed"},
      {"http://h", "expected redis://, rediss://, valkey:// or valkeys://"},
  };
  for (const auto& [text, detail] : cases) {
    const auto uri = parse_uri(text);
    ASSERT_FALSE(uri.has_value()) << text;
    EXPECT_EQ(uri.error().code, Errc::bad_uri) << text;
    EXPECT_EQ(uri.error().detail, detail) << text;
  }
}

TEST(Uri, AnErrorNeverRepeatsTheSecret) {
  for (std::string_view text :
       {"redis://u:hunter2%zz@h", "redis://hunter2%4:x@h", "redis://u:hunter2@h:99999",
        "redis://u:hunter2@h/x", "redis://u:hunter2@h?x", "redix://u:hunter2@h"}) {
    const auto uri = parse_uri(text);
    ASSERT_FALSE(uri.has_value()) << text;
    EXPECT_EQ(uri.error().detail.find("hunter2"), std::string::npos) << uri.error().detail;
  }
}

TEST(Uri, IsShownWithoutItsSecret) {
  EXPECT_EQ(to_display(*parse_uri("redis://h")), "redis://h:6379/0");
  EXPECT_EQ(to_display(*parse_uri("valkeys://bob:pw@[::1]:1/3")), "rediss://bob:***@[::1]:1/3");
  EXPECT_EQ(to_display(*parse_uri("redis://:pw@h")), "redis://***@h:6379/0");
  EXPECT_EQ(to_display(*parse_uri("redis://pw@h")), "redis://***@h:6379/0");
}

TEST(Uri, MayNameMoreNodesOfACluster) {
  const auto uri = parse_uri("redis://a:1,[::1]:2,c/");
  ASSERT_TRUE(uri.has_value());
  EXPECT_EQ(uri->host, "a");
  EXPECT_EQ(uri->more_hosts, (std::vector<HostPort>{{"::1", 2}, {"c", 6379}}));
  EXPECT_EQ(to_display(*uri), "redis://a:1,[::1]:2,c:6379/0");
  EXPECT_FALSE(parse_uri("redis://a,b:0").has_value());
}

// No input may crash it, and what it takes it shows without the password.
TEST(Uri, TakesEveryPrefixWithoutHarm) {
  const std::string whole = "rediss://u%41:p%42@[::1]:6380/3";
  for (std::size_t size = 0; size <= whole.size(); ++size) {
    const auto uri = parse_uri(std::string_view(whole).substr(0, size));
    if (uri) {
      EXPECT_EQ(to_display(*uri).find("pB"), std::string::npos);
    }
  }
}

// Whoever forgets the '@' has put a password where the port or the host is read.
TEST(Uri, NeverRepeatsAPasswordWhoseAtSignWasForgotten) {
  for (const char* text : {"redis://default:s3cretpw", "redis://s3$cretpw", "redis://:s3cretpw"}) {
    const auto uri = parse_uri(text);
    ASSERT_FALSE(uri.has_value()) << text;
    EXPECT_EQ(uri.error().detail.find("cret"), std::string::npos) << uri.error().detail;
  }
}

}  // namespace
}  // namespace sluice::net
