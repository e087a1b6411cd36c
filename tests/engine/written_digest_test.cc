#include "engine/written_digest.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "engine/manifest.h"
#include "rdb/parser.h"
#include "rdb_text.h"

namespace sluice::engine {
namespace {

constexpr std::int64_t start_ms = 1'700'000'000'000;

/// "answers": one letter a record, in order: w written, r refused, n not sent.
class Sender final : public rdb::Handler {
 public:
  Sender(WrittenDigest& written, std::string answers)
      : written_(written), answers_(std::move(answers)) {}

  bool on_header(const rdb::Header& header) override {
    header_ = header;
    return true;
  }
  bool on_record_begin(const rdb::RecordHeader& record) override {
    written_.begin(record, header_);
    return true;
  }
  bool on_value_part(std::span<const std::byte> part) override {
    written_.add(part);
    return true;
  }
  bool on_record_end(std::uint64_t /*offset*/) override {
    if (answers_[next_++] == 'n') {
      written_.not_sent();
    } else {
      sent_.push_back(written_.taken());
    }
    return true;
  }
  bool on_end(const rdb::Trailer& /*trailer*/) override {
    std::size_t at = 0;
    for (const char answer : answers_) {
      if (answer != 'n') written_.answered(sent_.at(at++), answer == 'w');
    }
    return true;
  }

 private:
  WrittenDigest& written_;
  std::string answers_;
  std::size_t next_ = 0;
  std::vector<WrittenDigest::Sent> sent_;
  rdb::Header header_;
};

std::string feed(rdb::Handler& handler, const std::string& body) {
  const std::string stream = rdb_stream(body);
  rdb::Parser parser(handler);
  const auto fed = parser.feed(bytes(stream));
  return fed ? "" : rdb::to_string(fed.error());
}

/// Type 24 with two fields, which expire.
std::string expiring_hash(std::string_view key) {
  return "\x18" + rdb_string(key) + little_endian(start_ms + 3'600'000, 8) + "\x02\x01" +
         rdb_string("f") + rdb_string("v") + "\x01" + rdb_string("g") + rdb_string("w");
}

/// Type 16 with bytes that are no listpack.
std::string broken_hash(std::string_view key) {
  return "\x10" + rdb_string(key) + rdb_string("no listpack");
}

bool equal(const WrittenDigest& written, const std::string& body) {
  DigestWindows windows(start_ms);
  FactsAndDigest facts(&windows);
  EXPECT_EQ(feed(facts, body), "");
  return written.windows().compare(windows, start_ms).equal;
}

TEST(WrittenDigest, IsThatOfWhatWasWritten) {
  WrittenDigest written(start_ms);
  Sender sender(written, "wrnw");
  ASSERT_EQ(feed(sender, rdb_record("a", "1") + rdb_record("b", "2") + rdb_record("c", "3") +
                             expiring_hash("d")),
            "");
  EXPECT_EQ(written.gap(), "");
  EXPECT_TRUE(equal(written, expiring_hash("d") + rdb_record("a", "1")));
  EXPECT_FALSE(equal(written, rdb_record("a", "1")));
  EXPECT_FALSE(equal(written, expiring_hash("d") + rdb_record("a", "1") + rdb_record("b", "2")));
}

TEST(WrittenDigest, SaysWhenFieldsCannotBeTakenBack) {
  for (const std::string answers : {"wr", "wn"}) {
    WrittenDigest written(start_ms);
    Sender sender(written, answers);
    ASSERT_EQ(feed(sender, rdb_record("a", "1") + expiring_hash("d")), "");
    EXPECT_NE(written.gap(), "") << answers;
  }
}

TEST(WrittenDigest, SaysWhenAValueThatWasWrittenCannotBeDecoded) {
  WrittenDigest written(start_ms);
  Sender sender(written, "ww");
  ASSERT_EQ(feed(sender, rdb_record("a", "1") + broken_hash("d")), "");
  EXPECT_NE(written.gap().find("\"d\""), std::string::npos) << written.gap();
}

TEST(WrittenDigest, NeedNotDecodeWhatWasRefused) {
  WrittenDigest written(start_ms);
  Sender sender(written, "wr");
  ASSERT_EQ(feed(sender, rdb_record("a", "1") + broken_hash("d")), "");
  EXPECT_EQ(written.gap(), "");
  EXPECT_TRUE(equal(written, rdb_record("a", "1")));
}

TEST(DigestReader, GivesNoDigestOfWhatItCannotDecode) {
  FactsAndDigest facts;
  ASSERT_EQ(feed(facts, broken_hash("d") + rdb_record("a", "1") + broken_hash("e")), "");
  EXPECT_EQ(facts.digest().digest(), std::nullopt);
  EXPECT_EQ(facts.digest().undecodable(), 2U);
  EXPECT_NE(facts.digest().first_problem().find("\"d\""), std::string::npos);
}

TEST(DigestReader, FindsThatAManifestHasAnotherDigest) {
  FactsAndDigest facts;
  ASSERT_EQ(feed(facts, rdb_record("a", "1")), "");
  Manifest manifest;
  EXPECT_EQ(difference(manifest, facts.digest()), std::nullopt);  // has none
  take_digest(manifest, facts.digest().outcome());
  EXPECT_EQ(difference(manifest, facts.digest()), std::nullopt);
  manifest.digest->back() = manifest.digest->back() == '0' ? '1' : '0';
  EXPECT_TRUE(difference(manifest, facts.digest()).has_value());
  manifest.digest = "s9:of a later sluice";
  EXPECT_EQ(difference(manifest, facts.digest()), std::nullopt);
}

}  // namespace
}  // namespace sluice::engine
