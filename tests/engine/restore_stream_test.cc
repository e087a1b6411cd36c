#include "engine/restore_stream.h"

#include <gtest/gtest.h>

#include <charconv>
#include <vector>

#include "rdb/parser.h"
#include "rdb_text.h"

namespace sluice::engine {
namespace {

using Command = std::vector<std::string>;

/// Splits what a client sends: arrays of bulk strings.
std::vector<Command> split_commands(std::string_view text) {
  const auto take_number = [&text](char kind) {
    EXPECT_EQ(text[0], kind);
    const std::size_t end = text.find("\r\n");
    std::size_t value = 0;
    std::from_chars(text.data() + 1, text.data() + end, value);
    text.remove_prefix(end + 2);
    return value;
  };
  std::vector<Command> commands;
  while (!text.empty()) {
    Command& command = commands.emplace_back(take_number('*'));
    for (std::string& arg : command) {
      const std::size_t size = take_number('$');
      arg = text.substr(0, size);
      text.remove_prefix(size + 2);
    }
  }
  return commands;
}

/// A target that answers +OK to everything, and an error to SELECT of `missing_db`.
struct FakeTarget {
  explicit FakeTarget(RestoreLedger& told) : ledger(told) {}

  CommandOutlet outlet() {
    return {.send =
                [this](net::CommandBatch batch) {
                  largest_batch = std::max(largest_batch, batch.size_bytes());
                  const auto sent = batch.bytes();
                  received.append(reinterpret_cast<const char*>(sent.data()), sent.size());
                  for (const auto& entry : batch.entries()) answer(entry.tag, batch.key(entry));
                  return !broken;
                },
            .settle = [this] { return !broken; }};
  }

  void answer(std::uint64_t tag, std::span<const std::byte> key) {
    net::Reply reply;
    reply.type = net::Reply::Type::simple;
    const CommandTag about = CommandTag::unpack(tag);
    if (about.kind == CommandTag::Kind::select && about.db == missing_db) {
      reply.type = net::Reply::Type::error;
      reply.text = "ERR DB index is out of range";
    }
    ledger.on_reply(tag, key, reply);
  }

  RestoreLedger& ledger;
  std::string received;
  std::size_t largest_batch = 0;
  std::uint64_t missing_db = ~std::uint64_t{0};
  bool broken = false;
};

/// Everything around one stream that is restored.
struct Restored {
  Restored(const std::string& rdb, Manifest given = {},
           RestoreStream::Target target = {.knows_absolute_ttl = true, .bulk_bytes_max = 1 << 29},
           OnConflict policy = OnConflict::refuse, std::uint64_t missing_db = 99)
      : manifest(std::move(given)), ledger(policy), fake(ledger) {
    fake.missing_db = missing_db;
    RestoreStream stream(manifest, policy, target, ledger, fake.outlet());
    rdb::Parser parser(stream);
    ok = parser.feed(bytes(rdb)).has_value() && parser.finish().has_value() && stream.finish();
    if (!ok) stream.abandon("ended early");
    error = stream.error();
    ledger.report(result);
    if (ok) commands = split_commands(fake.received);
  }

  Manifest manifest;
  RestoreLedger ledger;
  FakeTarget fake;
  bool ok = false;
  std::optional<Error> error;
  RestoreResult result;
  std::vector<Command> commands;
};

TEST(RestoreStream, SendsOneRestoreForEachKeyOfARealDump) {
  const Restored restored(read_corpus("servers/redis70-default.rdb"));
  ASSERT_TRUE(restored.ok);
  EXPECT_EQ(restored.result.total.read, 949u);
  EXPECT_EQ(restored.result.total.written, 949u);
  std::size_t restores = 0;
  std::size_t selects = 0;
  for (const Command& command : restored.commands) {
    if (command[0] == "SELECT") ++selects;
    if (command[0] != "RESTORE") continue;
    ++restores;
    const std::string& payload = command.at(3);
    const std::string_view covered = std::string_view(payload).substr(0, payload.size() - 8);
    EXPECT_EQ(little_endian(rdb::crc64(0, bytes(covered)), 8), payload.substr(covered.size()));
  }
  EXPECT_EQ(restores, 949u);
  EXPECT_EQ(selects, 4u);
}

TEST(RestoreStream, CarriesExpiryAccessAndPolicy) {
  const std::string rdb = rdb_stream(std::string("\xfe\x03", 2) + rdb_expiry(4'000'000'000'000) +
                                     "\xf9\x07" + rdb_record("k", "v"));
  const Restored restored(rdb, {}, {.knows_absolute_ttl = true, .bulk_bytes_max = 100},
                          OnConflict::replace);
  ASSERT_EQ(restored.commands.size(), 2u);
  EXPECT_EQ(restored.commands[0], (Command{"SELECT", "3"}));
  Command expected = restored.commands[1];
  EXPECT_EQ(expected.at(3).substr(0, 2), std::string("\0\x80", 2));
  expected.at(3) = "payload";
  EXPECT_EQ(expected, (Command{"RESTORE", "k", "4000000000000", "payload", "REPLACE", "ABSTTL",
                               "FREQ", "7"}));
}

TEST(RestoreStream, GivesAnOldTargetARelativeTtlAndNoOptionsItLacks) {
  const std::string rdb =
      rdb_stream(rdb_expiry(4'000'000'000'000) + "\xf9\x07" + rdb_record("k", "v"));
  const Restored restored(rdb, {}, {.knows_absolute_ttl = false, .bulk_bytes_max = 100});
  ASSERT_EQ(restored.commands.size(), 2u);
  ASSERT_EQ(restored.commands[1].size(), 4u);
  EXPECT_LT(std::stoll(restored.commands[1][2]), 4'000'000'000'000);
  EXPECT_GT(std::stoll(restored.commands[1][2]), 0);
}

TEST(RestoreStream, CountsAKeyWhoseTimeHasComeAndDoesNotSendIt) {
  const Restored restored(
      rdb_stream(rdb_expiry(1000) + rdb_record("gone", "v") + rdb_record("here", "v")));
  ASSERT_TRUE(restored.ok);
  EXPECT_EQ(restored.result.total.expired, 1u);
  EXPECT_EQ(restored.result.total.written, 1u);
  EXPECT_EQ(restored.commands.back().at(1), "here");
  EXPECT_EQ(restored.commands.back().at(2), "0") << "the expiry was the other key's";
}

TEST(RestoreStream, DoesNotSendKeysOfADatabaseTheTargetLacks) {
  const std::string rdb = rdb_stream(std::string("\xfe\x00", 2) + rdb_record("a", "1") +
                                     "\xfe\x05" + rdb_record("b", "2") + rdb_record("c", "3"));
  const Restored restored(rdb, {}, {.knows_absolute_ttl = true, .bulk_bytes_max = 100},
                          OnConflict::refuse, 5);
  ASSERT_TRUE(restored.ok);
  EXPECT_EQ(restored.result.total.written, 1u);
  EXPECT_EQ(restored.result.total.failed, 2u);
  EXPECT_TRUE(restored.result.total.balanced());
  EXPECT_EQ(restored.result.failures.at(0).message, "SELECT 5: ERR DB index is out of range");
  EXPECT_EQ(restored.commands.back(), (Command{"SELECT", "5"}));
}

TEST(RestoreStream, DoesNotSendAValueTheTargetWouldHangUpOn) {
  const Restored restored(
      rdb_stream(rdb_record("big", std::string(200, 'x')) + rdb_record("small", "v")), {},
      {.knows_absolute_ttl = true, .bulk_bytes_max = 100});
  ASSERT_TRUE(restored.ok);
  EXPECT_EQ(restored.result.total.failed, 1u);
  EXPECT_EQ(restored.result.total.written, 1u);
  EXPECT_NE(restored.result.failures.at(0).message.find("proto-max-bulk-len"), std::string::npos);
}

TEST(RestoreStream, AKeyWhoseSelectIsNeverAnsweredIsAccountedFor) {
  RestoreLedger ledger(OnConflict::refuse);
  FakeTarget fake(ledger);
  fake.broken = true;
  const Manifest manifest;
  RestoreStream stream(manifest, OnConflict::refuse,
                       {.knows_absolute_ttl = true, .bulk_bytes_max = 100}, ledger, fake.outlet());
  rdb::Parser parser(stream);
  EXPECT_FALSE(parser.feed(bytes(rdb_stream(rdb_record("k", "v")))).has_value());
  stream.abandon("ended early");
  RestoreResult result;
  ledger.report(result);
  EXPECT_EQ(result.total.read, 1u);
  EXPECT_EQ(result.total.failed, 1u);
  EXPECT_TRUE(result.total.balanced());
}

class LongValue : public testing::Test {
 protected:
  static Manifest listing(std::uint64_t record, std::uint64_t value_bytes) {
    Manifest manifest;
    manifest.long_values = {{.record = record, .value_bytes = value_bytes}};
    return manifest;
  }

  const std::string value_ = std::string(5 << 20, 'v');
  const std::uint64_t value_bytes_ = 5 + (5 << 20);  // with its length
  const std::string rdb_ =
      rdb_stream(rdb_record("first", "1") + rdb_record("long", value_) + rdb_record("last", "2"));
};

TEST_F(LongValue, PassesThroughInPartsWithoutBeingHeld) {
  const Restored restored(rdb_, listing(1, value_bytes_));
  ASSERT_TRUE(restored.ok);
  EXPECT_EQ(restored.result.total.written, 3u);
  ASSERT_EQ(restored.commands.size(), 4u);
  const std::string& payload = restored.commands[2].at(3);
  EXPECT_EQ(payload.size(), 1 + value_bytes_ + 10);
  EXPECT_EQ(payload.substr(6, value_.size()), value_);
}

TEST_F(LongValue, AManifestThatDoesNotFitIsFoundAndEndsTheRestore) {
  for (const auto& manifest : {Manifest(), listing(0, value_bytes_), listing(1, value_bytes_ - 1),
                               listing(1, value_bytes_ + 1)}) {
    const Restored restored(rdb_, manifest);
    EXPECT_FALSE(restored.ok);
    ASSERT_TRUE(restored.error.has_value());
    EXPECT_EQ(restored.error->code, "corrupt");
    EXPECT_TRUE(restored.result.total.balanced());
  }
}

}  // namespace
}  // namespace sluice::engine
