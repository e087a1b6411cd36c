#include "engine/restore_ledger.h"

#include <gtest/gtest.h>

namespace sluice::engine {
namespace {

using Type = rdb::LogicalType;

std::span<const std::byte> bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

net::Reply ok() {
  return {.type = net::Reply::Type::simple, .text = "OK", .integer = 0, .elements = {}};
}
net::Reply error(std::string text) {
  return {.type = net::Reply::Type::error, .text = std::move(text), .integer = 0, .elements = {}};
}

std::uint64_t key_tag(Type type, std::uint64_t db) {
  return CommandTag{.kind = CommandTag::Kind::key, .type = type, .db = db}.pack();
}

TEST(RestoreLedger, PutsEveryKeySomewhere) {
  RestoreLedger ledger(OnConflict::skip);
  for (const Type type : {Type::hash, Type::hash, Type::hash, Type::list, Type::list, Type::zset}) {
    ledger.count_read(type);
  }
  ledger.on_reply(key_tag(Type::hash, 0), bytes("a"), ok());
  ledger.on_reply(key_tag(Type::hash, 3), bytes("b"), error("BUSYKEY Target key name exists"));
  ledger.on_reply(key_tag(Type::hash, 3), bytes("c\n"), error("ERR Bad data format"));
  ledger.count_expired(Type::list);
  ledger.count_failed(Type::list, 9, bytes("d"), "too long");
  ledger.on_unanswered(key_tag(Type::zset, 0), bytes("e"));

  RestoreResult result;
  ledger.report(result);
  const Ledger total{
      .read = 6, .written = 1, .filtered = 0, .skipped = 1, .expired = 1, .failed = 3};
  EXPECT_EQ(result.total, total);
  EXPECT_TRUE(result.total.balanced());
  EXPECT_EQ(result.by_type.size(), 3u);
  EXPECT_EQ(result.by_type.at("hash").written, 1u);
  for (const auto& [type, of_type] : result.by_type) EXPECT_TRUE(of_type.balanced()) << type;
  ASSERT_EQ(result.failures.size(), 3u);
  EXPECT_EQ(result.failures[0].key, "c\\x0a");
  EXPECT_EQ(result.failures[0].db, 3u);
  EXPECT_EQ(result.failures[0].message, "ERR Bad data format");
}

TEST(RestoreLedger, AConflictIsAFailureUnlessThePolicyIsSkip) {
  RestoreLedger ledger(OnConflict::refuse);
  ledger.count_read(Type::string);
  ledger.on_reply(key_tag(Type::string, 0), bytes("a"), error("BUSYKEY Target key name exists"));
  RestoreResult result;
  ledger.report(result);
  EXPECT_EQ(result.total.failed, 1u);
}

TEST(RestoreLedger, CountsFunctionsApartFromKeys) {
  RestoreLedger ledger(OnConflict::refuse);
  const auto tag =
      CommandTag{.kind = CommandTag::Kind::function, .type = Type::string, .db = 0}.pack();
  ledger.on_reply(tag, bytes("lib"), ok());
  ledger.on_reply(tag, bytes("other"), error("ERR Library 'other' already exists"));
  RestoreResult result;
  ledger.report(result);
  EXPECT_EQ(result.functions, 1u);
  EXPECT_EQ(result.functions_failed, 1u);
  EXPECT_EQ(result.failures.at(0).key, "function library other");
  EXPECT_EQ(result.total, Ledger{});
}

TEST(RestoreLedger, ListsAThousandFailuresAndCountsThemAll) {
  RestoreLedger ledger(OnConflict::refuse);
  for (int i = 0; i < 1500; ++i) {
    ledger.count_read(Type::string);
    ledger.count_failed(Type::string, 0, bytes("k"), "why");
  }
  RestoreResult result;
  ledger.report(result);
  EXPECT_EQ(result.failures.size(), 1000u);
  EXPECT_EQ(result.failure_count, 1500u);
}

TEST(RestoreLedger, ATagKeepsWhatItWasGiven) {
  const CommandTag tag{.kind = CommandTag::Kind::select, .type = Type::array, .db = 123'456};
  const CommandTag back = CommandTag::unpack(tag.pack());
  EXPECT_EQ(back.kind, tag.kind);
  EXPECT_EQ(back.type, tag.type);
  EXPECT_EQ(back.db, tag.db);
}

}  // namespace
}  // namespace sluice::engine
