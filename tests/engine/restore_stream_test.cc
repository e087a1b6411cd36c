#include "engine/restore_stream.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <charconv>
#include <set>
#include <vector>

#include "engine/clock.h"
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

/// A target that answers +OK to everything, an error to SELECT of `missing_db`, and that has the
/// keys `there`.
struct FakeTarget {
  explicit FakeTarget(RestoreLedger& told) : ledger(told) {}

  CommandOutlet outlet() {
    return {.send =
                [this](net::CommandBatch batch, bool goes_on) {
                  largest_batch = std::max(largest_batch, batch.size_bytes());
                  const auto sent = batch.bytes();
                  received.append(reinterpret_cast<const char*>(sent.data()), sent.size());
                  for (const auto& entry : batch.entries()) answer(entry.tag, batch.key(entry));
                  EXPECT_FALSE(was_going_on && is_question(batch)) << "in the midst of a key";
                  was_going_on = goes_on;
                  return !broken;
                },
            .settle = [this] { return !broken; },
            .batch_bytes_max = [this] { return batch_bytes_max; }};
  }

  static bool is_question(const net::CommandBatch& batch) {
    return !batch.entries().empty() &&
           CommandTag::unpack(batch.entries().front().tag).kind == CommandTag::Kind::exists;
  }

  void answer(std::uint64_t tag, std::span<const std::byte> key) {
    const CommandTag about = CommandTag::unpack(tag);
    if (broken) return ledger.on_unanswered(tag, key);
    net::Reply reply;
    reply.type = net::Reply::Type::simple;
    if (about.kind == CommandTag::Kind::select &&
        received.ends_with(fmt::format("\r\n{}\r\n", missing_db))) {
      reply.type = net::Reply::Type::error;
      reply.text = "ERR DB index is out of range";
    }
    if (about.kind == CommandTag::Kind::exists) {
      const std::string name(reinterpret_cast<const char*>(key.data()), key.size());
      reply.type = net::Reply::Type::integer;
      reply.integer = there.contains(name) ? 1 : 0;
    }
    ledger.on_reply(tag, key, reply);
  }

  RestoreLedger& ledger;
  std::string received;
  std::size_t largest_batch = 0;
  std::size_t batch_bytes_max = RestoreStream::batch_bytes;
  std::uint64_t missing_db = ~std::uint64_t{0};
  std::set<std::string> there;
  bool was_going_on = false;
  bool broken = false;
};

RestoreStream::Options options(std::uint64_t bulk_bytes_max = 1 << 29) {
  RestoreStream::Options made;
  made.limits.bulk_bytes_max = bulk_bytes_max;
  made.mode = RestoreMode::restore;
  return made;
}

/// Everything around one stream that is restored.
struct Restored {
  explicit Restored(const std::string& rdb, RestoreStream::Options given = options(),
                    std::uint64_t missing_db = 99, std::set<std::string> there = {})
      : ledger(given.policy), fake(ledger) {
    fake.missing_db = missing_db;
    fake.there = std::move(there);
    RestoreStream stream(given, ledger, fake.outlet());
    rdb::Parser parser(stream);
    ok = parser.feed(bytes(rdb)).has_value() && parser.finish().has_value() && stream.finish();
    if (!ok) stream.abandon("ended early");
    error = stream.error();
    ledger.report(result);
    if (ok) commands = split_commands(fake.received);
  }

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
  auto given = options(100);
  given.policy = OnConflict::replace;
  const Restored restored(rdb, given);
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
  auto given = options(100);
  given.knows_absolute_ttl = false;
  const Restored restored(rdb, given);
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

TEST(RestoreStream, SendsAKeyWhoseTimeHasComeWhenAFollowedSourceDeletesIt) {
  auto given = options();
  given.sends_expired = true;
  const Restored restored(rdb_stream(rdb_expiry(1000) + rdb_record("k", "v")), given);
  EXPECT_EQ(restored.result.total.expired, 0u);
  EXPECT_EQ(restored.result.total.written, 1u);
  EXPECT_EQ(restored.commands.back().at(2), "1000");
}

TEST(RestoreStream, LetsAKeyStayUntilAFollowedSourceCanHaveSaidWhatBecameOfIt) {
  auto given = options();
  given.sends_expired = true;
  given.grace = std::chrono::minutes(1);
  const std::int64_t begun_ms = unix_now_ms();
  const Restored restored(
      rdb_stream(rdb_expiry(1000) + rdb_record("gone", "v") + rdb_expiry(begun_ms + 5) +
                 rdb_record("soon", "v") + rdb_expiry(begun_ms + 1'000'000'000) +
                 rdb_record("late", "v") + rdb_record("never", "v")),
      given);
  EXPECT_EQ(restored.result.total.written, 4u);
  const auto ttl_of = [&](std::size_t from_end) {
    return std::stoll(restored.commands.at(restored.commands.size() - from_end).at(2));
  };
  EXPECT_GE(ttl_of(4), begun_ms + 60'000);
  EXPECT_GE(ttl_of(3), begun_ms + 60'000);
  EXPECT_EQ(ttl_of(2), begun_ms + 1'000'000'000);
  EXPECT_EQ(ttl_of(1), 0);
}

TEST(RestoreStream, DoesNotSendKeysOfADatabaseTheTargetLacks) {
  const std::string rdb = rdb_stream(std::string("\xfe\x00", 2) + rdb_record("a", "1") +
                                     "\xfe\x05" + rdb_record("b", "2") + rdb_record("c", "3"));
  const Restored restored(rdb, options(100), 5);
  ASSERT_TRUE(restored.ok);
  EXPECT_EQ(restored.result.total.written, 1u);
  EXPECT_EQ(restored.result.total.failed, 2u);
  EXPECT_TRUE(restored.result.total.balanced());
  EXPECT_EQ(restored.result.failures.at(0).message, "SELECT 5: ERR DB index is out of range");
  EXPECT_EQ(restored.commands.back(), (Command{"SELECT", "5"}));
}

TEST(RestoreStream, DoesNotSendAValueTheTargetWouldHangUpOn) {
  const Restored restored(
      rdb_stream(rdb_record("big", std::string(200, 'x')) + rdb_record("small", "v")),
      options(100));
  ASSERT_TRUE(restored.ok);
  EXPECT_EQ(restored.result.total.failed, 1u);
  EXPECT_EQ(restored.result.total.written, 1u);
  EXPECT_NE(restored.result.failures.at(0).message.find("proto-max-bulk-len"), std::string::npos);
}

TEST(RestoreStream, AKeyWhoseSelectIsNeverAnsweredIsAccountedFor) {
  RestoreLedger ledger(OnConflict::refuse);
  FakeTarget fake(ledger);
  fake.broken = true;
  RestoreStream stream(options(), ledger, fake.outlet());
  rdb::Parser parser(stream);
  EXPECT_FALSE(parser.feed(bytes(rdb_stream(rdb_record("k", "v")))).has_value());
  stream.abandon("ended early");
  RestoreResult result;
  ledger.report(result);
  EXPECT_EQ(result.total.read, 1u);
  EXPECT_EQ(result.total.failed, 1u);
  EXPECT_TRUE(result.total.balanced());
}

/// A list of four elements of fifty bytes.
std::string rdb_list(std::string_view key) {
  std::string record = "\x01" + rdb_string(key) + "\x04";
  for (int i = 0; i < 4; ++i) record += rdb_string(std::string(50, 'x'));
  return record;
}

TEST(RestoreStream, InModeAutoAValueTheTargetWouldHangUpOnGoesByCommands) {
  auto given = options(100);
  given.mode = RestoreMode::automatic;
  const Restored restored(rdb_stream(rdb_list("big") + rdb_record("small", "v")), given);
  ASSERT_TRUE(restored.ok);
  EXPECT_EQ(restored.result.total.written, 2u);
  const std::string element(50, 'x');
  EXPECT_EQ(restored.commands.at(0).at(0), "SELECT");
  EXPECT_EQ(restored.commands.at(1), (Command{"EXISTS", "big"}));
  EXPECT_EQ(restored.commands.at(2), (Command{"RPUSH", "big", element, element, element, element}));
  EXPECT_EQ(restored.commands.at(3).at(0), "RESTORE");
}

TEST(RestoreStream, InModeAutoAStringIsNotSplit) {
  auto given = options(100);
  given.mode = RestoreMode::automatic;
  const Restored restored(rdb_stream(rdb_record("big", std::string(200, 'x'))), given);
  ASSERT_TRUE(restored.ok);
  EXPECT_EQ(restored.result.total.failed, 1u) << "no command makes a string that large either";
}

TEST(RestoreStream, InModeAutoAStringThatJustFitsGoesByCommands) {
  constexpr std::size_t limit = 20'000;
  auto given = options(limit);
  given.mode = RestoreMode::automatic;
  const std::string fits(limit, 'x');
  const Restored restored(
      rdb_stream(rdb_record("fits", fits) + rdb_record("big", std::string(limit + 1, 'x'))), given);
  ASSERT_TRUE(restored.ok);
  EXPECT_EQ(restored.result.total.written, 1u);
  EXPECT_EQ(restored.result.total.failed, 1u);
  EXPECT_EQ(restored.commands.back(), (Command{"SET", "fits", fits}));
}

TEST(RestoreStream, KnowsThatTheBufferOfAQueryIsLimitedToo) {
  auto given = options();
  given.limits.query_bytes_max = 1 << 20;
  const std::string rdb = rdb_stream(rdb_record("big", std::string(1 << 20, 'x')));
  const Restored refused(rdb, given);
  ASSERT_EQ(refused.result.failures.size(), 1u);
  const std::string& why = refused.result.failures[0].message;
  EXPECT_FALSE(why.contains("proto-max-bulk-len"));
  EXPECT_TRUE(why.contains("raise client-query-buffer-limit"));
  EXPECT_TRUE(why.contains("--mode auto"));
  given.mode = RestoreMode::automatic;
  EXPECT_EQ(Restored(rdb, given).result.total.written, 1u);
}

TEST(RestoreStream, AnElementThatTheTargetWouldHangUpOnIsNotSent) {
  auto given = options(40);
  given.policy = OnConflict::replace;
  for (const auto mode : {RestoreMode::automatic, RestoreMode::commands}) {
    given.mode = mode;
    const Restored restored(rdb_stream(rdb_list("big") + rdb_record("small", "v")), given);
    ASSERT_TRUE(restored.ok);
    EXPECT_EQ(restored.result.total.written, 1u);
    ASSERT_EQ(restored.result.failures.size(), 1u);
    EXPECT_NE(restored.result.failures[0].message.find("proto-max-bulk-len 50"), std::string::npos);
  }
}

RestoreStream::Options by_commands(OnConflict policy) {
  auto given = options();
  given.mode = RestoreMode::commands;
  given.policy = policy;
  return given;
}

TEST(RestoreStream, InModeCommandsReplacesByDeletingFirst) {
  const Restored restored(rdb_stream(rdb_record("k", "v")), by_commands(OnConflict::replace));
  ASSERT_EQ(restored.commands.size(), 3u);
  EXPECT_EQ(restored.commands[1], (Command{"DEL", "k"}));
  EXPECT_EQ(restored.commands[2], (Command{"SET", "k", "v"}));
  EXPECT_EQ(restored.result.total.written, 1u);
}

TEST(RestoreStream, InModeCommandsLeavesAloneWhatIsThere) {
  const std::string rdb =
      rdb_stream(rdb_record("a", "1") + rdb_record("b", "2") + rdb_record("c", "3"));
  for (const OnConflict policy : {OnConflict::skip, OnConflict::refuse}) {
    const Restored restored(rdb, by_commands(policy), 99, {"b"});
    ASSERT_TRUE(restored.ok);
    ASSERT_EQ(restored.commands.size(), 6u);
    EXPECT_EQ(restored.commands[4], (Command{"SET", "a", "1"}));
    EXPECT_EQ(restored.commands[5], (Command{"SET", "c", "3"}));
    EXPECT_EQ(restored.result.total.written, 2u);
    EXPECT_EQ(restored.result.total.skipped, policy == OnConflict::skip ? 1u : 0u);
    EXPECT_TRUE(restored.result.total.balanced());
  }
}

TEST(RestoreStream, InModeCommandsALongValueIsLeftAloneWhenItIsThere) {
  const std::string rdb = rdb_stream(
      rdb_record("a", "1") + rdb_record("long", std::string(5 << 20, 'v')) + rdb_record("z", "2"));
  const Restored restored(rdb, by_commands(OnConflict::skip), 99, {"long"});
  ASSERT_TRUE(restored.ok);
  EXPECT_EQ(restored.result.total.written, 2u);
  EXPECT_EQ(restored.result.total.skipped, 1u);
  EXPECT_LT(restored.fake.received.size(), std::size_t{1} << 10);

  const Restored whole(rdb, by_commands(OnConflict::skip));
  ASSERT_TRUE(whole.ok);
  EXPECT_EQ(whole.result.total.written, 3u);
  EXPECT_LT(whole.fake.largest_batch, std::size_t{2} << 20);
}

TEST(RestoreStream, MakesBatchesAsSmallAsItIsTold) {
  std::string records;
  for (int i = 0; i < 2000; ++i)
    records += rdb_record(fmt::format("k{}", i), std::string(100, 'v'));
  for (RestoreStream::Options given : {options(), by_commands(OnConflict::replace)}) {
    RestoreLedger ledger(given.policy);
    FakeTarget fake(ledger);
    fake.batch_bytes_max = 16 << 10;
    RestoreStream stream(given, ledger, fake.outlet());
    rdb::Parser parser(stream);
    ASSERT_TRUE(parser.feed(bytes(rdb_stream(records))).has_value());
    ASSERT_TRUE(stream.finish());
    RestoreResult result;
    ledger.report(result);
    EXPECT_EQ(result.total.written, 2000u);
    EXPECT_LT(fake.largest_batch, std::size_t{17} << 10);
  }
}

TEST(RestoreStream, InModeCommandsAValueThatCannotBeDecodedIsTakenAwayAgain) {
  const std::string broken = "\x10" + rdb_string("bad") + rdb_string("no listpack");
  const Restored restored(rdb_stream(rdb_record("a", "1") + broken + rdb_record("z", "2")),
                          by_commands(OnConflict::replace));
  ASSERT_TRUE(restored.ok);
  EXPECT_EQ(restored.result.total.written, 2u);
  EXPECT_EQ(restored.result.total.failed, 1u);
  EXPECT_EQ(restored.commands.at(restored.commands.size() - 3), (Command{"DEL", "bad"}));
}

TEST(RestoreStream, InModeCommandsEveryKeyIsAccountedForWhenTheWayBreaks) {
  for (const OnConflict policy : {OnConflict::skip, OnConflict::replace}) {
    RestoreLedger ledger(policy);
    FakeTarget fake(ledger);
    RestoreStream stream(by_commands(policy), ledger, fake.outlet());
    rdb::Parser parser(stream);
    const std::string rdb = rdb_stream(rdb_record("a", "1") + rdb_record("b", "2") +
                                       rdb_record("long", std::string(5 << 20, 'v')));
    ASSERT_TRUE(parser.feed(bytes(rdb.substr(0, 40))).has_value());
    fake.broken = true;
    EXPECT_FALSE(parser.feed(bytes(rdb.substr(40))).has_value());
    stream.abandon("ended early");
    RestoreResult result;
    ledger.report(result);
    EXPECT_EQ(result.total.read, 3u);
    EXPECT_TRUE(result.total.balanced());
    EXPECT_EQ(result.total.failed, 3u);
  }
}

class LongValues : public testing::Test {
 protected:
  static RestoreStream::Options listing(const std::vector<LongValue>& list) {
    auto given = options();
    given.long_values = &list;
    return given;
  }

  const std::string value_ = std::string(5 << 20, 'v');
  const std::uint64_t value_bytes_ = 5 + (5 << 20);  // with its length
  const std::string rdb_ =
      rdb_stream(rdb_record("first", "1") + rdb_record("long", value_) + rdb_record("last", "2"));
};

TEST_F(LongValues, PassThroughInPartsWithoutBeingHeld) {
  const std::vector<LongValue> list{{.record = 1, .value_bytes = value_bytes_}};
  const Restored restored(rdb_, listing(list));
  ASSERT_TRUE(restored.ok);
  EXPECT_EQ(restored.result.total.written, 3u);
  ASSERT_EQ(restored.commands.size(), 4u);
  const std::string& payload = restored.commands[2].at(3);
  EXPECT_EQ(payload.size(), 1 + value_bytes_ + 10);
  EXPECT_EQ(payload.substr(6, value_.size()), value_);
}

TEST_F(LongValues, WaitWhereTheirLengthIsNotKnown) {
  const Restored restored(rdb_);
  ASSERT_TRUE(restored.ok);
  EXPECT_EQ(restored.result.total.written, 3u);
  EXPECT_EQ(restored.commands.at(2).at(3).substr(6, value_.size()), value_);
}

TEST_F(LongValues, ThatDoNotFitTheirListAreFoundAndEndTheRestore) {
  using List = std::vector<LongValue>;
  for (const List& list : {List(), List{{.record = 0, .value_bytes = value_bytes_}},
                           List{{.record = 1, .value_bytes = value_bytes_ - 1}},
                           List{{.record = 1, .value_bytes = value_bytes_ + 1}}}) {
    const Restored restored(rdb_, listing(list));
    EXPECT_FALSE(restored.ok);
    ASSERT_TRUE(restored.error.has_value());
    EXPECT_EQ(restored.error->code, "corrupt");
    EXPECT_TRUE(restored.result.total.balanced());
  }
}

}  // namespace
}  // namespace sluice::engine
