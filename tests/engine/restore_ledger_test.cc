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

/// A key that goes out by one command.
std::uint64_t send(RestoreLedger& ledger, Type type, std::uint64_t db, std::string_view key) {
  ledger.count_read(type);
  const std::uint64_t tag = ledger.begin_key(type, db);
  ledger.end_key(tag, 1, bytes(key));
  return tag;
}

RestoreResult report(const RestoreLedger& ledger) {
  RestoreResult result;
  ledger.report(result);
  return result;
}

TEST(RestoreLedger, PutsEveryKeySomewhere) {
  RestoreLedger ledger(OnConflict::skip);
  const auto a = send(ledger, Type::hash, 0, "a");
  const auto b = send(ledger, Type::hash, 3, "b");
  const auto c = send(ledger, Type::hash, 3, "c\n");
  ledger.on_reply(c, bytes("c\n"), error("ERR Bad data format"));
  ledger.on_reply(a, bytes("a"), ok());
  ledger.on_reply(b, bytes("b"), error("BUSYKEY Target key name exists"));
  for (const Type type : {Type::list, Type::list, Type::set}) ledger.count_read(type);
  ledger.count_expired(Type::list);
  ledger.count_failed(Type::list, 9, bytes("d"), "too long");
  ledger.count_filtered(Type::set);
  ledger.on_unanswered(send(ledger, Type::zset, 0, "e"), bytes("e"));

  const RestoreResult result = report(ledger);
  const Ledger total{
      .read = 7, .written = 1, .filtered = 1, .skipped = 1, .expired = 1, .failed = 3};
  EXPECT_EQ(result.total, total);
  EXPECT_TRUE(result.total.balanced());
  EXPECT_EQ(result.by_type.size(), 4u);
  EXPECT_EQ(result.by_type.at("hash").written, 1u);
  for (const auto& [type, of_type] : result.by_type) EXPECT_TRUE(of_type.balanced()) << type;
  ASSERT_EQ(result.failures.size(), 3u);
  EXPECT_EQ(result.failures[0].key, "c\\x0a");
  EXPECT_EQ(result.failures[0].db, 3u);
  EXPECT_EQ(result.failures[0].message, "ERR Bad data format");
}

TEST(RestoreLedger, AKeyOfSeveralCommandsIsWrittenWhenAllWereTaken) {
  RestoreLedger ledger(OnConflict::refuse);
  ledger.count_read(Type::list);
  const auto tag = ledger.begin_key(Type::list, 0);
  ledger.on_reply(tag, bytes("k"), ok());
  ledger.on_reply(tag, bytes("k"), ok());
  EXPECT_EQ(ledger.written(), 0u) << "there may be more of them";
  ledger.end_key(tag, 3, bytes("k"));
  EXPECT_EQ(ledger.written(), 0u);
  ledger.on_reply(tag, bytes("k"), ok());
  EXPECT_EQ(ledger.written(), 1u);
  EXPECT_TRUE(ledger.is_over(tag));
}

TEST(RestoreLedger, OneRefusedCommandOfSeveralMakesAFailureOfTheKey) {
  RestoreLedger ledger(OnConflict::refuse);
  ledger.count_read(Type::list);
  const auto tag = ledger.begin_key(Type::list, 0);
  ledger.end_key(tag, 3, bytes("k"));
  ledger.on_reply(tag, bytes("k"), ok());
  ledger.on_reply(tag, bytes("k"), error("OOM command not allowed"));
  ledger.on_reply(tag, bytes("k"), error("WRONGTYPE"));
  const RestoreResult result = report(ledger);
  EXPECT_EQ(result.total.failed, 1u);
  EXPECT_TRUE(result.total.balanced());
  EXPECT_EQ(result.failures.at(0).message, "OOM command not allowed");
}

TEST(RestoreLedger, AKeyThatBrokeOffIsAFailureOnceItsCommandsAreAnswered) {
  RestoreLedger ledger(OnConflict::refuse);
  ledger.count_read(Type::list);
  const auto tag = ledger.begin_key(Type::list, 0);
  ledger.break_key(tag, 1, bytes("k"), "cannot be decoded");
  EXPECT_FALSE(ledger.is_over(tag));
  ledger.on_reply(tag, bytes("k"), ok());
  EXPECT_EQ(report(ledger).failures.at(0).message, "cannot be decoded");
}

TEST(RestoreLedger, AConflictIsAFailureUnlessThePolicyIsSkip) {
  for (const OnConflict policy : {OnConflict::refuse, OnConflict::skip}) {
    RestoreLedger ledger(policy);
    const auto answered = send(ledger, Type::string, 0, "a");
    ledger.on_reply(answered, bytes("a"), error("BUSYKEY Target key name exists"));
    ledger.count_read(Type::string);
    ledger.withdraw_key(ledger.begin_key(Type::string, 0), bytes("b"), "BUSYKEY it is there");
    const RestoreResult result = report(ledger);
    EXPECT_EQ(result.total.failed, policy == OnConflict::skip ? 0u : 2u);
    EXPECT_EQ(result.total.skipped, policy == OnConflict::skip ? 2u : 0u);
  }
}

TEST(RestoreLedger, WhatExistsIsWhatIsNotDenied) {
  RestoreLedger ledger(OnConflict::skip);
  ledger.ask_exists(4);
  const auto tag = [](std::uint64_t number) {
    return CommandTag{.kind = CommandTag::Kind::exists, .number = number}.pack();
  };
  net::Reply count{.type = net::Reply::Type::integer, .text = {}, .integer = 1, .elements = {}};
  ledger.on_reply(tag(0), {}, count);
  count.integer = 0;
  ledger.on_reply(tag(1), {}, count);
  ledger.on_reply(tag(2), {}, error("NOPERM"));
  EXPECT_TRUE(ledger.exists(0));
  EXPECT_FALSE(ledger.exists(1));
  EXPECT_TRUE(ledger.exists(2));
  EXPECT_TRUE(ledger.exists(3));
}

TEST(RestoreLedger, CountsFunctionsApartFromKeys) {
  RestoreLedger ledger(OnConflict::refuse);
  const auto tag = CommandTag{.kind = CommandTag::Kind::function}.pack();
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
  const CommandTag tag{.kind = CommandTag::Kind::select, .number = 123'456'789'012};
  const CommandTag back = CommandTag::unpack(tag.pack());
  EXPECT_EQ(back.kind, tag.kind);
  EXPECT_EQ(back.number, tag.number);
}

}  // namespace
}  // namespace sluice::engine
