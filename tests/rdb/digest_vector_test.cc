// The vectors of docs/digest.md, each in every encoding that servers have had for it. The digests
// come from tests/integration/digest_oracle.py, which shares no code with this one.

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "corpus.h"
#include "rdb/digest.h"
#include "rdb/value_reader.h"
#include "recorder.h"

namespace sluice::rdb::testing {
namespace {

/// Parser, value reader and digest, as an engine joins them.
class Taker final : public Handler {
 public:
  bool on_header(const Header& header) override {
    header_ = header;
    return true;
  }
  bool on_record_begin(const RecordHeader& record) override {
    digest_.begin(record);
    reader_.begin(record, header_);
    failed_ = false;
    return true;
  }
  bool on_value_part(std::span<const std::byte> part) override {
    if (!failed_ && !reader_.feed(part)) failed_ = true;
    return true;
  }
  bool on_record_end(std::uint64_t /*offset*/) override {
    if (failed_ || !reader_.end()) {
      ++undecodable;
    } else {
      digest_.end();
    }
    return true;
  }

  [[nodiscard]] std::string text() const { return to_string(digest_.value()); }

  std::uint64_t undecodable = 0;

 private:
  Header header_;
  DatasetDigest digest_;
  ValueReader reader_{digest_, {.texts = Roles::all(), .strict = false}};
  bool failed_ = false;
};

/// The digest of a stream that is fed in pieces of `piece` bytes; says so when values are refused.
std::string digest_of(std::string_view stream, std::size_t piece = 1 << 20) {
  Taker taker;
  Parser parser(taker);
  for (std::size_t at = 0; at < stream.size() && !parser.done(); at += piece) {
    const auto fed = parser.feed(bytes(stream.substr(at, piece)));
    if (!fed) return to_string(fed.error());
  }
  if (const auto ended = parser.finish(); !ended) return to_string(ended.error());
  if (taker.undecodable > 0) return std::to_string(taker.undecodable) + " values refused";
  return taker.text();
}

struct Vector {
  std::string_view digest;
  Dialect dialect;
  std::string body;  ///< Hex, as from_hex() takes it: all between the header and the EOF opcode.
};

constexpr auto redis = Dialect::redis;
constexpr auto valkey = Dialect::valkey;

const std::string id = "00000000000003E80000000000000000";
const std::string nodes =
    "01 10 " + id + " 1D 1D0000000A0001010001010181660200010201000100018176020401FF 01 43E8 00";
const std::string ms = " E803000000000000 ";
const std::string group = " 01 01 'g' 43E8 00 81 FFFFFFFFFFFFFFFF 01 " + id + ms + "02";

const std::vector<Vector>& vectors() {
  static const std::vector<Vector> all{
      {"s1:00000000000000000000000000000000", redis, ""},
      {"s1:4097712ba68e350f8299e5602dde8f09", redis, "00 01'k' 01'v'"},
      {"s1:4097712ba68e350f8299e5602dde8f09", valkey, "FE 00 F8 05 00 01'k' 01'v'"},
      {"s1:723c6e584277cf14d53fc78307b5a7ff", redis, "FE 03 FC 0068E5CF8B010000 00 01'k' 01'v'"},
      {"s1:34173d45953fa0b3d4c772b44daf17d9", redis, "00 01'a' 01'v' 00 01'b' 01'w'"},
      {"s1:34173d45953fa0b3d4c772b44daf17d9", redis, "00 01'b' 01'w' 00 01'a' 01'v'"},
      {"s1:be236b4529f61bbadf59a6d1c856b8ea", redis, "00 01'k' 04'-129'"},
      {"s1:be236b4529f61bbadf59a6d1c856b8ea", redis, "00 01'k' C1 7FFF"},
      {"s1:4eaea8419910a2b9c8da8e254764e377", redis,
       "00 01'k' 412C '" + std::string(300, 'x') + "'"},
      {"s1:4eaea8419910a2b9c8da8e254764e377", redis, "00 01'k' C3 08 412C 00 78 E0FF00 E01A00"},
      // A list of "a", "1", "a": plain, ziplist, quicklists.
      {"s1:53e371c2a309d1d87f6f42cedcdca430", redis, "01 01'k' 03 01'a' C0 01 01'a'"},
      {"s1:53e371c2a309d1d87f6f42cedcdca430", redis,
       "0A 01'k' 13 13000000 0F000000 0300 000161 03F2 020161 FF"},
      {"s1:53e371c2a309d1d87f6f42cedcdca430", redis,
       "0E 01'k' 01 13 13000000 0F000000 0300 000161 03F2 020161 FF"},
      {"s1:53e371c2a309d1d87f6f42cedcdca430", redis,
       "12 01'k' 01 02 0F 0F0000000300 816102 0101 816102 FF"},
      {"s1:53e371c2a309d1d87f6f42cedcdca430", redis,
       "12 01'k' 02 01 01'a' 02 0C 0C0000000200 0101 816102 FF"},
      // A set of 1, 2, 1000: hash table, intset, listpack.
      {"s1:fc4e7e7de868418d3c60df48cc2e1d95", redis, "02 01'k' 03 C0 02 C1 E803 C0 01"},
      {"s1:fc4e7e7de868418d3c60df48cc2e1d95", redis,
       "0B 01'k' 0E 02000000 03000000 0100 0200 E803"},
      {"s1:fc4e7e7de868418d3c60df48cc2e1d95", redis,
       "14 01'k' 0E 0E000000 0300 0201 C3E802 0101 FF"},
      // A sorted set, m at 1.5 and n at 0 or -0: ASCII, binary, listpack.
      {"s1:ce29b18e2eab6c8b21578844697f2250", redis, "03 01'k' 02 01'm' 03'1.5' 01'n' 02'-0'"},
      {"s1:ce29b18e2eab6c8b21578844697f2250", redis,
       "05 01'k' 02 01'n' 0000000000000000 01'm' 000000000000F83F"},
      {"s1:ce29b18e2eab6c8b21578844697f2250", redis,
       "11 01'k' 14 14000000 0400 816E02 0001 816D02 83312E3504 FF"},
      // A hash, f to v and g to w: hash table, zipmap, listpack.
      {"s1:d2a6696386c5c8b7d6f270714615d1ca", redis, "04 01'k' 02 01'f' 01'v' 01'g' 01'w'"},
      {"s1:d2a6696386c5c8b7d6f270714615d1ca", redis,
       "09 01'k' 0C 02 01'f' 01 00 'v' 01'g' 01 00 'w' FF"},
      {"s1:d2a6696386c5c8b7d6f270714615d1ca", redis,
       "10 01'k' 13 13000000 0400 816602 817602 816702 817702 FF"},
      // The same where g expires.
      {"s1:9e4a8b733d8d6e6eae794c5389f0075c", redis,
       "16 01'k' 02 81 0000018BCFE56800 01'g' 01'w' 00 01'f' 01'v'"},
      {"s1:9e4a8b733d8d6e6eae794c5389f0075c", redis,
       "18 01'k' 0068E5CF8B010000 02 01 01'g' 01'w' 00 01'f' 01'v'"},
      {"s1:9e4a8b733d8d6e6eae794c5389f0075c", redis,
       "19 01'k' 0068E5CF8B010000 1F 1F000000 0600 816702 817702 F40068E5CF8B01000009 816602 "
       "817602 0001 FF"},
      {"s1:9e4a8b733d8d6e6eae794c5389f0075c", valkey,
       "16 01'k' 02 01'f' 01'v' FFFFFFFFFFFFFFFF 01'g' 01'w' 0068E5CF8B010000"},
      // A stream: types 19 and 21, which has active times.
      {"s1:cc1ac458d74610ba1fffe65cdc7727b3", redis,
       "13 01'k' " + nodes + " 43E8 00 00 00 01" + group + " 02 01'c'" + ms + "01 " + id +
           " 01'd'" + ms + "00"},
      {"s1:cc1ac458d74610ba1fffe65cdc7727b3", redis,
       "15 01'k' " + nodes + " 43E8 00 00 00 01" + group + " 02 01'c'" + ms + ms + "01 " + id +
           " 01'd'" + ms + "FFFFFFFFFFFFFFFF 00"},
  };
  return all;
}

TEST(DigestVector, EveryEncodingGivesTheDigestInTheDocument) {
  for (const Vector& vector : vectors()) {
    SCOPED_TRACE(vector.body);
    const std::string body = from_hex(vector.body);
    EXPECT_EQ(digest_of(vector.dialect == redis ? redis_stream(12, body) : valkey_stream(80, body)),
              vector.digest);
  }
}

TEST(DigestVector, NoSplitChangesIt) {
  for (const Vector& vector : vectors()) {
    SCOPED_TRACE(vector.body);
    const std::string body = from_hex(vector.body);
    const std::string stream =
        vector.dialect == redis ? redis_stream(12, body) : valkey_stream(80, body);
    for (std::size_t piece = 1; piece <= stream.size(); ++piece) {
      ASSERT_EQ(digest_of(stream, piece), vector.digest) << "in pieces of " << piece;
    }
  }
}

TEST(DigestVector, NoSplitChangesThatOfARealDump) {
  for (const CorpusFile& file : corpus()) {
    const std::string whole = digest_of(file.content);
    for (const std::size_t piece : {1, 7, 4096}) {
      EXPECT_EQ(digest_of(file.content, piece), whole) << file.name << " in pieces of " << piece;
    }
  }
}

TEST(DigestVector, EveryServersDumpCanBeDecoded) {
  for (const CorpusFile& file : corpus()) {
    if (!file.name.starts_with("servers/")) continue;
    EXPECT_TRUE(digest_of(file.content).starts_with("s1:")) << file.name;
  }
}

}  // namespace
}  // namespace sluice::rdb::testing
