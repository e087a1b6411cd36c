#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "config_fixture.h"

namespace sluice::service {
namespace {

using Lines = std::vector<std::string>;

const std::string repository = "[repositories.main]\npath = \"/repo\"\n";  // two lines
const std::string instance = "[instances.a]\nuri = \"redis://a\"\n";

struct Mistake {
  std::string text;  ///< Behind the repository, from line 3 on.
  std::string told;
};

class ConfigMistakes : public ConfigTest {
 protected:
  void check(const std::vector<Mistake>& cases) {
    for (const Mistake& one : cases)
      EXPECT_EQ(mistakes(repository + one.text), Lines{one.told}) << one.text;
  }
};

TEST_F(ConfigMistakes, OfTheServiceAreTold) {
  check({
      {"[service]\ntime_zone = \"Berlin\"",
       R"(4: [service] time_zone: cannot be "Berlin": write an IANA name, as "UTC" or "Europe/Berlin")"},
      {"[service]\nmemory = \"64M\"",
       R"(4: [service] memory: cannot be "64M": write a size of "128M" or more, as "384M" or "1G")"},
      {"[service]\nmemory = 512", R"(4: [service] memory: is a number: write memory = "…")"},
      {"[service]\njobs = 0", "4: [service] jobs: cannot be 0: write a whole number from 1 to 256"},
      {"[service]\njobs = \"8\"",
       "4: [service] jobs: is a string: write a whole number from 1 to 256"},
      {"[service]\njobs = 2.5",
       "4: [service] jobs: is a number: write a whole number from 1 to 256"},
      {"[service]\noverdue = \"2 hours\"",
       R"(4: [service] overdue: cannot be "2 hours": write a time from "1m" to "365d": a number and s, m, h or d)"},
      {"[service]\nshrink_ratio = 2",
       "4: [service] shrink_ratio: cannot be 2: write a number from 0 to 1"},
      {"[service]\ndrill_target = \"nowhere\"",
       "4: [service] drill_target: there is no target of that name: there is none yet"},
      {"[service]\ndrill_target = \"stagin\"\n[targets.staging]\nuri = \"redis://s\"",
       R"(4: [service] drill_target: there is no target of that name: write "staging")"},
      {"[service]\ndrill_target = \"s\"\n[targets.s]\nuri = \"redis://s\"",
       R"(4: [service] drill_target: that target is no local one: name one with provide = "local:/DIRECTORY")"},
      {"[metrics]\nopen = \"yes\"",
       "4: [metrics] open: is a string: write true or false, without quotes"},
  });
}

TEST_F(ConfigMistakes, OfListeningAreTold) {
  write("s.pem", "x", 0644);
  write("s.key", "x");
  const std::string open =
      "others could connect, and read along: write certificate and key beside it, or listen on "
      "127.0.0.1";
  check({
      {"[listen]\naddress = \"7780\"",
       R"(4: [listen] address: cannot be "7780": write "127.0.0.1:7780", "[::1]:7780" or "unix:/PATH")"},
      {"[listen]\naddress = \"0.0.0.0:7780\"", "4: [listen] address: " + open},
      {"[listen]\naddress = \"[::]:7780\"", "4: [listen] address: " + open},
      {"[listen]\naddress = \"backup.example:7780\"", "4: [listen] address: " + open},
      {"[listen]\ncertificate = \"s.pem\"",
       "4: [listen] certificate: stands alone: write certificate and key"},
      {"[listen]\ncertificate = \"none.pem\"\nkey = \"s.key\"",
       "4: [listen] certificate: there is no file " + path("none.pem") + ": name one, in PEM"},
      {"[listen]\nhosts = [\"https://b\"]",
       R"(4: [listen] hosts: holds what is no name of a host: write hosts = ["backup.example"])"},
      {"[listen]\nhosts = [1]", R"(4: [listen] hosts: is a number: write hosts = ["…", "…"])"},
  });
  for (const char* address : {"127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "localhost:1", "unix:/x/y"})
    EXPECT_EQ(mistakes(repository + "[listen]\naddress = \"" + address + "\""), Lines()) << address;
  EXPECT_EQ(mistakes(repository + "[listen]\naddress = \"0.0.0.0:1\"\ncertificate = \"s.pem\"\n"
                                  "key = \"s.key\""),
            Lines());
}

TEST_F(ConfigMistakes, OfPoliciesAreTold) {
  const std::string days = R"(write "daily", "weekdays", or days as ["mon", "thu"])";
  check({
      {"[policies.p]\ndays = \"sometimes\"",
       "4: [policies.p] days: cannot be \"sometimes\": " + days},
      {"[policies.p]\ndays = [\"mon\", \"thurs\"]",
       R"(4: [policies.p] days: entry 2 is no weekday: write "thu")"},
      {"[policies.p]\ndays = []", "4: [policies.p] days: is empty: " + days},
      {"[policies.p]\nstart = \"25:00\"",
       R"(4: [policies.p] start: cannot be "25:00": write a time of the day as "02:00")"},
      {"[policies.p]\nstart = 02:00:00",
       R"(4: [policies.p] start: is a date or time: write start = "…")"},
      {"[policies.p]\nwindow = \"25h\"",
       R"(4: [policies.p] window: cannot be "25h": write a time from "0s" to "1d": a number and s, m, h or d)"},
      {"[policies.p]\nwindow = \"90s\"",
       R"(4: [policies.p] window: is no whole number of minutes: write "30m")"},
      {"[policies.p]\nevery = \"90m\"",
       R"(4: [policies.p] every: is no whole number of hours: write "6h")"},
      {"[policies.p]\nevery = \"8d\"",
       R"(4: [policies.p] every: cannot be "8d": write a time from "1h" to "7d": a number and s, m, h or d)"},
      {"[policies.p]\ndays = \"daily\"\nevery = \"6h\"",
       "5: [policies.p] every: stands beside days: write every or days, not both"},
      {"[policies.p]\ntime_zone = \"Mars\"",
       R"(4: [policies.p] time_zone: cannot be "Mars": write an IANA name, as "UTC" or "Europe/Berlin")"},
      {"[policies.p]\nkeep = { within = \"0d\" }",
       R"(4: [policies.p] keep: keeps nothing: write within = "7d", or how many to keep)"},
      {"[policies.p]\nkeep = { dayly = 7 }",
       R"(4: [policies.p] keep dayly: no such setting: write "daily")"},
      {"[policies.p]\nkeep = { daily = -1 }",
       "4: [policies.p] keep daily: cannot be -1: write a whole number from 0 to 100000"},
      {"[policies.p]\nkeep = 7", "4: [policies.p] keep: is a number: write keep = { … }"},
      {"[policies.p]\nsource = \"prefer_replica\"",
       R"(4: [policies.p] source: cannot be "prefer_replica": write "prefer-replica", "replica" or "primary")"},
      {"[policies.p]\nlayout = \"rdb\"",
       R"(4: [policies.p] layout: cannot be "rdb": write "canonical" or "stream")"},
      {"[policies.p]\ncompression = \"zstd:20\"",
       R"(4: [policies.p] compression: cannot be "zstd:20": write "lz4", "zstd", "zstd:1" to "zstd:19" or "none")"},
      {"[policies.p]\nretry_delay = \"0s\"",
       R"(4: [policies.p] retry_delay: cannot be "0s": write a time from "1s" to "1d": a number and s, m, h or d)"},
      {"[policies.p]\nverify = \"sun\"",
       "4: [policies.p] verify: is a string: write verify = { … }"},
      {"[policies.p]\nverify = { dayz = \"sun\" }",
       R"(4: [policies.p] verify dayz: no such setting: write "days")"},
      {"[policies.p]\ndrill = { days = \"sun\" }",
       R"(4: [policies.p] drill: there is nowhere to restore to: write drill_target = "TARGET" in [service])"},
      {"[policies.console]\n",
       "3: [policies.console]: that name is for what is set in the console: take another one"},
  });
}

TEST_F(ConfigMistakes, OfInstancesAreTold) {
  write("open.pass", "hunter2\n", 0644);
  write("empty.pass", "\n");
  write("client.pem", "x", 0644);
  const std::string in = "[instances.a]\n";
  const std::string uri = "uri = \"redis://a\"\n";
  check({
      {in, "3: [instances.a]: uri is missing: write uri = \"redis://HOST:6379\""},
      {in + "uri = 6379", R"(4: [instances.a] uri: is a number: write uri = "…")"},
      {in + "uri = \"http://a\"",
       "4: [instances.a] uri: not a server address: expected redis://, rediss://, valkey:// or "
       "valkeys://: write uri = \"redis://HOST:6379\""},
      {in + "uri = \"redis://a/3\"",
       "4: [instances.a] uri: the address ends in a database, but backup and restore are about all "
       "of them: leave out /3: write uri = \"redis://HOST:6379\""},
      {in + uri + "repository = \"mian\"",
       R"(5: [instances.a] repository: there is none of that name: write "main")"},
      {in + uri + "policy = \"nightly\"",
       "5: [instances.a] policy: there is none of that name: there is none yet"},
      {in + uri + "policy = \"nightli\"\n[policies.nightly]\n[policies.often]",
       R"(5: [instances.a] policy: there is none of that name: write "nightly")"},
      {in + uri + "group = \"cache\"\n[groups.caches]",
       R"(5: [instances.a] group: there is no [groups] table of that name: write "caches")"},
      {in + uri + "group = \"g\"\n[groups.g]\npolicy = \"p\"",
       "7: [groups.g] policy: there is none of that name: there is none yet"},
      {in + uri + "password_file = \"none.pass\"",
       "5: [instances.a] password_file: " + path("none.pass") +
           ": No such file or directory: name a file that the service can read"},
      {in + uri + "password_file = \"open.pass\"",
       "5: [instances.a] password_file: " + path("open.pass") +
           ": can be read or written by others: chmod 600 it"},
      {in + uri + "password = \"${file:open.pass}\"",
       "5: [instances.a] password: " + path("open.pass") +
           ": can be read or written by others: chmod 600 it"},
      {in + uri + "password_file = \"empty.pass\"",
       "5: [instances.a] password_file: " + path("empty.pass") +
           ": its first line is empty: write the secret there"},
      {in + uri + "password = \"${SLUICE_NOT_SET}\"",
       "5: [instances.a] password: the environment has no SLUICE_NOT_SET: set it where the service "
       "is started, or write the value"},
      {in + uri + "sni = \"${SLUICE\"",
       "5: [instances.a] sni: ${ without its }: write ${NAME}, or $${ for ${"},
      {in + uri + "sni = \"${a b}\"",
       "5: [instances.a] sni: ${…} holds no name of an environment variable: write ${NAME} or "
       "${file:PATH}, or $${ for ${"},
      {in + uri + "cert = \"client.pem\"",
       "5: [instances.a] cert: stands alone: write cert and key"},
      {in + uri + "cert = \"client.pem\"\nkey = \"open.pass\"",
       "6: [instances.a] key: " + path("open.pass") +
           ": can be read or written by others: chmod 600 it"},
      {in + uri + "timeout = 5", R"(5: [instances.a] timeout: is a number: write timeout = "…")"},
      {"[instances.\"a/b\"]\n" + uri,
       "3: [instances.a/b]: that is no name: write a letter or digit, then up to 63 of letters, "
       "digits, '.', '_', '-'"},
      {"[instances]\na = \"redis://a\"",
       "4: [instances] a: is a string: write [instances.NAME] on a line"},
  });
}

TEST_F(ConfigMistakes, RepositoryHasToBeChosenWhereThereAreSeveral) {
  EXPECT_EQ(mistakes(repository + "[repositories.b]\npath = \"/b\"\n" + instance),
            Lines{"5: [instances.a] repository: is missing, and there are several: write one of b, "
                  "main"});
}

TEST_F(ConfigMistakes, OfRepositoriesAreTold) {
  write("open", "hunter2\n", 0640);
  write("good", "hunter2\n");
  EXPECT_EQ(mistakes(""),
            Lines{R"(1: there is no repository: write [repositories.main] with path = "…")"});
  check({
      {"[repositories.b]",
       R"(3: [repositories.b]: path is missing: write path = "/var/lib/sluice/repository")"},
      {"[repositories.b]\npath = \"/repo/\"",
       "2: [repositories.main] path: is that of [repositories.b]: name another directory"},
      {"[repositories.b]\npath = \"/b\"\nkey_file = \"open\"",
       "5: [repositories.b] key_file: " + path("open") +
           ": can be read or written by others: chmod 600 it"},
      {"[repositories.b]\npath = \"/b\"\npassphrase_file = \"good\"\npassphrase_command = \"x\"",
       "6: [repositories.b] passphrase_command: stands beside passphrase_file: leave one of them "
       "out"},
      {"[repositories.b]\npath = \"/b\"\npassphrase = \"correct horse\"",
       R"(5: [repositories.b] passphrase: no such setting: write "passphrase_file")"},
  });
}

TEST_F(ConfigMistakes, OfTargetsAreTold) {
  const std::string advice =
      R"(write provide = "local:/DIRECTORY" or "exec:COMMAND", or uri = "redis://HOST")";
  check({
      {"[targets.t]", "3: [targets.t]: provide is missing: " + advice},
      {"[targets.t]\nprovide = \"local:/c\"\nuri = \"redis://t\"",
       "5: [targets.t] uri: stands beside provide: " + advice},
      {"[targets.t]\nprovide = \"local\"",
       R"(4: [targets.t] provide: cannot be "local": write "local:/DIRECTORY", which is absolute, or "exec:COMMAND")"},
      {"[targets.t]\nprovide = \"local:clones\"",
       R"(4: [targets.t] provide: cannot be "local:clones": write "local:/DIRECTORY", which is absolute, or "exec:COMMAND")"},
      {"[targets.t]\nprovide = \"exec:x\"\nprogram = \"redis-server\"",
       "5: [targets.t] program: is for a local server: leave it out"},
      {instance + "[targets.t]\nuri = \"redis://ann@a\"",
       "6: [targets.t] uri: is the server of instance a, which a clone would replace: name a "
       "server that may be overwritten"},
  });
}

TEST_F(ConfigMistakes, OfNotificationsAreTold) {
  const std::string advice = R"(write url = "https://…" or command = "…")";
  check({
      {"[notify.n]", "3: [notify.n]: url is missing: " + advice},
      {"[notify.n]\nurl = \"https://x/\"\ncommand = \"x\"",
       "5: [notify.n] command: stands beside url: " + advice},
      {"[notify.n]\nurl = \"ftp://x/\"",
       "4: [notify.n] url: is no http:// or https:// address: " + advice},
      {"[notify.n]\nurl = \"https://x/\"\nevents = [\"backup_fail\"]",
       R"(5: [notify.n] events: entry 1 is no event: write "backup_failed")"},
      {"[notify.n]\ncommand = \"x\"\nheaders = { a = \"b\" }",
       "5: [notify.n] headers: are for a webhook: leave them out"},
      {"[notify.n]\nurl = \"https://x/\"\nheaders = { a = \"b\\r\\nc: d\" }",
       R"(5: [notify.n] headers: a is no header: write Name = "value", on one line)"},
  });
}

TEST_F(ConfigMistakes, UnknownNamesAreToldWithTheNearest) {
  check({
      {"[servic]\njobs = 8", R"(3: servic: no such table: write "service")"},
      {"[xyzzy]",
       "3: xyzzy: no such table: write one of service, listen, metrics, repositories, policies, "
       "groups, instances, targets, notify"},
      {"[service]\nmemry = \"1G\"", R"(4: [service] memry: no such setting: write "memory")"},
      {"[service]\nTime-Zone = \"UTC\"",
       R"(4: [service] Time-Zone: no such setting: write "time_zone")"},
      {"[listen]\nport = 80",
       "4: [listen] port: no such setting: write one of address, certificate, key, hosts"},
      {instance + "pasword_file = \"x\"",
       R"(5: [instances.a] pasword_file: no such setting: write "password_file")"},
  });
}

TEST_F(ConfigMistakes, OfKindAreTold) {
  EXPECT_EQ(mistakes("metrics = true\n" + repository),
            Lines{"1: metrics: is true or false: write [metrics] on a line"});
  EXPECT_EQ(mistakes("policies = [1]\n" + repository),
            Lines{"1: policies: is a list: write [policies.NAME] on a line"});
}

TEST_F(ConfigMistakes, AreAllToldAtOnceByLine) {
  EXPECT_EQ(
      mistakes("[service]\njobs = 0\nmemry = 1\n[instances.a]\n[policies.p]\nstart = \"x\"\n"
               "window = \"y\"\n[metrics]\nopen = 1\n"),
      (Lines{
          R"(1: there is no repository: write [repositories.main] with path = "…")",
          "2: [service] jobs: cannot be 0: write a whole number from 1 to 256",
          R"(3: [service] memry: no such setting: write "memory")",
          R"(4: [instances.a]: uri is missing: write uri = "redis://HOST:6379")",
          R"(6: [policies.p] start: cannot be "x": write a time of the day as "02:00")",
          R"(7: [policies.p] window: cannot be "y": write a time from "0s" to "1d": a number and s, m, h or d)",
          "9: [metrics] open: is a number: write true or false, without quotes",
      }));
}

TEST_F(ConfigMistakes, OfTomlAreToldWithTheirLine) {
  const auto twice = mistakes(repository + instance + instance);
  ASSERT_EQ(twice.size(), 1U);
  EXPECT_TRUE(twice[0].starts_with("5: ")) << twice[0];
  EXPECT_TRUE(twice[0].contains("instances.a")) << twice[0];
  EXPECT_EQ(mistakes("[service]\nstate = /var\n").size(), 1U);
  EXPECT_EQ(mistakes("a = [").size(), 1U);
  EXPECT_EQ(mistakes(std::string("\0", 1)).size(), 1U);
}

/// What must not be told, whatever is wrong about it.
TEST_F(ConfigMistakes, NeverHoldASecret) {
  set("SECRET", "hunter2");
  set("SECRET_URL", "redis://:hunter2/x@host:notaport/hunter2");
  write("open", "hunter2\n", 0644);
  const std::string in = "[instances.a]\n";
  for (const std::string& text : {
           in + "uri = \"redis://:hunter2@a\"",
           in + "uri = \"redis://ann:hunter2@a\"",
           in + "uri = \"redis://ann:hun/ter2hunter2@a\"",
           in + "uri = \"redis://ann:hunter2${SECRET}@a\"",
           in + "uri = \"redis://ann:${SECRET}hunter2@a\"",
           in + "uri = \"redis-sentinel://a?master=m&sentinel-password=hunter2\"",
           in + "uri = \"${SECRET_URL}\"",
           in + "uri = \"${SECRET}\"",
           in + "uri = \"redis://a:${SECRET}\"",
           in + "uri = \"redis://:${file:open}@a\"",
           in + "uri = \"redis://:${SECRET}@a\"\npassword = \"${SECRET}\"",
           in + "uri = \"redis://a\"\npassword = \"hunter2\"",
           in + "uri = \"redis://a\"\npassword = \"${SECRET}hunter2\"",
           in + "uri = \"redis://a\"\nsentinel_password = \"hunter2\"",
           in + "uri = \"redis://a\"\ntimeout = \"${SECRET}\"",
           in + "uri = \"redis://a\"\ngroup = \"${SECRET}\"",
           in + "uri = \"redis://a\"\npolicy = \"${SECRET}\"",
           in + "uri = \"redis://a\"\nrepository = \"${SECRET}\"",
           in + "uri = \"redis://a\"\npasswd = \"hunter2\"",
           in + "uri = \"redis://a\"\npassword = hunter2",
           in + "uri = \"redis://a\"\npassword = \"hunter2",
           std::string("[repositories.b]\npath = \"/b\"\npassphrase = \"hunter2\""),
           std::string("[notify.n]\nurl = \"hunter2\""),
           std::string("[notify.n]\nurl = \"https://x\"\nevents = [\"${SECRET}\"]"),
           std::string("[notify.n]\nurl = \"https://x\"\nheaders = { a = \"hunter2\\nx\" }"),
           std::string("[policies.p]\ndays = [\"${SECRET}\"]"),
           std::string("[listen]\nhosts = [\"${SECRET}/\"]"),
       }) {
    const auto config = read(repository + text);
    ASSERT_FALSE(config) << text;
    EXPECT_FALSE(config.error().message.contains("unter2")) << config.error().message;
  }
}

}  // namespace
}  // namespace sluice::service
