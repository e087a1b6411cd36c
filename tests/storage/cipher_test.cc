// What encrypts: known answers, and that nothing opens where it was not put.

#include "storage/cipher.h"

#include <gtest/gtest.h>

#include "storage/checksum.h"
#include "storage/manifest_cipher.h"
#include "storage/pack_key.h"
#include "storage/repository_cipher.h"
#include "tests/storage/scratch.h"

namespace sluice::storage {
namespace {

using Bytes = std::vector<std::byte>;

Bytes from_digits(std::string_view hex) {
  Bytes bytes(hex.size() / 2);
  EXPECT_TRUE(from_hex(hex, bytes));
  return bytes;
}

RepositoryCipher a_cipher(std::byte first = std::byte{1}) {
  RepositorySecret secret;
  secret[0] = first;
  RepositoryCipher::Id id{};
  id[3] = std::byte{7};
  return *RepositoryCipher::make(secret, id);
}

TEST(Cipher, GivesTheAnswersOfTheStandard) {  // test case 16 of the GCM specification
  SecretKey key;
  const Bytes half = from_digits("feffe9928665731c6d6a8f9467308308");
  std::ranges::copy(half, key.begin());
  std::ranges::copy(half, key.begin() + 16);
  GcmNonce nonce{};
  EXPECT_TRUE(from_hex("cafebabefacedbaddecaf888", nonce));
  const Bytes aad = from_digits("feedfacedeadbeeffeedfacedeadbeefabaddad2");
  const Bytes plain = from_digits(
      "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6"
      "b525b16aedf5aa0de657ba637b39");
  Bytes sealed(plain.size() + format::tag_bytes);
  gcm_seal(key, nonce, aad, plain, sealed);
  EXPECT_EQ(
      to_hex(sealed),
      "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b10"
      "56828838c5f61e6393ba7a0abcc9f66276fc6ece0f4e1768cddf8853bb2d551b");
  Bytes opened(plain.size());
  EXPECT_TRUE(gcm_open(key, nonce, aad, sealed, opened));
  EXPECT_EQ(opened, plain);
  for (std::size_t i = 0; i < sealed.size(); ++i) {
    sealed[i] ^= std::byte{1};
    EXPECT_FALSE(gcm_open(key, nonce, aad, sealed, opened)) << i;
    sealed[i] ^= std::byte{1};
  }
  Sha256 hash;
  hash.update(bytes_of("a"));
  hash.update(bytes_of("bc"));
  EXPECT_EQ(to_hex(hash.finish()),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Cipher, CountsNoncesInLittleEndianBytesAfterFourZeros) {
  EXPECT_EQ(to_hex(counter_nonce(0x0102030405060708)), "000000000807060504030201");
}

TEST(Cipher, HasAKeyForEachPackManifestAndText) {
  const RepositoryCipher cipher = a_cipher();
  const PackId pack{.backup = {.time_ms = 1, .random = 2}, .sequence = 3};
  PackId next = pack;
  ++next.sequence;
  format::PackSalt salt{};
  format::PackSalt other_salt{};
  other_salt[15] = std::byte{1};
  EXPECT_EQ(*cipher.pack_key(pack, salt), *cipher.pack_key(pack, salt));
  EXPECT_NE(*cipher.pack_key(pack, salt), *cipher.pack_key(next, salt));
  EXPECT_NE(*cipher.pack_key(pack, salt), *cipher.pack_key(pack, other_salt));
  EXPECT_NE(*cipher.pack_key(pack, salt), *a_cipher(std::byte{2}).pack_key(pack, salt));
  EXPECT_NE(*cipher.manifest_key(pack.backup, {}), *cipher.manifest_key({.time_ms = 2}, {}));
  EXPECT_NE(*cipher.text_key("feeds/a", salt), *cipher.text_key("feeds/b", salt));
}

TEST(Cipher, OpensABlobWhereItWasPutAndNowhereElse) {
  const RepositoryCipher cipher = a_cipher();
  const PackId pack{.backup = {.time_ms = 1, .random = 2}, .sequence = 3};
  const auto key = PackKey::make(cipher, pack, {});
  ASSERT_OK(key);
  const Bytes plain = bytes_of("a blob");
  format::BlobHeader header;
  header.raw_bytes = static_cast<std::uint32_t>(plain.size());
  header.stored_bytes = header.raw_bytes + format::tag_bytes;
  header.flags = format::blob_flag_encrypted;
  Bytes stored(header.stored_bytes);
  key->seal(header, 64, plain, stored);
  Bytes opened(plain.size());
  header.checksum = 99;  // what is made of the stored bytes cannot be authenticated with them
  header.header_checksum = 98;
  EXPECT_TRUE(key->open(header, 64, stored, opened));
  EXPECT_EQ(opened, plain);

  EXPECT_FALSE(key->open(header, 65, stored, opened)) << "elsewhere in the pack";
  const auto refused = [&](auto change) {
    format::BlobHeader changed = header;
    change(changed);
    return !key->open(changed, 64, stored, opened);
  };
  EXPECT_TRUE(refused([](auto& h) { ++h.type; }));
  EXPECT_TRUE(refused([](auto& h) { ++h.codec; }));
  EXPECT_TRUE(refused([](auto& h) { h.flags |= format::blob_flag_delta; }));
  EXPECT_TRUE(refused([](auto& h) { ++h.ordinal; }));
  EXPECT_TRUE(refused([](auto& h) { ++h.raw_bytes; }));
  EXPECT_TRUE(refused([](auto& h) { h.identity[31] = std::byte{1}; }));
  PackId elsewhere = pack;
  ++elsewhere.sequence;
  EXPECT_FALSE(PackKey::make(cipher, elsewhere, {})->open(header, 64, stored, opened));
  EXPECT_FALSE(PackKey::make(a_cipher(std::byte{2}), pack, {})->open(header, 64, stored, opened));
  EXPECT_NE(key->commitment(), PackKey::make(cipher, elsewhere, {})->commitment());
}

TEST(Cipher, OpensATextUnderItsNameOnly) {
  const RepositoryCipher cipher = a_cipher();
  const auto text = encrypt_text(cipher, "restores/a", "user:1 failed");
  ASSERT_OK(text);
  EXPECT_EQ(text->find("user:1"), std::string::npos);
  EXPECT_EQ(*decrypt_text(cipher, "restores/a", *text), "user:1 failed");
  const auto swapped = decrypt_text(cipher, "restores/b", *text);
  EXPECT_EQ(swapped.error().code, Errc::not_authentic);
  EXPECT_EQ(swapped.error().detail, "restores/b");
  EXPECT_EQ(decrypt_text(a_cipher(std::byte{2}), "restores/a", *text).error().code,
            Errc::not_authentic);
  EXPECT_EQ(decrypt_text(cipher, "restores/a", R"({"failures":[]})").error().code,
            Errc::not_authentic)
      << "not encrypted at all";
  EXPECT_NE(*encrypt_text(cipher, "restores/a", "user:1 failed"), *text) << "another salt";
}

/// The hidden part of a manifest, of `size` bytes, and its segments.
struct Part {
  explicit Part(std::size_t size) : plain(random_bytes(size, size)) {
    ManifestSealer sealer(key, clear, [this](std::span<const std::byte> segment) {
      segments.emplace_back(segment.begin(), segment.end());
      return Result<void>();
    });
    const std::span<const std::byte> all(plain);
    const std::size_t cut = size / 3;
    EXPECT_OK(sealer.append(all.first(cut)));
    EXPECT_OK(sealer.append(all.subspan(cut)));
    EXPECT_OK(sealer.finish());
  }
  /// Reads all of it from the segments given.
  [[nodiscard]] Result<Bytes> read(const std::vector<Bytes>& from, std::size_t size) const {
    std::size_t next = 0;
    ManifestOpener opener(
        key, clear, size,
        [&](std::span<std::byte> into) -> Result<void> {
          if (next == from.size() || from[next].size() != into.size())
            return std::unexpected(Error{.code = Errc::truncated, .detail = "here"});
          std::ranges::copy(from[next++], into.begin());
          return {};
        },
        "manifest");
    Bytes bytes(size);
    const auto ok = opener.read(bytes);
    if (ok && size == 0) return opener.next_segment() ? Result<Bytes>(bytes) : Bytes(1);
    if (!ok) return std::unexpected(ok.error());
    return bytes;
  }

  SecretKey key;
  Sha256::Digest clear{};
  Bytes plain;
  std::vector<Bytes> segments;
};

TEST(ManifestSegments, AreOfTheseSizesAndGiveTheSameBytes) {
  constexpr std::size_t most = format::manifest_segment_bytes;
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, most, most + 1, 2 * most + 5}) {
    SCOPED_TRACE(size);
    const Part part(size);
    std::uint64_t sealed = 0;
    for (const Bytes& segment : part.segments) sealed += segment.size();
    EXPECT_EQ(sealed, sealed_part_bytes(size));
    const auto read = part.read(part.segments, size);
    ASSERT_OK(read);
    EXPECT_EQ(*read, part.plain);
  }
}

TEST(ManifestSegments, AreRefusedWhenMovedOrCutShort) {
  constexpr std::size_t most = format::manifest_segment_bytes;
  const Part part(3 * most);
  auto moved = part.segments;
  std::swap(moved[0], moved[1]);
  const auto read = part.read(moved, 3 * most);
  EXPECT_EQ(read.error().code, Errc::not_authentic);
  EXPECT_EQ(read.error().detail, "manifest: segment 0");
  const std::vector<Bytes> fewer(part.segments.begin(), part.segments.begin() + 2);
  const auto cut = part.read(fewer, 2 * most);
  EXPECT_EQ(cut.error().code, Errc::not_authentic) << "no longer the last";
  EXPECT_EQ(cut.error().detail, "manifest: segment 1");
}

}  // namespace
}  // namespace sluice::storage
