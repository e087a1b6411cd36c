#include "storage/pack_key.h"

#include <fmt/format.h>

#include <cstring>

#include "storage/cipher.h"
#include "storage/pack_writer.h"

namespace sluice::storage {
namespace {

template <std::size_t Into, std::size_t From>
void put(std::array<std::byte, Into>& into, std::size_t at,
         const std::array<std::byte, From>& bytes) noexcept {
  std::memcpy(into.data() + at, bytes.data(), From);
}

template <class T>
Result<T> read_struct(const Fd& file, std::uint64_t offset, std::string_view object) {
  T value;
  auto ok = read_exactly(file, std::as_writable_bytes(std::span(&value, 1)), offset, object);
  if (!ok) return std::unexpected(std::move(ok.error()));
  return value;
}

/// The key that the footer is about, if it is one of this pack.
Result<PackKey> from_footer(const Fd& file, std::string_view object, const PackRef& pack,
                            const RepositoryCipher& cipher) {
  constexpr std::uint64_t from_end =
      sizeof(format::FooterSeal) + format::footer_checksum_bytes + sizeof(format::PackTrailer);
  const auto refuse = [&] {
    return std::unexpected(
        Error{.code = Errc::not_authentic,
              .detail = fmt::format("{}: neither header nor footer is of this pack", object)});
  };
  if (pack.file_bytes < from_end) return refuse();
  const auto seal = read_struct<format::FooterSeal>(file, pack.file_bytes - from_end, object);
  if (!seal) return refuse();
  auto key = PackKey::make(cipher, pack.id, seal->salt);
  if (key && key->commitment() != seal->commitment) return refuse();
  return key;
}

}  // namespace

Result<PackKey> PackKey::make(const RepositoryCipher& cipher, const PackId& pack,
                              const format::PackSalt& salt) {
  auto derived = cipher.pack_key(pack, salt);
  if (!derived) return std::unexpected(std::move(derived.error()));
  PackKey key;
  key.key_ = *derived;
  key.salt_ = salt;
  put(key.place_, 0, cipher.repository_id());
  put(key.place_, 16,
      format::pack_id_bytes(pack.backup.time_ms, pack.backup.random, pack.sequence));
  put(key.place_, 32, salt);
  return key;
}

format::PackCommitment PackKey::commitment() const {
  constexpr std::string_view what = "commit";
  Identifier mac(key_);
  mac.begin();
  mac.update(std::as_bytes(std::span(what)));
  return first_half(mac.finish());
}

PackKey::Aad PackKey::aad_of(const format::BlobHeader& header,
                             std::uint64_t offset) const noexcept {
  format::BlobHeader authenticated = header;
  authenticated.header_checksum = 0;
  authenticated.checksum = 0;
  Aad aad{};
  put(aad, 0, place_);
  std::memcpy(aad.data() + place_bytes, &offset, sizeof offset);
  std::memcpy(aad.data() + place_bytes + sizeof offset, &authenticated, sizeof authenticated);
  return aad;
}

void PackKey::seal(const format::BlobHeader& header, std::uint64_t offset,
                   std::span<const std::byte> plain, std::span<std::byte> stored) const {
  gcm_seal(key_, counter_nonce(offset), aad_of(header, offset), plain, stored);
}

bool PackKey::open(const format::BlobHeader& header, std::uint64_t offset,
                   std::span<const std::byte> stored, std::span<std::byte> plain) const {
  return gcm_open(key_, counter_nonce(offset), aad_of(header, offset), stored, plain);
}

Result<PackKey> read_pack_key(const Fd& file, std::string_view object, const PackRef& pack,
                              const RepositoryStamp& stamp) {
  const auto header = read_struct<format::PackHeader>(file, 0, object);
  if (header) {
    auto expected = make_pack_header(pack.id, stamp, header->salt);
    expected.minor = header->minor;
    if (header->checksum == checksum_of(*header) && header->checksum == checksum_of(expected))
      return PackKey::make(*stamp.cipher, pack.id, header->salt);
  }
  return from_footer(file, object, pack, *stamp.cipher);
}

}  // namespace sluice::storage
