#include "storage/identity.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "storage/checksum.h"
#include "tests/storage/scratch.h"

namespace sluice::storage {
namespace {

/// Successive bytes from `first` on.
std::vector<std::byte> count_up(unsigned first, std::size_t size) {
  std::vector<std::byte> bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>(first + i);
  return bytes;
}

std::vector<std::byte> repeat(unsigned value, std::size_t size) {
  return std::vector<std::byte>(size, static_cast<std::byte>(value));
}

std::string derive(std::span<const std::byte> secret, std::span<const std::byte> salt,
                   std::span<const std::byte> info, std::size_t size) {
  std::vector<std::byte> key(size);
  const std::string label(reinterpret_cast<const char*>(info.data()), info.size());
  EXPECT_OK(hkdf_sha256(secret, salt, label, key));
  return to_hex(key);
}

TEST(Hkdf, GivesWhatRfc5869Says) {
  EXPECT_EQ(derive(repeat(0x0b, 22), count_up(0, 13), count_up(0xf0, 10), 42),
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865");
  EXPECT_EQ(
      derive(count_up(0, 80), count_up(0x60, 80), count_up(0xb0, 80), 82),
      "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c6"
      "5e590e09da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87");
  EXPECT_EQ(derive(repeat(0x0b, 22), {}, {}, 42),
            "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8");
}

std::string hmac(std::span<const std::byte> key, std::span<const std::byte> bytes) {
  Identifier identifier(key);
  std::string first;
  for (int round = 0; round < 3; ++round) {  // the same context, again and again
    identifier.begin();
    identifier.update(bytes.first(bytes.size() / 3));
    identifier.update(bytes.subspan(bytes.size() / 3));
    const std::string found = to_hex(identifier.finish());
    EXPECT_TRUE(first.empty() || first == found);
    first = found;
  }
  return first;
}

TEST(Identifier, GivesWhatRfc4231Says) {
  EXPECT_EQ(hmac(repeat(0x0b, 20), bytes_of("Hi There")),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  EXPECT_EQ(hmac(bytes_of("Jefe"), bytes_of("what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  EXPECT_EQ(hmac(repeat(0xaa, 20), repeat(0xdd, 50)),
            "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe");
  EXPECT_EQ(hmac(count_up(1, 25), repeat(0xcd, 50)),
            "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b");
  EXPECT_EQ(
      hmac(repeat(0xaa, 131), bytes_of("Test Using Larger Than Block-Size Key - Hash Key First")),
      "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
  EXPECT_EQ(
      hmac(repeat(0xaa, 131), bytes_of("This is a test using a larger than block-size key and a "
                                       "larger than block-size data. The key needs to be hashed "
                                       "before being used by the HMAC algorithm.")),
      "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2");
}

TEST(Identifier, IsOfTheTypeAndTheBytesUnderTheKeyOfTheRepository) {
  RepositorySecret secret{};
  const auto id = count_up(0, 16);
  const auto keys = derive_keys(secret, id);
  ASSERT_OK(keys);
  Identifier identifier(*keys);
  const auto text = bytes_of("text");
  const auto identity = identifier.identify(format::BlobType::records, text);
  EXPECT_EQ(to_hex(identity), hmac(keys->chunk_id, bytes_of("\x02text")));
  EXPECT_EQ(to_hex(first_half(identity)), to_hex(identity).substr(0, 32));
  EXPECT_EQ(identifier.identify(format::BlobType::records, text), identity);
  EXPECT_NE(identifier.identify(format::BlobType::fragment, text), identity);
  secret[31] = std::byte{1};
  const auto others = derive_keys(secret, id);
  EXPECT_NE(Identifier(*others).identify(format::BlobType::records, text), identity);
  EXPECT_NE(others->cut, keys->cut);
  const auto elsewhere = derive_keys(secret, count_up(1, 16));
  EXPECT_NE(elsewhere->chunk_id, others->chunk_id);
}

TEST(Identifier, KnowsNothingAsWellAsSomething) {
  Identifier identifier(count_up(0, 32));
  EXPECT_EQ(to_hex(identifier.identify(format::BlobType::stream, {})),
            hmac(count_up(0, 32), bytes_of("\x01")));
}

}  // namespace
}  // namespace sluice::storage
