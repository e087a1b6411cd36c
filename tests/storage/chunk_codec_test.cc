#include "storage/chunk_codec.h"

#include <gtest/gtest.h>
#include <zstd.h>

#include "storage/checksum.h"
#include "tests/storage/scratch.h"

namespace sluice::storage {
namespace {

using format::BlobType;

constexpr Compression lz4{.codec = CompressionCodec::lz4};
constexpr Compression zstd{.codec = CompressionCodec::zstd, .level = 3};
constexpr Compression none{.codec = CompressionCodec::none};

/// The raw bytes that the blob decodes to.
Result<std::vector<std::byte>> decode(const EncodedBlob& blob) {
  BlobDecoder decoder;
  std::vector<std::byte> scratch(blob.header.raw_bytes);
  const auto raw = decoder.decode(blob.header, blob.stored, scratch, "here");
  if (!raw) return std::unexpected(raw.error());
  return std::vector<std::byte>(raw->begin(), raw->end());
}

TEST(BlobEncoder, GivesABlobTheseBytes) {
  BlobEncoder encoder(RepositoryKeys{});
  const auto text = bytes_of("hello");
  auto blob = encoder.encode(BlobType::stream, text, lz4);
  ASSERT_OK(blob);
  blob->header.ordinal = 3;
  blob->header.header_checksum = checksum_of(blob->header);
  EXPECT_EQ(to_hex(std::as_bytes(std::span(&blob->header, 1))),
            "534c4242"
            "01"
            "01"
            "00"
            "00"  // SLBB, version, stream, stored as is, no flags
            "03000000"
            "05000000"
            "05000000"  // ordinal, stored, raw
            "cf0d68ef"
            "fddc625c55e85595"
            "6fcd24fb37f1f7219f240c681a45d3c15b9770d179acb2f68123f77e99cae2cc");
  EXPECT_TRUE(std::ranges::equal(blob->stored, text));
}

TEST(BlobEncoder, KeepsWhatItDecodesToWhateverTheCodec) {
  BlobEncoder encoder(RepositoryKeys{});
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{1}, std::size_t{100}, std::size_t{5000}, std::size_t{65536},
        std::size_t{300'000}, std::size_t{format::chunk_raw_bytes_max}}) {
    for (const auto& raw : {random_bytes(size, 1), compressible_bytes(size, 2)}) {
      for (const Compression compression : {none, lz4, zstd, Compression{CompressionCodec::zstd, 1},
                                            Compression{CompressionCodec::zstd, 9}}) {
        const auto blob = encoder.encode(BlobType::records, raw, compression);
        ASSERT_OK(blob);
        EXPECT_LE(blob->stored.size(), raw.size());
        EXPECT_EQ(blob->header.identity, encoder.identify(BlobType::records, raw));
        const auto back = decode(*blob);
        ASSERT_OK(back);
        EXPECT_EQ(*back, raw);
      }
    }
  }
}

TEST(BlobEncoder, CompressesOnlyWhatBecomesSmaller) {
  BlobEncoder encoder(RepositoryKeys{});
  const auto dense = random_bytes(100'000, 1);
  const auto sparse = compressible_bytes(100'000, 1);
  for (const Compression compression : {lz4, zstd}) {
    EXPECT_EQ(encoder.encode(BlobType::stream, dense, compression)->header.stored_bytes, 100'000u);
    EXPECT_LT(encoder.encode(BlobType::stream, sparse, compression)->header.stored_bytes, 70'000u);
  }
  EXPECT_EQ(encoder.encode(BlobType::stream, sparse, none)->header.stored_bytes, 100'000u);
}

// A chunk of columns: noise for the most part is no reason to give up the rest.
TEST(BlobEncoder, SeesACompressibleStretchThatIsAnEighthOfTheChunk) {
  BlobEncoder encoder(RepositoryKeys{});
  constexpr std::size_t size = 256U << 10;
  constexpr std::size_t stretch = size / 8;
  for (std::size_t at = 0; at + stretch <= size; at += 5000) {
    auto raw = random_bytes(size, at);
    std::fill_n(raw.begin() + static_cast<std::ptrdiff_t>(at), stretch, std::byte{'k'});
    EXPECT_LT(encoder.encode(BlobType::records, raw, zstd)->header.stored_bytes, size - stretch / 2)
        << at;
  }
}

TEST(BlobEncoder, Lz4IsTriedOnWhatItShrinksInOneStretch) {
  BlobEncoder encoder(RepositoryKeys{});
  constexpr std::size_t size = 256 << 10;
  constexpr std::size_t stretch = 34 << 10;  // more than lies between two samples
  for (std::size_t at = 0; at + stretch <= size; at += 5000) {
    auto raw = random_bytes(size, at);
    std::fill_n(raw.begin() + static_cast<std::ptrdiff_t>(at), stretch, std::byte{'k'});
    EXPECT_LT(encoder.encode(BlobType::records, raw, lz4)->header.stored_bytes, size - stretch / 2)
        << at;
  }
}

TEST(BlobEncoder, WhatLz4ShrinksLittleStaysAsItIs) {
  BlobEncoder encoder(RepositoryKeys{});
  auto raw = random_bytes(256 << 10, 1);
  for (std::size_t at = 0; at + 24 <= raw.size(); at += 400)
    std::fill_n(raw.begin() + static_cast<std::ptrdiff_t>(at), 24, std::byte{'k'});
  const auto blob = encoder.encode(BlobType::records, raw, lz4);
  ASSERT_OK(blob);
  EXPECT_EQ(blob->header.codec, static_cast<std::uint8_t>(format::Codec::none));
  EXPECT_EQ(blob->header.stored_bytes, raw.size());
}

// LZ4 finds nothing in hex digits; an entropy coder halves them.
TEST(BlobEncoder, SeesUnevenBytesWithoutRepetition) {
  BlobEncoder encoder(RepositoryKeys{});
  const std::string digits = to_hex(random_bytes(100'000, 1));
  const auto blob = encoder.encode(BlobType::records, bytes_of(digits), zstd);
  ASSERT_OK(blob);
  EXPECT_LT(blob->header.stored_bytes, 120'000u);
}

TEST(BlobEncoder, RefusesSizesAndLevelsAboveTheLimits) {
  BlobEncoder encoder(RepositoryKeys{});
  const std::vector<std::byte> large(format::chunk_raw_bytes_max + 1);
  EXPECT_EQ(encoder.encode(BlobType::stream, large, lz4).error().code, Errc::limit_exceeded);
  for (const int level : {-1, 0, 20}) {
    const Compression bad{CompressionCodec::zstd, level};
    EXPECT_EQ(encoder.encode(BlobType::stream, {}, bad).error().code, Errc::limit_exceeded);
  }
}

TEST(BlobEncoder, TakesAnIdentityThatIsKnown) {
  BlobEncoder encoder(RepositoryKeys{});
  format::Identity known{};
  known[5] = std::byte{9};
  EXPECT_EQ(encoder.encode(BlobType::stream, bytes_of("x"), lz4, known)->header.identity, known);
}

TEST(BlobEncoder, CountsNothingThatDoesNotDecodeToWhatWasGiven) {
  const auto text = compressible_bytes(1000, 1);
  const auto fails = [](BlobDecoder&, format::Codec, std::span<const std::byte>,
                        std::span<std::byte>) { return false; };
  const auto lies = [](BlobDecoder&, format::Codec, std::span<const std::byte>,
                       std::span<std::byte>) { return true; };
  for (const Compression compression : {lz4, zstd}) {
    for (const BlobEncoder::Decoder bad : {BlobEncoder::Decoder(fails), BlobEncoder::Decoder(lies)})
      EXPECT_EQ(BlobEncoder(RepositoryKeys{}, bad)
                    .encode(BlobType::stream, text, compression)
                    .error()
                    .code,
                Errc::codec_failure);
  }
}

class DeltaBlob : public testing::Test {
 protected:
  DeltaBlob() : base_(compressible_bytes(50'000, 1)), result_(base_) {
    for (std::size_t i = 20'000; i < 20'100; ++i) result_[i] = std::byte{'!'};
    ops_.copy(0, 20'000);
    ops_.literal(std::span(result_).subspan(20'000, 100));
    ops_.copy(20'100, 29'900);
  }
  Result<EncodedBlob> encode(Compression compression) {
    const DeltaBase base{.identity = first_half(encoder_.identify(BlobType::records, base_)),
                         .raw = base_};
    return encoder_.encode_delta(BlobType::records, base, result_, ops_, compression);
  }

  BlobEncoder encoder_{RepositoryKeys{}};
  std::vector<std::byte> base_;
  std::vector<std::byte> result_;
  DeltaOps ops_;
};

TEST_F(DeltaBlob, MakesTheResultOfTheBase) {
  for (const Compression compression : {none, lz4, zstd}) {
    const auto blob = encode(compression);
    ASSERT_OK(blob);
    EXPECT_EQ(blob->header.flags, format::blob_flag_delta);
    EXPECT_LT(blob->header.stored_bytes, 250u);
    EXPECT_EQ(blob->header.identity, encoder_.identify(BlobType::records, result_));
    const auto text = decode(*blob);
    ASSERT_OK(text);
    std::vector<std::byte> made(result_.size());
    ASSERT_OK(apply_delta(*text, base_, made, "here"));
    EXPECT_EQ(made, result_);
  }
}

TEST_F(DeltaBlob, IsNotMadeOfOpsThatMakeAnythingElse) {
  result_[7] ^= std::byte{1};
  EXPECT_EQ(encode(lz4).error().code, Errc::codec_failure);
  result_[7] ^= std::byte{1};
  ops_.literal(bytes_of("x"));
  EXPECT_EQ(encode(lz4).error().code, Errc::codec_failure);
  ops_.clear();
  ops_.copy(10, 50'000);
  EXPECT_EQ(encode(lz4).error().code, Errc::codec_failure) << "beyond the base";
}

TEST(ChunkCodec, RefusesWhatItDoesNotKnow) {
  BlobEncoder encoder(RepositoryKeys{});
  const auto text = bytes_of("hello");
  const auto chunk = encoder.encode(BlobType::stream, text, lz4);
  const auto verdict = [&](auto change) {
    format::BlobHeader header = chunk->header;
    change(header);
    header.header_checksum = checksum_of(header);
    const auto checked = check_blob_header(header, "here");
    return checked ? std::error_code() : checked.error().code;
  };
  EXPECT_EQ(verdict([](auto& h) { h.flags = 2; }), std::error_code());
  EXPECT_EQ(verdict([](auto& h) { h.codec = 2; }), std::error_code());
  EXPECT_EQ(verdict([](auto& h) { h.type = 4; }), std::error_code());
  EXPECT_EQ(verdict([](auto& h) { h.version = 2; }), Errc::unsupported_format);
  EXPECT_EQ(verdict([](auto& h) { h.type = 5; }), Errc::unsupported_feature);
  EXPECT_EQ(verdict([](auto& h) { h.type = 0; }), Errc::unsupported_feature);
  EXPECT_EQ(verdict([](auto& h) { h.codec = 3; }), Errc::unsupported_feature);
  EXPECT_EQ(verdict([](auto& h) { h.flags = 4; }), Errc::unsupported_feature);
  EXPECT_EQ(verdict([](auto& h) { h.flags = 4; }), Errc::unsupported_feature);
  EXPECT_EQ(verdict([](auto& h) { h.raw_bytes = UINT32_MAX; }), Errc::limit_exceeded);
  EXPECT_EQ(verdict([](auto& h) { h.stored_bytes = UINT32_MAX; }), Errc::limit_exceeded);
}

TEST(ChunkCodec, I6_AHostileBlockDecodesToAnErrorNeverPastItsBuffer) {
  BlobDecoder decoder;
  std::vector<std::byte> scratch(1000);
  for (std::uint64_t seed = 0; seed < 4000; ++seed) {
    auto stored = random_bytes(1 + seed % 200, seed);
    format::BlobHeader header;
    header.codec = static_cast<std::uint8_t>(1 + seed % 2);
    if (header.codec == 2 && stored.size() > 8) {  // past the magic, 1000 bytes announced
      const auto frame = bytes_of("\x28\xb5\x2f\xfd\x60\xe8\x02");
      std::ranges::copy(frame, stored.begin());
    }
    header.stored_bytes = static_cast<std::uint32_t>(stored.size());
    header.raw_bytes = 1000;
    header.checksum = xxh3_64(stored);
    const auto raw = decoder.decode(header, stored, scratch, "here");
    if (!raw) {
      EXPECT_EQ(raw.error().code, Errc::corrupt);
    }
  }
}

/// What zstd itself would decode, but is not one plain frame of the size that the header says.
TEST(ChunkCodec, I6_RefusesZstdThatIsNotExactlyOneFrameOfTheSizeAnnounced) {
  BlobDecoder decoder;
  const auto raw = compressible_bytes(1000, 1);
  const auto shrink = [](std::span<const std::byte> bytes) {
    std::vector<std::byte> frame(ZSTD_compressBound(bytes.size()));
    frame.resize(ZSTD_compress(frame.data(), frame.size(), bytes.data(), bytes.size(), 3));
    return frame;
  };
  std::vector<std::byte> into(1000);
  const auto whole = shrink(raw);
  EXPECT_TRUE(decoder.decodes_to(format::Codec::zstd_frame, whole, into));
  EXPECT_EQ(into, raw);
  auto two = shrink(std::span(raw).first(500));
  const auto second = shrink(std::span(raw).last(500));
  two.insert(two.end(), second.begin(), second.end());
  EXPECT_FALSE(decoder.decodes_to(format::Codec::zstd_frame, two, into)) << "two frames";
  auto longer = whole;
  longer.push_back(std::byte{0});
  EXPECT_FALSE(decoder.decodes_to(format::Codec::zstd_frame, longer, into));
  auto skippable = bytes_of(std::string_view("\x50\x2a\x4d\x18\0\0\0\0", 8));
  skippable.insert(skippable.end(), whole.begin(), whole.end());
  EXPECT_FALSE(decoder.decodes_to(format::Codec::zstd_frame, skippable, into));
  EXPECT_FALSE(decoder.decodes_to(format::Codec::zstd_frame, whole, std::span(into).first(999)));
  EXPECT_FALSE(decoder.decodes_to(format::Codec::zstd_frame, std::span(whole).first(3), into));
}

}  // namespace
}  // namespace sluice::storage
