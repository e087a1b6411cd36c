#include "service/config.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string>

#include "config_fixture.h"

namespace sluice::service {
namespace {

constexpr std::int64_t hour_ms = 3'600'000;
constexpr std::int64_t day_ms = 24 * hour_ms;

const std::string with_repository = "[repositories.main]\npath = \"/repo\"\n";

TEST_F(ConfigTest, StartingConfigurationIsGood) {
  const Config config = good(starting_config());
  EXPECT_EQ(config.state, "/var/lib/sluice/state");
  ASSERT_EQ(config.repositories.size(), 1U);
  EXPECT_EQ(config.repositories[0].place.path, "/var/lib/sluice/repository");
  ASSERT_EQ(config.policies.size(), 1U);
}

/// The starting configuration with each setting that it has as a comment.
std::string uncommented(std::string text, const std::vector<std::string>& left_out) {
  std::istringstream in(text);
  std::string out;
  for (std::string line; std::getline(in, line);) {
    const bool is_setting = line.starts_with("# ") && (line.contains(" = ") || line[2] == '[') &&
                            !std::isupper(static_cast<unsigned char>(line[2]));
    const bool is_left_out = std::ranges::any_of(
        left_out, [&](const std::string& one) { return line.starts_with("# " + one + " ="); });
    out += (is_setting && !is_left_out ? line.substr(2) : line) + "\n";
  }
  return out;
}

TEST_F(ConfigTest, EverySettingOfTheStartingConfigurationIsKnownAndItsDefault) {
  for (const char* name : {"server.pem", "ca.pem", "client.pem"}) write(name, "x", 0644);
  for (const char* name :
       {"server.key", "client.key", "main.pass", "orders.pass", "sentinels.pass"})
    write(name, "secret\n");
  set("HOOK_TOKEN", "Bearer x");
  const Config all = good(uncommented(starting_config(), {"every"}));
  const Config none = good(with_repository + "[policies.nightly]\n");
  EXPECT_EQ(all.state, none.state);
  EXPECT_EQ(all.time_zone, none.time_zone);
  EXPECT_EQ(all.memory_bytes, none.memory_bytes);
  EXPECT_EQ(all.jobs, none.jobs);
  EXPECT_EQ(all.overdue_ms, none.overdue_ms);
  EXPECT_EQ(all.shrink_ratio, none.shrink_ratio);
  EXPECT_EQ(all.job_history_ms, none.job_history_ms);
  EXPECT_EQ(all.metrics_open, none.metrics_open);
  EXPECT_EQ(all.listen.address, none.listen.address);
  EXPECT_EQ(all.repositories[0].trash_ms, none.repositories[0].trash_ms);
  EXPECT_EQ(all.repositories[0].place.key.passphrase_file, path("main.pass"));
  ASSERT_EQ(all.policies.size(), 1U);
  Policy policy = all.policies[0];
  EXPECT_TRUE(policy.verify && policy.drill);
  policy.verify.reset();
  policy.drill.reset();
  EXPECT_EQ(to_json(policy), to_json(none.policies[0]));
  ASSERT_EQ(all.instances.size(), 1U);
  EXPECT_EQ(all.instances[0].policy, "nightly");
  EXPECT_EQ(all.instances[0].address.timeout, ServerAddress().timeout);
  ASSERT_EQ(all.targets.size(), 2U);
  ASSERT_EQ(all.notify.size(), 1U);
  EXPECT_EQ(all.notify[0].headers.at("Authorization"), "Bearer x");
}

/// "instances uri" for each setting of a configuration in which all are.
std::set<std::string> settings_of(const std::string& text) {
  std::set<std::string> settings;
  std::string table;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) {
    const std::size_t equals = line.find(" = ");
    if (line.starts_with('[')) {
      table = line.substr(1, line.find_first_of(".]") - 1);
    } else if (!line.starts_with('#') && equals != std::string::npos) {
      settings.insert(table + " " + line.substr(0, equals));
    }
  }
  return settings;
}

/// The same of the table in docs/service.md.
std::set<std::string> documented_settings() {
  std::set<std::string> settings;
  std::string table;
  std::ifstream in(std::string(SLUICE_DOCS) + "/service.md");
  for (std::string line; std::getline(in, line) && !line.starts_with("## Schedules");) {
    if (line.starts_with("| **`[")) {
      table = line.substr(6, line.find_first_of(".]", 6) - 6);
    } else if (line.starts_with("| `")) {
      settings.insert(table + " " + line.substr(3, line.find('`', 3) - 3));
    }
  }
  return settings;
}

TEST_F(ConfigTest, EverySettingIsExplainedInTheDocumentation) {
  auto settings = settings_of(uncommented(starting_config(), {}));
  // Those that stand in a remark on another.
  for (const char* other : {"instances password", "instances sentinel_password", "notify command",
                            "repositories key_file", "repositories passphrase_command"})
    settings.insert(other);
  EXPECT_EQ(documented_settings(), settings);
}

TEST_F(ConfigTest, SmallestHasTheDefaults) {
  const Config config = good(with_repository);
  EXPECT_EQ(config.file, path("sluice.toml"));
  EXPECT_EQ(config.time_zone, "UTC");
  EXPECT_EQ(config.memory_bytes, 384ULL << 20);
  EXPECT_EQ(config.jobs, 8U);
  EXPECT_TRUE(config.metrics_open);
  EXPECT_EQ(config.overdue_ms, 2 * hour_ms);
  EXPECT_EQ(config.job_history_ms, 90 * day_ms);
  EXPECT_EQ(config.listen.address, "127.0.0.1:7780");
  EXPECT_TRUE(config.instances.empty() && config.targets.empty() && config.notify.empty());
}

TEST_F(ConfigTest, ReadsWhatTheServiceIs) {
  const Config config = good(with_repository + R"(
[service]
state = "state"
time_zone = "Europe/Berlin"
memory = "1G"
jobs = 3
overdue = "30m"
shrink_ratio = 0.25
job_history = "7d"
[listen]
address = "[::1]:80"
hosts = ["backup.example", "b2"]
[metrics]
open = false
)");
  EXPECT_EQ(config.state, path("state"));
  EXPECT_EQ(config.time_zone, "Europe/Berlin");
  EXPECT_EQ(config.memory_bytes, 1ULL << 30);
  EXPECT_EQ(config.jobs, 3U);
  EXPECT_EQ(config.overdue_ms, hour_ms / 2);
  EXPECT_EQ(config.shrink_ratio, 0.25);
  EXPECT_EQ(config.job_history_ms, 7 * day_ms);
  EXPECT_EQ(config.listen.address, "[::1]:80");
  EXPECT_EQ(config.listen.hosts, (std::vector<std::string>{"backup.example", "b2"}));
  EXPECT_FALSE(config.metrics_open);
}

TEST_F(ConfigTest, ReadsPolicies) {
  const Config config = good(with_repository + R"(
[service]
time_zone = "Europe/Berlin"
drill_target = "here"
[targets.here]
provide = "local:/clones"
[policies.nightly]
enabled = false
days = ["mon", "sun"]
start = "23:30"
window = "2h"
keep = { daily = 7, weekly = 4, minimum = 2 }
source = "primary"
layout = "stream"
compression = "zstd:9"
retries = 0
retry_delay = "90s"
verify = { days = "sat", start = "04:00", time_zone = "UTC" }
drill = { every = "168h" }
[policies.often]
every = "6h"
window = "10m"
time_zone = "Asia/Tokyo"
)");
  const Policy& nightly = *config.policy("nightly");
  EXPECT_FALSE(nightly.enabled);
  EXPECT_EQ(describe(nightly.schedule), "Mon, Sun from 23:30 to 01:30 Europe/Berlin");
  EXPECT_EQ(nightly.retention.within_ms, 0) << "what is written is all that is kept";
  EXPECT_EQ(nightly.retention.daily, 7U);
  EXPECT_EQ(nightly.retention.weekly, 4U);
  EXPECT_EQ(nightly.retention.minimum, 2U);
  EXPECT_EQ(nightly.from, ReadFrom::primary);
  EXPECT_EQ(nightly.layout, BackupLayout::stream);
  EXPECT_EQ(nightly.compression, "zstd:9");
  EXPECT_EQ(nightly.retries, 0U);
  EXPECT_EQ(nightly.retry_delay_ms, 90'000);
  EXPECT_EQ(describe(nightly.verify.value()), "Sat from 04:00 to 05:00 UTC");
  EXPECT_EQ(nightly.drill.value().every_hours, 168U);
  EXPECT_EQ(nightly.drill.value().time_zone, "Europe/Berlin");
  const Policy& often = *config.policy("often");
  EXPECT_EQ(often.schedule.every_hours, 6U);
  EXPECT_EQ(often.schedule.window_minutes, 10U);
  EXPECT_EQ(often.schedule.time_zone, "Asia/Tokyo");
  EXPECT_EQ(often.retention.within_ms, 7 * day_ms);
  EXPECT_EQ(config.policy("never"), nullptr);
}

TEST_F(ConfigTest, ReadsInstancesAndGroups) {
  write("orders.pass", "hunter2\r\nsecond line\n");
  write("ca.pem", "x", 0644);
  const Config config = good(with_repository + R"(
[policies.a]
[policies.b]
[groups.caches]
policy = "a"
[groups.bare]
[instances.orders]
uri = "rediss://ann@db:6380"
password_file = "orders.pass"
group = "caches"
cacert = "ca.pem"
sni = "redis.example"
timeout = "5s"
[instances."x.y_z-1"]
uri = "redis-sentinel://a,b:26380?master=m"
group = "caches"
policy = "b"
[instances.none]
uri = "valkey://a:1,b:2"
cluster = true
group = "caches"
policy = ""
insecure = true
[instances.bare]
uri = "redis://c"
group = "bare"
)");
  const InstanceEntry& orders = *config.instance("orders");
  EXPECT_EQ(orders.address.uri, "rediss://ann@db:6380");
  EXPECT_EQ(orders.address.password, "hunter2");
  EXPECT_EQ(orders.address.tls.cacert, path("ca.pem"));
  EXPECT_EQ(orders.address.tls.sni, "redis.example");
  EXPECT_EQ(orders.address.timeout, std::chrono::seconds(5));
  EXPECT_EQ(orders.shown_uri, "rediss://***@db:6380/0");
  EXPECT_EQ(orders.repository, "main");
  EXPECT_EQ(orders.group, "caches");
  EXPECT_EQ(orders.policy, "a");
  EXPECT_EQ(config.instance("x.y_z-1")->policy, "b");
  EXPECT_EQ(config.instance("none")->policy, "");
  EXPECT_TRUE(config.instance("none")->address.cluster);
  EXPECT_TRUE(config.instance("none")->address.tls.insecure);
  EXPECT_EQ(config.instance("bare")->policy, "");
}

TEST_F(ConfigTest, ReadsRepositoriesWithTheirKeys) {
  write("pass", "correct horse\n");
  write("key", std::string(40, 'k'));
  const Config config = good(R"(
[repositories.plain]
path = "sub/../repo"
trash = "0s"
[repositories.phrase]
path = "/b"
passphrase_file = "pass"
[repositories.file]
path = "/c"
key_file = "key"
[repositories.command]
path = "/d"
passphrase_command = "cat /secret"
[instances.a]
uri = "redis://a"
repository = "file"
)");
  EXPECT_EQ(config.repository("plain")->place.path, path("repo"));
  EXPECT_EQ(config.repository("plain")->trash_ms, 0);
  EXPECT_FALSE(config.repository("plain")->place.key.is_given());
  EXPECT_EQ(config.repository("phrase")->trash_ms, 7 * day_ms);
  EXPECT_EQ(config.repository("phrase")->place.key.passphrase_file, path("pass"));
  EXPECT_EQ(config.repository("file")->place.key.key_file, path("key"));
  EXPECT_EQ(config.repository("command")->place.key.command, "cat /secret");
  EXPECT_EQ(config.instance("a")->repository, "file");
}

TEST_F(ConfigTest, ReadsTargetsAndNotifications) {
  set("HOOK", "https://hooks.example/T0/secret");
  set("PW", "p@ss:w/rd");
  const Config config = good(with_repository + R"(
[targets.scratch]
provide = "local:/clones"
program = "/usr/bin/valkey-server"
[targets.made]
provide = "exec:make-one --fast"
[targets.staging]
uri = "redis://staging:6400"
password = "${PW}"
[notify.web]
url = "${HOOK}"
headers = { X-Token = "t" }
events = ["backup_failed", "drill_overdue"]
[notify.mail]
command = "mail -s backup ops"
)");
  EXPECT_EQ(config.target("scratch")->how, "local:/clones");
  EXPECT_EQ(config.target("scratch")->program, "/usr/bin/valkey-server");
  EXPECT_EQ(config.target("made")->how, "exec:make-one --fast");
  EXPECT_EQ(config.target("staging")->how, "");
  EXPECT_EQ(config.target("staging")->shown_uri, "redis://staging:6400/0");
  EXPECT_EQ(config.target("staging")->address.value().password, "p@ss:w/rd");
  ASSERT_EQ(config.notify.size(), 2U);
  EXPECT_EQ(config.notify[0].command, "mail -s backup ops");
  EXPECT_EQ(config.notify[1].url, "https://hooks.example/T0/secret");
  EXPECT_EQ(config.notify[1].headers.at("X-Token"), "t");
  EXPECT_EQ(config.notify[1].events, (std::vector<std::string>{"backup_failed", "drill_overdue"}));
}

TEST_F(ConfigTest, PasswordInTheUriMayBeAReference) {
  set("PW", "p@ss:w/%rd");
  set("HOST", "db");
  const Config config = good(with_repository + R"(
[instances.a]
uri = "redis://:${PW}@${HOST}:6400"
[instances.b]
uri = "redis://ann:${PW}@db:6401"
)");
  EXPECT_EQ(config.instance("a")->address.password, "p@ss:w/%rd");
  EXPECT_EQ(config.instance("a")->address.uri, "redis://db:6400");
  EXPECT_EQ(config.instance("a")->shown_uri, "redis://db:6400/0");
  EXPECT_EQ(config.instance("b")->address.uri, "redis://ann@db:6401");
  EXPECT_EQ(config.instance("b")->address.password, "p@ss:w/%rd");
}

TEST_F(ConfigTest, WholeUriMayBeAReference) {
  set("ORDERS_URL", "redis://ann:hunter2@db:6400");
  const Config config = good(with_repository + "[instances.a]\nuri = \"${ORDERS_URL}\"\n");
  EXPECT_EQ(config.instance("a")->address.uri, "redis://ann:hunter2@db:6400");
  EXPECT_FALSE(config.instance("a")->shown_uri.contains("hunter2"));
}

TEST_F(ConfigTest, ReplacesReferencesInStrings) {
  set("NAME", "repo");
  write("place", "sub\n");
  const Config config =
      good("[repositories.main]\npath = \"/x/${NAME}/${file:place}/$${NAME}/$NAME/${file:" +
           path("place") + "}\"\n");
  EXPECT_EQ(config.repositories[0].place.path, "/x/repo/sub/${NAME}/$NAME/sub");
}

TEST_F(ConfigTest, TakesSecretsFromTheCredentialsOfSystemd) {
  std::filesystem::create_directory(path("creds"));
  set("CREDENTIALS_DIRECTORY", path("creds"));
  // An access list for the service's user shows as rights of the group.
  write("creds/orders", "hunter2\n", 0440);
  write("creds/main", "correct horse\n", 0440);
  write("creds/whole", std::string(40, '\n'), 0440);
  write("creds/client.key", "pem", 0440);
  write("client.pem", "pem", 0644);
  const Config config = good(R"(
[repositories.main]
path = "/a"
passphrase_file = "main"
[repositories.second]
path = "/b"
key_file = "whole"
[instances.a]
uri = "redis://a"
repository = "main"
password = "${file:orders}"
cert = "client.pem"
key = "client.key"
)");
  EXPECT_EQ(config.instance("a")->address.password, "hunter2");
  EXPECT_EQ(config.instance("a")->address.tls.key, path("creds/client.key"));
  EXPECT_EQ(config.instance("a")->address.tls.cert, path("client.pem"));
  EXPECT_EQ(config.repository("main")->place.key.passphrase, "correct horse");
  EXPECT_EQ(config.repository("main")->place.key.passphrase_file, "");
  EXPECT_EQ(config.repository("second")->place.key.key_bytes, std::string(40, '\n'));
}

TEST_F(ConfigTest, FileThatIsNotThereIsSaid) {
  const auto config = read_config(path("nowhere.toml"));
  ASSERT_FALSE(config);
  EXPECT_EQ(config.error().code, "open_failed");
  EXPECT_TRUE(config.error().message.contains("No such file")) << config.error().message;
}

}  // namespace
}  // namespace sluice::service
