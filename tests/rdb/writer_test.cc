#include "rdb/writer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>

#include "conversion.h"
#include "corpus.h"
#include "recorder.h"

namespace sluice::rdb::testing {
namespace {

constexpr Header redis_11{Dialect::redis, 11};

/// What `write` writes, as hex.
std::string written(const std::function<void(Writer&)>& write, const Header& header = redis_11,
                    WriteOptions options = {}) {
  std::string out;
  Writer writer(header, [&](std::span<const std::byte> bytes) { out += to_hex(bytes); }, options);
  write(writer);
  writer.flush();
  EXPECT_EQ(out.size(), 2 * writer.bytes());
  return out;
}

std::string hex(std::string_view vector) { return to_hex(bytes(from_hex(vector))); }

std::string string_of(std::string_view text, bool compress = false) {
  return written([&](Writer& writer) { writer.string(bytes(text)); }, redis_11,
                 {.compress = compress});
}

TEST(WriterTest, EmptyStreamsOfEachMagic) {
  const auto empty = [](Writer& writer) {
    writer.begin();
    writer.end();
  };
  EXPECT_EQ(written(empty, {Dialect::redis, 9}), hex("524544495330303039FF9AAC7ABCFB0FAD74"));
  EXPECT_EQ(written(empty), hex("524544495330303131FFC0228A8D74389762"));
  EXPECT_EQ(written(empty, {Dialect::valkey, 80}), hex("56414C4B4559303830FF439DA48FC1806C23"));
  EXPECT_EQ(written(empty, redis_11, {.checksum = false}),
            hex("524544495330303131FF0000000000000000"));
}

TEST(WriterTest, OneKey) {
  const auto one_key = [](bool expires) {
    return written([&](Writer& writer) {
      writer.begin();
      writer.select_db(0);
      writer.resize_db(1, expires ? 1 : 0);
      if (expires) writer.expire_at_ms(1893456000000);
      writer.record(0, bytes("k"));
      writer.string(bytes("v"));
      writer.end();
    });
  };
  EXPECT_EQ(one_key(false), hex("524544495330303131 FE00 FB0100 00016B0176 FF 820B95885E256313"));
  EXPECT_EQ(one_key(true), hex("524544495330303131 FE00 FB0101 FC00B4C5DAB8010000 00016B0176 FF"
                               "A2F65ADACAE7E7BE"));
}

TEST(WriterTest, WhatStandsBeforeKeys) {
  EXPECT_EQ(written([](Writer& writer) { writer.aux("ctime", "300"); }),
            hex("FA 05 'ctime' C1 2C01"));
  EXPECT_EQ(written([](Writer& writer) { writer.function(bytes("#!lua name=l")); }),
            hex("F5 0C '#!lua name=l'"));
  EXPECT_EQ(written([](Writer& writer) { writer.idle(100); }), hex("F8 4064"));
  EXPECT_EQ(written([](Writer& writer) { writer.freq(200); }), hex("F9 C8"));
  EXPECT_EQ(written([](Writer& writer) { writer.select_db(16384); }), hex("FE 80 00004000"));
}

TEST(WriterTest, LengthsTakeTheirShortestForm) {
  const auto length = [](std::uint64_t value) {
    return written([=](Writer& writer) { writer.len(value); });
  };
  EXPECT_EQ(length(0), "00");
  EXPECT_EQ(length(63), hex("3F"));
  EXPECT_EQ(length(64), hex("4040"));
  EXPECT_EQ(length(16383), hex("7FFF"));
  EXPECT_EQ(length(16384), hex("80 00004000"));
  EXPECT_EQ(length(0xFFFFFFFF), hex("80 FFFFFFFF"));
  EXPECT_EQ(length(0x100000000), hex("81 0000000100000000"));
  EXPECT_EQ(length(UINT64_MAX), hex("81 FFFFFFFFFFFFFFFF"));
}

TEST(WriterTest, IntegersTakeTheirForm) {
  EXPECT_EQ(string_of("0"), hex("C0 00"));
  EXPECT_EQ(string_of("10"), hex("C0 0A"));
  EXPECT_EQ(string_of("127"), hex("C0 7F"));
  EXPECT_EQ(string_of("-128"), hex("C0 80"));
  EXPECT_EQ(string_of("128"), hex("C1 8000"));
  EXPECT_EQ(string_of("-32768"), hex("C1 0080"));
  EXPECT_EQ(string_of("32768"), hex("C2 00800000"));
  EXPECT_EQ(string_of("2147483647"), hex("C2 FFFFFF7F"));
  EXPECT_EQ(string_of("-2147483648"), hex("C2 00000080"));
}

TEST(WriterTest, WhatOnlyLooksLikeAnInteger) {
  for (const std::string_view text : {"", "-", "-0", "01", "+1", " 1", "1 ", "1.0", "2147483648",
                                      "-2147483649", "99999999999", "0x1"}) {
    EXPECT_EQ(string_of(text),
              to_hex(bytes(std::string(1, static_cast<char>(text.size())))) + to_hex(bytes(text)))
        << text;
  }
}

TEST(WriterTest, CompressesWhatGetsShorter) {
  const std::string long_text(26, 'a');
  EXPECT_EQ(string_of(long_text), hex("1A") + to_hex(bytes(long_text)));
  EXPECT_EQ(string_of(long_text, true).substr(0, 2), hex("C3"));
  EXPECT_EQ(string_of(std::string(20, 'a'), true), hex("14") + to_hex(bytes(std::string(20, 'a'))));
  EXPECT_EQ(string_of("abcdefghijklmnopqrstuvwxyz", true).substr(0, 2), hex("1A"));
}

TEST(WriterTest, TextsInPartsAreTheSame) {
  const std::string digits = "123456";
  const std::string letters(1000, 'x');
  const std::string huge(Writer::gather_bytes_max + 1, 'y');
  for (const std::string& text : {digits, letters, huge}) {
    const auto in_parts = written(
        [&](Writer& writer) {
          for (std::size_t at = 0; at < text.size(); at += 5) {
            writer.string_part({.bytes = bytes(std::string_view(text).substr(at, 5)),
                                .size = text.size(),
                                .first = at == 0,
                                .last = at + 5 >= text.size()});
          }
        },
        redis_11, {.compress = true});
    EXPECT_EQ(in_parts, string_of(text, true));
  }
}

TEST(WriterTest, ScoresAsText) {
  const auto score = [](double value) {
    return written([=](Writer& writer) { writer.ascii_double(value); });
  };
  EXPECT_EQ(score(1.5), hex("03 '1.5'"));
  EXPECT_EQ(score(-0.0), hex("02 '-0'"));
  EXPECT_EQ(score(0.1), hex("03 '0.1'"));
  EXPECT_EQ(score(std::numeric_limits<double>::denorm_min()), hex("06 '5e-324'"));
  EXPECT_EQ(score(std::numeric_limits<double>::infinity()), hex("FE"));
  EXPECT_EQ(score(-std::numeric_limits<double>::infinity()), hex("FF"));
}

TEST(WriterTest, LargePiecesGoAround) {
  const std::string large(300000, 'z');
  std::string expected = "REDIS0011";
  const std::string got = written([&](Writer& writer) {
    writer.begin();
    writer.raw(bytes(large));
    writer.raw(bytes(large));
  });
  EXPECT_EQ(got, to_hex(bytes(expected + large + large)));
}

}  // namespace
}  // namespace sluice::rdb::testing
