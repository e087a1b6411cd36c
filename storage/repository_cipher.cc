#include "storage/repository_cipher.h"

#include <fmt/format.h>

#include <boost/json.hpp>

#include "storage/checksum.h"
#include "storage/cipher.h"

namespace sluice::storage {
namespace {

namespace json = boost::json;

void append(std::string& info, std::span<const std::byte> bytes) {
  info.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

template <class T>
std::span<const std::byte> bytes_of(const T& value) noexcept {
  return std::as_bytes(std::span(&value, 1));
}

std::string text_of(const json::object& root, std::string_view field) {
  const json::value* value = root.if_contains(field);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : "";
}

}  // namespace

Result<RepositoryCipher> RepositoryCipher::make(const RepositorySecret& secret, const Id& id) {
  RepositoryCipher cipher(secret, id);
  auto head_key = cipher.derive("head", {}, {});
  if (!head_key) return std::unexpected(std::move(head_key.error()));
  cipher.head_key_ = *head_key;
  return cipher;
}

Result<SecretKey> RepositoryCipher::derive(std::string_view label, std::span<const std::byte> salt,
                                           std::span<const std::byte> what) const {
  std::string info(label);
  append(info, salt);
  append(info, what);
  SecretKey key;
  if (auto ok = hkdf_sha256(secret_, id_, info, key); !ok)
    return std::unexpected(std::move(ok.error()));
  return key;
}

Result<SecretKey> RepositoryCipher::pack_key(const PackId& pack,
                                             const format::PackSalt& salt) const {
  const auto id = format::pack_id_bytes(pack.backup.time_ms, pack.backup.random, pack.sequence);
  return derive("pack-enc", salt, id);
}

Result<SecretKey> RepositoryCipher::manifest_key(const BackupId& backup,
                                                 const format::ManifestSalt& salt) const {
  const auto id = format::pack_id_bytes(backup.time_ms, backup.random, 0);
  return derive("manifest-enc", salt, std::span(id).first<12>());
}

Result<SecretKey> RepositoryCipher::text_key(std::string_view object,
                                             const format::PackSalt& salt) const {
  return derive("text-enc", salt, std::as_bytes(std::span(object)));
}

Result<KeyCheck> key_check(const RepositorySecret& secret, const RepositoryCipher::Id& id) {
  KeyCheck check{};
  if (auto ok = hkdf_sha256(secret, id, "key-check", check); !ok)
    return std::unexpected(std::move(ok.error()));
  return check;
}

Result<std::string> encrypt_text(const RepositoryCipher& cipher, std::string_view object,
                                 std::string_view text) {
  format::PackSalt salt{};
  if (auto ok = fill_random(salt); !ok) return std::unexpected(std::move(ok.error()));
  const auto key = cipher.text_key(object, salt);
  if (!key) return std::unexpected(key.error());
  std::vector<std::byte> sealed(text.size() + format::tag_bytes);
  gcm_seal(*key, counter_nonce(0), {}, std::as_bytes(std::span(text)), sealed);
  return json::serialize(json::object{
      {"cipher", format::cipher_name}, {"salt", to_hex(salt)}, {"text", to_hex(sealed)}});
}

Result<std::string> decrypt_text(const RepositoryCipher& cipher, std::string_view object,
                                 std::string_view encrypted) {
  const auto refuse = [object](Errc code, std::string_view what) {
    return std::unexpected(Error{.code = code, .detail = fmt::format("{}{}", object, what)});
  };
  boost::system::error_code bad;
  const json::value root = json::parse(encrypted, bad);
  if (bad || !root.is_object()) return refuse(Errc::corrupt, ": not a JSON object");
  if (text_of(root.get_object(), "cipher") != format::cipher_name)
    return refuse(Errc::not_authentic, " is not encrypted, in an encrypted repository");
  format::PackSalt salt{};
  const std::string hex = text_of(root.get_object(), "text");
  std::vector<std::byte> sealed(hex.size() / 2);
  if (!from_hex(text_of(root.get_object(), "salt"), salt) || !from_hex(hex, sealed) ||
      sealed.size() < format::tag_bytes)
    return refuse(Errc::corrupt, ": no salt or no text");
  const auto key = cipher.text_key(object, salt);
  if (!key) return std::unexpected(key.error());
  std::string text(sealed.size() - format::tag_bytes, '\0');
  if (!gcm_open(*key, counter_nonce(0), {}, sealed, std::as_writable_bytes(std::span(text))))
    return refuse(Errc::not_authentic, "");
  return text;
}

}  // namespace sluice::storage
