#include "net/snapshot_framing.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>

namespace sluice::net {
namespace {

std::span<const std::byte> bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

class Recorder final : public SnapshotSink {
 public:
  bool on_begin(const FullResync& granted, std::optional<std::uint64_t> length_bytes) override {
    log += "begin " + std::to_string(granted.offset) + " " +
           (length_bytes ? std::to_string(*length_bytes) : "?") + ";";
    return --calls_left >= 0;
  }
  bool on_bytes(std::span<const std::byte> part) override {
    EXPECT_FALSE(part.empty());
    payload.append(reinterpret_cast<const char*>(part.data()), part.size());
    return --calls_left >= 0;
  }

  std::string log;
  std::string payload;
  int calls_left = std::numeric_limits<int>::max();
};

const FullResync granted{.replid = std::string(40, 'a'), .offset = 9};
const std::string mark = "8d3f0c6be21a97451f7ad2c09b35e8642716fcd0";

TEST(SnapshotFraming, CountedPayloadIsTheSameForEverySplit) {
  const std::string input = "\n\n$11\r\nhello\r\nworl\n\n*1\r\n$4\r\nPING\r\n";
  const std::size_t end = input.find("\n\n*1");
  for (std::size_t cut = 0; cut <= input.size(); ++cut) {
    SCOPED_TRACE("cut at byte " + std::to_string(cut));
    Recorder seen;
    SnapshotFraming framing(granted, seen);
    const auto front = framing.feed(bytes(input).first(cut));
    const auto back = framing.feed(bytes(input).subspan(cut));
    ASSERT_TRUE(front && back);
    EXPECT_TRUE(framing.done());
    EXPECT_EQ(*front + *back, end);  // what follows is left to the caller
    EXPECT_EQ(seen.log, "begin 9 11;");
    EXPECT_EQ(seen.payload, "hello\r\nworl");
    EXPECT_EQ(framing.payload_bytes(), 11u);
    EXPECT_EQ(framing.length_bytes(), 11u);
    EXPECT_TRUE(framing.finish().has_value());
  }
}

// Payloads that hold beginnings of the mark, and one that runs into it.
std::vector<std::string> payloads_to_be_marked() {
  return {"",
          "x",
          "REDIS0011" + std::string(100, 'x'),
          mark.substr(0, 39),
          mark.substr(0, 39) + mark.substr(0, 39),
          mark.substr(0, 16),
          std::string(mark.substr(0, 16)) + mark.substr(0, 20) + "zz" + mark.substr(0, 1),
          std::string(200, '0')};
}

TEST(SnapshotFraming, MarkedPayloadIsTheSameForEverySplit) {
  for (const std::string& payload : payloads_to_be_marked()) {
    const std::string input = "\n$EOF:" + mark + "\r\n" + payload + mark + "\n\nrest";
    for (std::size_t cut = 0; cut <= input.size(); ++cut) {
      SCOPED_TRACE(payload + " cut at byte " + std::to_string(cut));
      Recorder seen;
      SnapshotFraming framing(granted, seen);
      const auto front = framing.feed(bytes(input).first(cut));
      const auto back = framing.feed(bytes(input).subspan(cut));
      ASSERT_TRUE(front && back);
      EXPECT_TRUE(framing.done());
      EXPECT_EQ(*front + *back, input.size() - 6);
      EXPECT_EQ(seen.log, "begin 9 ?;");
      EXPECT_EQ(seen.payload, payload);
      EXPECT_FALSE(framing.length_bytes().has_value());
    }
  }
}

// The same in pieces of every size, so that the mark lies in three reads and more.
TEST(SnapshotFraming, MarkedPayloadIsTheSameInPiecesOfEverySize) {
  for (const std::string& payload : payloads_to_be_marked()) {
    const std::string input = "$EOF:" + mark + "\r\n" + payload + mark;
    for (std::size_t piece = 1; piece <= 90; ++piece) {
      SCOPED_TRACE(payload + " in pieces of " + std::to_string(piece));
      Recorder seen;
      SnapshotFraming framing(granted, seen);
      for (auto left = bytes(input); !left.empty();) {
        const auto part = left.first(std::min(piece, left.size()));
        ASSERT_EQ(framing.feed(part), part.size());
        left = left.subspan(part.size());
      }
      EXPECT_TRUE(framing.done());
      EXPECT_EQ(seen.payload, payload);
    }
  }
}

// The mark as a word that repeats itself is the hard case for a search across reads.
TEST(SnapshotFraming, FindsAMarkThatRepeatsItself) {
  const std::string repeating(40, 'a');
  const std::string periodic = "abababababababababababababababababababab";
  for (const std::string& m : {repeating, periodic}) {
    for (std::size_t extra = 0; extra < 3; ++extra) {
      const std::string payload = "xyb" + std::string(extra, 'b');
      const std::string input = "$EOF:" + m + "\r\n" + payload + m;
      for (std::size_t cut = 0; cut <= input.size(); ++cut) {
        Recorder seen;
        SnapshotFraming framing(granted, seen);
        ASSERT_TRUE(framing.feed(bytes(input).first(cut)).has_value());
        ASSERT_TRUE(framing.feed(bytes(input).subspan(cut)).has_value());
        EXPECT_EQ(seen.payload, payload);
      }
    }
  }
}

TEST(SnapshotFraming, EveryPrefixIsCutShortAndSaysHowMuchCame) {
  const std::string counted = "$5\r\nhello";
  for (std::size_t size = 0; size < counted.size(); ++size) {
    Recorder seen;
    SnapshotFraming framing(granted, seen);
    ASSERT_EQ(framing.feed(bytes(counted).first(size)), size);
    const auto result = framing.finish();
    ASSERT_FALSE(result.has_value());
    EXPECT_EQ(result.error().code, Errc::cut_short);
    EXPECT_EQ(result.error().detail, size < 4 ? "before the snapshot began"
                                              : std::to_string(size - 4) + " of 5 bytes received");
  }
  const std::string marked = "$EOF:" + mark + "\r\nhello" + mark;
  for (std::size_t size = 47; size < marked.size(); ++size) {
    Recorder seen;
    SnapshotFraming framing(granted, seen);
    ASSERT_EQ(framing.feed(bytes(marked).first(size)), size);
    EXPECT_EQ(framing.finish().error().code, Errc::cut_short);
    EXPECT_EQ(framing.finish().error().detail,
              std::to_string(size - 47) + " bytes received, the EOF mark was expected");
  }
}

TEST(SnapshotFraming, GivesEachRefusalItsCause) {
  const std::pair<std::string, Errc> cases[] = {
      {"-ERR BGSAVE failed, replication can't continue\r\n", Errc::save_failed},
      {"-ERR whatever\r\n", Errc::save_failed},
      {"-LOADING x\r\n", Errc::loading},
      {"-NOMASTERLINK x\r\n", Errc::no_master_link},
      {"+OK\r\n", Errc::protocol_error},
      {"$\r\n", Errc::protocol_error},
      {"$-1\r\n", Errc::protocol_error},
      {"$12x\r\n", Errc::protocol_error},
      {"$99999999999999999999\r\n", Errc::protocol_error},
      {"$EOF:" + mark + "x\r\n", Errc::protocol_error},
      {"$EOF:" + mark.substr(1) + "\r\n", Errc::protocol_error},
      {"$ENDOFF:1 " + mark + " 0 1\r\n", Errc::protocol_error},
      {"12\r\n", Errc::protocol_error},
      {std::string(SnapshotFraming::header_bytes_max + 1, '$'), Errc::reply_too_large},
  };
  for (const auto& [input, code] : cases) {
    Recorder seen;
    SnapshotFraming framing(granted, seen);
    const auto result = framing.feed(bytes(input));
    ASSERT_FALSE(result.has_value()) << input;
    EXPECT_EQ(result.error().code, code) << input;
    EXPECT_EQ(framing.feed(bytes("$1\r\n")).error().code, code);
    EXPECT_EQ(framing.finish().error().code, code);
    EXPECT_EQ(seen.log, "");
  }
}

TEST(SnapshotFraming, AnEmptySnapshotIsWhole) {
  Recorder seen;
  SnapshotFraming framing(granted, seen);
  EXPECT_EQ(framing.feed(bytes("$0\r\nx")), 4u);
  EXPECT_TRUE(framing.done());
  EXPECT_EQ(seen.log, "begin 9 0;");
}

TEST(SnapshotFraming, ASinkThatFailsAtAnyCallEndsIt) {
  for (int calls = 0; calls < 4; ++calls) {
    for (const std::string& input : {std::string("$12\r\nhello"), "$EOF:" + mark + "\r\nhello"}) {
      Recorder seen;
      seen.calls_left = calls;
      SnapshotFraming framing(granted, seen);
      auto result = framing.feed(bytes(input));
      for (int i = 1; result && i < 5; ++i) result = framing.feed(bytes("x"));
      ASSERT_FALSE(result.has_value());
      EXPECT_EQ(result.error().code, Errc::sink_aborted);
      EXPECT_EQ(framing.finish().error().code, Errc::sink_aborted);
    }
  }
}

}  // namespace
}  // namespace sluice::net
