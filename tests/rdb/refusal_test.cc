#include "rdb/refusal.h"

#include <gtest/gtest.h>

#include <iomanip>
#include <sstream>

#include "recorder.h"

namespace sluice::rdb::testing {
namespace {

constexpr std::string_view written_by_dragonfly = "FA 06 'df-ver' 07 'v1.30.0'";
constexpr std::string_view written_by_keydb = "FA 0B 'mvcc-tstamp' C0 01";
constexpr std::string_view active_keydb = "FA 0C 'repl-masters' 00";
constexpr std::string_view written_by_valkey = "FA 0A 'valkey-ver' 05 '8.1.0'";
constexpr std::string_view advice_file =
    "SAVE RDB there, or --df_snapshot_format=false, writes a file without it";
constexpr std::string_view advice_replication =
    "it belongs to Dragonfly's own replication; read a file that SAVE RDB there writes";

std::string hex_of(unsigned number) {
  std::ostringstream text;
  text << std::hex << std::setw(2) << std::setfill('0') << number;
  return text.str();
}

/// The error that header and `hex` give however they are cut.
Error refusal(unsigned version, std::string_view hex) {
  const Outcome outcome = parse_at_every_split(redis_stream(version, from_hex(hex)));
  EXPECT_TRUE(outcome.error.has_value()) << hex;
  return outcome.error.value_or(Error{});
}

/// The same of `number` and a key "k" after it, in a stream that says what `before` says.
Error refusal_of(unsigned version, std::string_view before, unsigned number) {
  const std::string hex = std::string(before) + " " + hex_of(number) + " 01 'k' 00";
  const Error error = refusal(version, hex);
  EXPECT_EQ(error.offset, 9 + from_hex(before).size()) << hex;
  return error;
}

struct Row {
  unsigned number;
  std::string_view what;
  std::string_view advice;
};

TEST(Refusal, OpcodesOfDragonfly) {
  for (const auto& [number, what, advice] :
       std::initializer_list<Row>{{200, "the end of a full sync", advice_replication},
                                  {201, "a block compressed by zstd", advice_file},
                                  {202, "a block compressed by lz4", advice_file},
                                  {203, "the end of a compressed block", advice_file},
                                  {210, "a block of the journal", advice_replication},
                                  {211, "an offset in the journal", advice_replication},
                                  {222, "a vector index", advice_file},
                                  {223, "an index of documents", advice_file},
                                  {224, "a chunk of a value", advice_file}}) {
    const Error error = refusal_of(9, written_by_dragonfly, number);
    EXPECT_EQ(error.code, Errc::unsupported_dialect) << number;
    EXPECT_EQ(error.key, "") << number;
    EXPECT_EQ(error.detail, "opcode " + std::to_string(number) + " is " + std::string(what) +
                                " of Dragonfly; " + std::string(advice) +
                                "; the stream is RDB version 9 written by Dragonfly");
  }
}

TEST(Refusal, TypesOfDragonfly) {
  constexpr std::string_view json =
      "SAVE RDB writes it too; carry such keys over by JSON.GET and JSON.SET";
  constexpr std::string_view module =
      "SAVE RDB writes it too; carry such keys over by commands, or save without them";
  for (const auto& [number, what, advice] : std::initializer_list<Row>{
           {20, "a JSON document", json},
           {30, "a JSON document", json},
           {31, "a hash whose fields expire",
            "SAVE RDB writes it too; carry such keys over by HSET and HPEXPIREAT"},
           {32, "a set whose members expire",
            "SAVE RDB writes it too; carry such keys over by SADD, without the expiries, which no "
            "other server has"},
           {33, "a Bloom filter", module},
           {34, "a Bloom filter in chunks", module},
           {35, "a count-min sketch", module},
           {36, "a top-k list", module},
           {37, "a cuckoo filter", module}}) {
    const Error error = refusal_of(9, written_by_dragonfly, number);
    EXPECT_EQ(error.code, Errc::unsupported_dialect) << number;
    EXPECT_EQ(error.key, "k") << number;
    EXPECT_EQ(error.detail, "type " + std::to_string(number) + " is " + std::string(what) +
                                " of Dragonfly; " + std::string(advice) +
                                "; the stream is RDB version 9 written by Dragonfly");
  }
}

TEST(Refusal, AKeyMaskOfDragonflyNamesItsKey) {
  const std::string sticky = std::string(written_by_dragonfly) + " DC 01000000 00 01 'k' 01 'v'";
  const Error error = refusal(9, sticky);
  EXPECT_EQ(error.code, Errc::unsupported_dialect);
  EXPECT_EQ(error.offset, 9u + 16);
  EXPECT_EQ(error.key, "k");
  EXPECT_EQ(error.detail,
            "opcode 220 is a key mask of Dragonfly; SAVE RDB writes it too, before keys that STICK "
            "marked or that have memcached flags; save without such keys; the stream is RDB "
            "version 9 written by Dragonfly");
  const std::string flags = std::string(written_by_dragonfly) + " DC 03000000 01000000 00 01 'f'";
  EXPECT_EQ(refusal(9, flags).key, "f");
  const std::string cut = std::string(written_by_dragonfly) + " DC 0300";
  EXPECT_EQ(refusal(9, cut).code, Errc::unsupported_dialect);
}

// Type 20 is JSON to Dragonfly below version 10 only, and to no other server.
TEST(Refusal, Type20IsASetWhereItIsNotDragonflysJson) {
  const std::string set = " 14 01 'k' 0A 0A0000000100816102FF";
  const std::string dragonfly = std::string(written_by_dragonfly) + set;
  EXPECT_FALSE(parse_at_every_split(redis_stream(10, from_hex(dragonfly))).error.has_value());
  EXPECT_FALSE(parse_at_every_split(redis_stream(9, from_hex(set))).error.has_value());
}

TEST(Refusal, NumbersOfDragonflyThatAreNewerThanThisProgram) {
  const Error opcode = refusal_of(9, written_by_dragonfly, 225);
  EXPECT_EQ(opcode.code, Errc::unknown_opcode);
  EXPECT_EQ(opcode.key, "");
  EXPECT_EQ(opcode.detail,
            "opcode 225 in RDB version 9 written by Dragonfly; it is newer than this program, of "
            "an unknown fork, or damaged");
  const Error type = refusal_of(9, written_by_dragonfly, 38);
  EXPECT_EQ(type.code, Errc::unknown_type);
  EXPECT_EQ(type.key, "k");
}

TEST(Refusal, KeyDb) {
  for (const std::string_view before : {written_by_keydb, active_keydb}) {
    const Error cron = refusal_of(9, before, 64);
    EXPECT_EQ(cron.code, Errc::unsupported_dialect);
    EXPECT_EQ(cron.key, "k");
    EXPECT_EQ(cron.detail,
              "type 64 is a CRON object of KeyDB; no other server has them; save without such "
              "keys; the stream is RDB version 9 written by KeyDB");
  }
}

// They stand after the key, as aux fields, which are skipped otherwise.
TEST(Refusal, ExpiriesOfMembersInKeyDb) {
  const Error error = refusal(9,
                              "02 01 's' 01 01 'm' FA 13 'keydb-subexpire-key' 01 'm' FA 14 "
                              "'keydb-subexpire-when' 02 '99'");
  EXPECT_EQ(error.code, Errc::unsupported_dialect);
  EXPECT_EQ(error.record, 1u);
  EXPECT_EQ(error.detail,
            "the aux field keydb-subexpire-key says that KeyDB has an expiry for member \"m\" of "
            "the key before it, which would be lost; save without such expiries");
}

TEST(Refusal, WithoutAWriterAForkIsAPossibility) {
  const Error json = refusal_of(9, "", 30);
  EXPECT_EQ(json.code, Errc::unknown_type);
  EXPECT_EQ(json.key, "k");
  EXPECT_EQ(json.detail,
            "type 30 belongs to RDB version 15 (hash template, Redis 8.10); the stream is RDB "
            "version 9; if Dragonfly wrote it, it is a JSON document: SAVE RDB writes it too; "
            "carry such keys over by JSON.GET and JSON.SET");
  const Error block = refusal_of(9, "", 201);
  EXPECT_EQ(block.code, Errc::unknown_opcode);
  EXPECT_EQ(block.key, "");
  EXPECT_EQ(block.detail,
            "opcode 201 in RDB version 9; if Dragonfly wrote it, it is a block compressed by zstd: "
            "SAVE RDB there, or --df_snapshot_format=false, writes a file without it; else it is "
            "of an unknown fork, or damaged");
  EXPECT_EQ(refusal_of(9, "", 220).key, "");
  EXPECT_NE(refusal_of(9, "", 64).detail.find("if KeyDB wrote it, it is a CRON object"),
            std::string::npos);
  EXPECT_EQ(refusal_of(6, "", 192).detail,
            "type 192 in RDB version 6; if Redis-on-Rocks wrote it, it is a bitmap; else it is of "
            "an unknown fork, or damaged");
  for (const unsigned number : {101u, 102u, 107u, 121u}) {
    const Error error = refusal_of(9, "", number);
    EXPECT_EQ(error.code, Errc::unknown_opcode) << number;
    EXPECT_NE(error.detail.find("if Redis Enterprise wrote it, it is a private opcode"),
              std::string::npos)
        << error.detail;
  }
}

// Redis may have taken the number since, and the magic of Valkey is no fork's.
TEST(Refusal, AForkIsNotGuessedWhereItCannotHaveWritten) {
  EXPECT_EQ(refusal_of(15, "", 30).detail,
            "type 30 belongs to RDB version 15 (hash template, Redis 8.10); the stream is RDB "
            "version 15");
  for (const unsigned number : {34u, 64u, 201u}) {
    const std::string detail = refusal_of(16, "", number).detail;
    EXPECT_EQ(detail, "type " + std::to_string(number) +
                          " in RDB version 16; it is newer than this program, of an unknown fork, "
                          "or damaged");
    const Outcome valkey =
        parse_at_every_split(valkey_stream(80, from_hex(hex_of(number) + " 01 'k'")));
    EXPECT_EQ(valkey.error.value_or(Error{}).detail.find("wrote it"), std::string::npos);
  }
}

TEST(Refusal, ANumberIsOfTheWriterThatTheStreamNames) {
  for (const std::string_view before : {written_by_keydb, written_by_valkey}) {
    for (const unsigned number : {30u, 34u, 192u, 201u, 242u}) {
      const Error error = refusal_of(9, before, number);
      EXPECT_NE(error.detail.find("it is newer than this program"), std::string::npos)
          << error.detail;
    }
  }
  EXPECT_NE(refusal_of(11, written_by_valkey, 30).detail.find("written by Valkey"),
            std::string::npos);
  EXPECT_EQ(refusal_of(9, written_by_dragonfly, 64).code, Errc::unknown_type);
}

TEST(Refusal, CompressedStreamsOfValkey) {
  const auto detail = [](std::string_view hex) {
    const Outcome outcome = parse_at_every_split(from_hex(hex));
    EXPECT_EQ(outcome.error.value_or(Error{}).code, Errc::bad_magic) << hex;
    return outcome.error.value_or(Error{}).detail;
  };
  EXPECT_EQ(detail("'VCS' 01 01 00 01 04 22 4D 18"),
            "found a stream of Valkey 9.2 that is compressed by lz4; have it saved with "
            "\"rdbcompression yes\" or \"no\", or decompress it: tail -c +8 FILE | lz4 -d");
  EXPECT_EQ(detail("'VCS' 01 02 00 01 28 B5 2F FD"),
            "found a stream of Valkey 9.2 that is compressed by zstd; have it saved with "
            "\"rdbcompression yes\" or \"no\", or decompress it: tail -c +8 FILE | zstd -d");
  for (const std::string_view other :
       {"'VCS' 02 01 00 01 04 22", "'VCS' 01 03 00 01 04 22", "'VCS' 01 01 00 02 04 22"}) {
    EXPECT_NE(detail(other).find("as compressed streams of Valkey 9.2 begin; have it saved"),
              std::string::npos)
        << detail(other);
  }
  EXPECT_EQ(detail("'VKCS' 01 01 00 01 04"),
            "found \"VKCS\\x01\\x01\\x00\\x01\\x04\", as compressed streams of an unreleased "
            "Valkey begin; have it saved with \"rdbcompression yes\" or \"no\"");
}

}  // namespace
}  // namespace sluice::rdb::testing
