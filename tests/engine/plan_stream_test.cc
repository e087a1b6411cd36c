#include "engine/plan_stream.h"

#include <gtest/gtest.h>

#include <set>

#include "rdb/parser.h"
#include "rdb_text.h"

namespace sluice::engine {
namespace {

std::string select(int db) { return "\xfe" + std::string(1, static_cast<char>(db)); }

/// A target that holds some keys, and has no database 9.
struct Planned {
  Planned(const std::string& body, OnConflict policy, std::set<std::string> held,
          bool keep_names = false, bool by_commands = false)
      : there(std::move(held)), ledger(policy, keep_names) {
    PlanStream stream({.is_empty = there.empty(),
                       .limits = {.bulk_bytes_max = 1000},
                       .by_commands = by_commands,
                       .model = MemoryModel()},
                      1'700'000'000'000, ledger,
                      {.send = [this](net::CommandBatch batch) { return answer(std::move(batch)); },
                       .settle = [] { return true; }});
    rdb::Parser parser(stream);
    EXPECT_TRUE(parser.feed(bytes(rdb_stream(body))).has_value());
    EXPECT_TRUE(stream.finish());
    ledger.report(result, plan);
    EXPECT_TRUE(result.total.balanced());
  }

  bool answer(net::CommandBatch batch) {
    const auto raw = batch.bytes();
    sent.append(reinterpret_cast<const char*>(raw.data()), raw.size());
    for (const auto& entry : batch.entries()) {
      net::Reply reply;
      const auto key = batch.key(entry);
      const std::string name(reinterpret_cast<const char*>(key.data()), key.size());
      if (entry.tag == PlanLedger::key_tag) {
        reply.type = net::Reply::Type::integer;
        reply.integer = there.contains(name) ? 1 : 0;
      } else if (sent.ends_with("$1\r\n9\r\n")) {
        reply.type = net::Reply::Type::error;
        reply.text = "ERR DB index is out of range";
      }
      ledger.on_reply(entry.tag, key, reply);
    }
    return true;
  }

  std::set<std::string> there;
  std::string sent;
  PlanLedger ledger;
  RestoreResult result;
  RestorePlan plan;
};

std::string three_keys() {
  return select(0) + rdb_record("a", "1") + rdb_record("b", "2") + rdb_expiry(1'600'000'000'000) +
         rdb_record("c", "3");
}

TEST(PlanStream, SaysWhatWouldBeAddedAndReplaced) {
  const Planned planned(three_keys(), OnConflict::replace, {"b", "x"});
  EXPECT_EQ(planned.result.total.written, 2u);
  EXPECT_EQ(planned.result.total.expired, 1u);
  EXPECT_EQ(planned.plan.total.added, 1u);
  EXPECT_EQ(planned.plan.total.replaced, 1u);
  EXPECT_GT(planned.plan.total.memory_bytes, 50u);
  EXPECT_EQ(planned.sent.find("RESTORE"), std::string::npos);
}

TEST(PlanStream, SaysWhatWouldBeSkipped) {
  const Planned planned(three_keys(), OnConflict::skip, {"b"});
  EXPECT_EQ(planned.result.total.skipped, 1u);
  EXPECT_EQ(planned.plan.total.added, 1u);
}

TEST(PlanStream, AsksAnEmptyTargetForNoKey) {
  const Planned planned(three_keys(), OnConflict::refuse, {});
  EXPECT_EQ(planned.plan.total.added, 2u);
  EXPECT_EQ(planned.sent.find("EXISTS"), std::string::npos);
}

TEST(PlanStream, NamesWhatCannotBeWritten) {
  const Planned planned(
      select(9) + rdb_record("a", "1") + select(1) + rdb_record("b", std::string(2000, 'v')),
      OnConflict::refuse, {});
  EXPECT_EQ(planned.result.total.failed, 2u);
  ASSERT_EQ(planned.result.failures.size(), 2u);
  EXPECT_NE(planned.result.failures[0].message.find("out of range"), std::string::npos);
  EXPECT_NE(planned.result.failures[1].message.find("accepts 1000"), std::string::npos);
}

TEST(PlanStream, ByCommandsOnlyAStringIsTooLarge) {
  std::string list = "\x01" + rdb_string("l") + "\x02";
  for (int i = 0; i < 2; ++i) list += rdb_string(std::string(900, 'x'));
  const std::string body = select(0) + list + rdb_record("s", std::string(1010, 'v'));
  EXPECT_EQ(Planned(body, OnConflict::refuse, {}).result.total.failed, 2u);
  const Planned planned(body, OnConflict::refuse, {}, false, true);
  EXPECT_EQ(planned.result.total.written, 1u);
  ASSERT_EQ(planned.result.failures.size(), 1u);
  EXPECT_EQ(planned.result.failures[0].key, "s");
}

TEST(PlanStream, SeesNamesThatComeTwice) {
  const std::string twice = select(0) + rdb_record("a", "1") + select(0) + rdb_record("a", "2");
  const Planned refusing(twice, OnConflict::refuse, {}, true);
  EXPECT_EQ(refusing.result.total.written, 1u);
  EXPECT_EQ(refusing.result.total.failed, 1u);
  EXPECT_EQ(Planned(twice, OnConflict::skip, {}, true).result.total.skipped, 1u);
}

}  // namespace
}  // namespace sluice::engine
