#include "engine/server_exam.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "engine/info_text.h"

namespace sluice::engine {
namespace {

constexpr std::uint64_t gib = 1U << 30;

std::string info_text(std::uint64_t used, std::uint64_t resident, std::uint64_t total,
                      const std::string& more = "") {
  return "# Server\r\nredis_version:7.2.4\r\nredis_mode:standalone\r\n# Memory\r\nused_memory:" +
         std::to_string(used) + "\r\nused_memory_rss:" + std::to_string(resident) +
         "\r\ntotal_system_memory:" + std::to_string(total) +
         "\r\n# Replication\r\nrole:master\r\n" + more;
}

ServerExam healthy() {
  ServerExam exam;
  exam.info = info_text(gib, gib + gib / 10, 8 * gib);
  exam.settings = {{"repl-diskless-sync", "yes"},
                   {"repl-timeout", "60"},
                   {"client-output-buffer-limit",
                    "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60"}};
  exam.user = "default";
  exam.denied_known = true;
  return exam;
}

std::vector<Finding> judged(const ServerExam& exam) {
  Findings findings;
  judge_server(exam, findings);
  return findings.take();
}

/// What was found about something, and is not ok; an empty one when all is well with it.
Finding trouble(const ServerExam& exam, std::string_view about) {
  for (const Finding& finding : judged(exam)) {
    if (finding.about == about && finding.level != Finding::Level::ok) return finding;
  }
  return {};
}

TEST(InfoText, CountsTheKeysOfEachDatabase) {
  const std::map<std::uint64_t, std::uint64_t> databases{{0, 12}, {7, 3}, {15, 1}};
  EXPECT_EQ(info_databases("# Keyspace\r\ndb0:keys=12,expires=3,avg_ttl=0\r\n"
                           "db7:keys=3,expires=0\r\ndb15:keys=1,expires=0"),
            databases);
  EXPECT_TRUE(info_databases("# Keyspace\r\n").empty());
}

TEST(ServerExam, FindsNothingWrongWithAHealthyServer) {
  for (const Finding& finding : judged(healthy())) {
    EXPECT_EQ(finding.level, Finding::Level::ok) << finding.about << ": " << finding.text;
    EXPECT_EQ(finding.remedy, "");
  }
}

TEST(ServerExam, WarnsOfAnImportModeThatWasLeftOn) {
  ServerExam exam = healthy();
  exam.settings["import-mode"] = "no";
  EXPECT_EQ(trouble(exam, "import_mode").text, "");
  exam.settings["import-mode"] = "yes";
  const Finding found = trouble(exam, "import_mode");
  EXPECT_EQ(found.level, Finding::Level::warn);
  EXPECT_TRUE(found.remedy.ends_with("CONFIG SET import-mode no"));
}

TEST(ServerExam, WarnsOfALimitThatDropsAReplicaEarly) {
  ServerExam exam = healthy();
  exam.settings["client-output-buffer-limit"] = "normal 0 0 0 replica 1048576 1048576 10";
  const Finding found = trouble(exam, "output_buffer");
  EXPECT_EQ(found.level, Finding::Level::warn);
  EXPECT_EQ(found.remedy,
            "CONFIG SET client-output-buffer-limit \"replica 268435456 67108864 60\"");
  exam.settings["client-output-buffer-limit"] = "normal 0 0 0 replica 0 0 0";
  EXPECT_EQ(trouble(exam, "output_buffer").about, "") << "no limit at all";
}

TEST(ServerExam, MeasuresThatLimitAgainstTheData) {
  ServerExam exam = healthy();
  exam.info = info_text(100 * gib, 100 * gib, 400 * gib);
  EXPECT_EQ(trouble(exam, "output_buffer").remedy,
            "CONFIG SET client-output-buffer-limit \"replica 5368709120 1342177280 60\"");
}

TEST(ServerExam, WarnsWhereAForkHasNoRoom) {
  ServerExam exam = healthy();
  exam.info = info_text(7 * gib, 7 * gib + gib / 2, 8 * gib);
  EXPECT_EQ(trouble(exam, "memory").level, Finding::Level::warn);
  exam.info = info_text(gib, gib, 8 * gib, "maxmemory:8589934592\r\n");
  EXPECT_EQ(trouble(exam, "memory").level, Finding::Level::warn);
}

TEST(ServerExam, WarnsOfSnapshotsByWayOfItsDisk) {
  ServerExam exam = healthy();
  exam.settings["repl-diskless-sync"] = "no";
  EXPECT_EQ(trouble(exam, "repl_diskless_sync").remedy, "CONFIG SET repl-diskless-sync yes");
}

TEST(ServerExam, FailsWhatCannotBeBackedUp) {
  ServerExam exam = healthy();
  exam.info = "redis_version:7.2.4\r\nrole:slave\r\nmaster_link_status:down\r\n";
  EXPECT_EQ(trouble(exam, "role").level, Finding::Level::fail);
  exam.info = "redis_version:7.2.4\r\nredis_mode:sentinel\r\n";
  EXPECT_EQ(trouble(exam, "role").level, Finding::Level::fail);
  exam.info = "redis_version:7.2.4\r\nloading:1\r\n";
  EXPECT_EQ(trouble(exam, "loading").level, Finding::Level::fail);
  exam = healthy();
  exam.denied = {"psync", "replconf"};
  EXPECT_EQ(trouble(exam, "user").remedy, "ACL SETUSER default +psync +replconf");
  exam = healthy();
  exam.missing = {"psync"};
  EXPECT_EQ(trouble(exam, "commands").level, Finding::Level::fail);
}

TEST(ServerExam, StandsWhateverIsRefused) {
  for (const Finding& finding : judged({})) {
    EXPECT_NE(finding.level, Finding::Level::fail) << finding.text;
  }
  ServerExam exam = healthy();
  exam.info = "used_memory:99999999999999999999\r\nused_memory";
  exam.settings["client-output-buffer-limit"] = "slave slave 1";
  EXPECT_FALSE(judged(exam).empty());
}

}  // namespace
}  // namespace sluice::engine
