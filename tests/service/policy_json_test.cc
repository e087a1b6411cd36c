#include <gtest/gtest.h>

#include <string>

#include "service/config.h"

namespace sluice::service {
namespace {

TEST(PolicyJson, IsAsTheApiHasIt) {
  Policy policy;
  policy.name = "nightly";
  policy.verify = Schedule{.days = {false, false, false, false, false, true, false}};
  EXPECT_EQ(
      to_json(policy),
      R"({"name":"nightly","enabled":true,"schedule":{"days":["mon","tue","wed","thu","fri","sat","sun"],"start":"02:00","window_minutes":60,"every_hours":0,"time_zone":"UTC","text":"every day from 02:00 to 03:00 UTC"},"retention":{"within_days":7,"last":0,"hourly":0,"daily":0,"weekly":0,"monthly":0,"yearly":0,"minimum":1},"from":"prefer_replica","layout":"canonical","compression":"lz4","retries":3,"retry_delay_s":60,"verify":{"days":["sat"],"start":"02:00","window_minutes":60,"every_hours":0,"time_zone":"UTC","text":"Sat from 02:00 to 03:00 UTC"},"drill":null})");
}

TEST(PolicyJson, ReadsWhatItWrites) {
  Policy policy;
  policy.name = "console";
  policy.enabled = false;
  policy.schedule = {.days = {true, false, true, false, false, false, false},
                     .start_minute = 23 * 60 + 59,
                     .window_minutes = 0,
                     .every_hours = 0,
                     .time_zone = "Europe/Berlin"};
  policy.retention = {.last = 1,
                      .within_ms = 12LL * 3600 * 1000,
                      .hourly = 2,
                      .daily = 3,
                      .weekly = 4,
                      .monthly = 5,
                      .yearly = 6,
                      .minimum = 7};
  policy.from = ReadFrom::replica;
  policy.layout = BackupLayout::stream;
  policy.compression = "zstd:19";
  policy.retries = 0;
  policy.retry_delay_ms = 5000;
  policy.verify = Schedule{.every_hours = 168};
  policy.drill = Schedule{.days = {true, false, false, false, false, false, false}};
  const auto read = policy_from_json(to_json(policy), "UTC");
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(to_json(*read), to_json(policy));
  EXPECT_EQ(read->retention.within_ms, policy.retention.within_ms);
  EXPECT_EQ(read->schedule, policy.schedule);
  EXPECT_EQ(read->drill, policy.drill);
}

TEST(PolicyJson, WhatIsLeftOutIsTheDefault) {
  const auto read =
      policy_from_json(R"({"name":"anything","schedule":{"start":"03:00"}})", "Asia/Tokyo");
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->name, "console");
  EXPECT_EQ(describe(read->schedule), "every day from 03:00 to 04:00 Asia/Tokyo");
  EXPECT_EQ(read->retention.within_ms, Policy().retention.within_ms);
  EXPECT_FALSE(read->verify || read->drill);
}

TEST(PolicyJson, RetentionIsWhatIsWritten) {
  const auto read = policy_from_json(R"({"retention":{"daily":3}})", "UTC");
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->retention.within_ms, 0);
  EXPECT_EQ(read->retention.daily, 3U);
  EXPECT_EQ(read->retention.minimum, 1U);
}

struct Case {
  std::string json;
  std::string message;
};

TEST(PolicyJson, RefusesWhatIsNone) {
  const std::string days = "a list of mon, tue, wed, thu, fri, sat, sun";
  for (const auto& [text, message] : std::vector<Case>{
           {"", "the policy has to be a JSON object"},
           {"[]", "the policy has to be a JSON object"},
           {"{\"enabled\":1}", "enabled has to be true or false"},
           {R"({"schedule":[]})", "schedule has to be an object"},
           {R"({"schedule":{"days":["mon","Tue"]}})", "schedule.days has to be " + days},
           {R"({"schedule":{"days":"mon"}})", "schedule.days has to be " + days},
           {R"({"schedule":{"days":[]}})",
            "schedule.days has to be one day at least, or every_hours more than 0"},
           {R"({"schedule":{"start":"2:0"}})",
            "schedule.start has to be a time of the day as \"02:00\""},
           {R"({"schedule":{"start":120}})",
            "schedule.start has to be a time of the day as \"02:00\""},
           {R"({"schedule":{"window_minutes":1441}})",
            "schedule.window_minutes has to be a whole number from 0 to 1440"},
           {R"({"schedule":{"window_minutes":1.5}})",
            "schedule.window_minutes has to be a whole number from 0 to 1440"},
           {R"({"schedule":{"every_hours":169}})",
            "schedule.every_hours has to be a whole number from 0 to 168"},
           {R"({"schedule":{"every_hours":-1}})",
            "schedule.every_hours has to be a whole number from 0 to 168"},
           {R"({"schedule":{"time_zone":"Mars"}})",
            "schedule.time_zone has to be an IANA name, as \"Europe/Berlin\""},
           {R"({"schedule":{"begin":"02:00"}})", "schedule.begin is no setting: leave it out"},
           {R"({"retention":{}})",
            "retention.within_days has to be more than 0, or another rule that keeps something"},
           {R"({"retention":{"within_days":-1}})",
            "retention.within_days has to be a number from 0 to 36500"},
           {R"({"retention":{"within_days":1e300}})",
            "retention.within_days has to be a number from 0 to 36500"},
           {R"({"from":"prefer-replica"})", "from has to be prefer_replica, replica or primary"},
           {R"({"layout":null})", "layout has to be canonical or stream"},
           {R"({"compression":"zstd:0"})",
            "compression has to be lz4, zstd, zstd:1 to zstd:19 or none"},
           {R"({"retries":21})", "retries has to be a whole number from 0 to 20"},
           {R"({"retry_delay_s":0})", "retry_delay_s has to be a whole number from 1 to 86400"},
           {R"({"verify":{"days":[]}})",
            "verify.days has to be one day at least, or every_hours more than 0"},
           {R"({"retries":-1,"x":2})",
            "retries has to be a whole number from 0 to 20; x is no setting: leave it out"},
       }) {
    const auto read = policy_from_json(text, "UTC");
    ASSERT_FALSE(read) << text;
    EXPECT_EQ(read.error().code, "bad_policy");
    EXPECT_EQ(read.error().message, message) << text;
  }
}

TEST(PolicyJson, EveryHoursNeedNoDays) {
  const auto read = policy_from_json(R"({"schedule":{"days":[],"every_hours":6}})", "UTC");
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->schedule.every_hours, 6U);
}

}  // namespace
}  // namespace sluice::service
