#include "storage/key_slot.h"

#include <fmt/format.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include <algorithm>
#include <bit>
#include <boost/json.hpp>
#include <cerrno>
#include <chrono>
#include <memory>

#include "storage/checksum.h"
#include "storage/cipher.h"
#include "storage/sealed_text.h"

namespace sluice::storage {
namespace {

namespace json = boost::json;

constexpr std::string_view magic = "sluice-key";
constexpr std::size_t id_digits = 8;
constexpr std::array<std::string_view, 3> kind_names{"passphrase", "key-file", "command"};

template <auto Free>
struct Freed {
  void operator()(auto* object) const noexcept { Free(object); }
};
using Kdf = std::unique_ptr<EVP_KDF, Freed<EVP_KDF_free>>;
using KdfContext = std::unique_ptr<EVP_KDF_CTX, Freed<EVP_KDF_CTX_free>>;

std::unexpected<Error> refuse(Errc code, std::string_view object, std::string_view what) {
  return std::unexpected(Error{.code = code, .detail = fmt::format("{}: {}", object, what)});
}

/// OpenSSL takes what it only reads as if it wrote to it.
OSSL_PARAM octets(const char* name, std::span<const std::byte> bytes) {
  return OSSL_PARAM_construct_octet_string(name, const_cast<std::byte*>(bytes.data()),
                                           bytes.size());
}

bool is_affordable(const ScryptCost& cost) noexcept {
  return std::has_single_bit(cost.n) && cost.n > 1 && cost.r >= 1 && cost.r <= 64 && cost.p >= 1 &&
         cost.p <= 64 && cost.n <= ScryptCost::memory_bytes_max / 128 / cost.r;
}

Result<SecretKey> scrypt(std::span<const std::byte> passphrase, std::span<const std::byte> salt,
                         ScryptCost cost) {
  const auto failed = [] { return std::unexpected(system_error(EIO, "scrypt", "OpenSSL")); };
  const Kdf kdf(EVP_KDF_fetch(nullptr, "SCRYPT", nullptr));
  const KdfContext context(kdf ? EVP_KDF_CTX_new(kdf.get()) : nullptr);
  if (!context) return failed();
  std::uint64_t memory_max = 2 * ScryptCost::memory_bytes_max;
  const std::array<OSSL_PARAM, 7> parameters{
      octets(OSSL_KDF_PARAM_PASSWORD, passphrase),
      octets(OSSL_KDF_PARAM_SALT, salt),
      OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_SCRYPT_N, &cost.n),
      OSSL_PARAM_construct_uint32(OSSL_KDF_PARAM_SCRYPT_R, &cost.r),
      OSSL_PARAM_construct_uint32(OSSL_KDF_PARAM_SCRYPT_P, &cost.p),
      OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_SCRYPT_MAXMEM, &memory_max),
      OSSL_PARAM_construct_end()};
  SecretKey key;
  if (EVP_KDF_derive(context.get(), reinterpret_cast<unsigned char*>(key.data()), SecretKey::size(),
                     parameters.data()) != 1)
    return failed();
  return key;
}

/// The key that wraps the secret in this slot, if `material` is the right one.
Result<SecretKey> wrapping_key(const KeySlot& slot, std::span<const std::byte> material) {
  if (slot.kind != KeyKind::key_file) return scrypt(material, slot.salt, slot.cost);
  SecretKey key;
  if (auto ok = hkdf_sha256(material, slot.salt, "key-file", key); !ok)
    return std::unexpected(std::move(ok.error()));
  return key;
}

/// All that the slot says but the wrapped secret, and whose it is.
std::string header_of(const KeySlot& slot, const RepositoryCipher::Id& repository) {
  return fmt::format("{}\n{}\n{}\n{}\n{}\n{} {} {}\n{}\n{}", magic, to_hex(repository), slot.id,
                     to_string(slot.kind), slot.created_at_ms, slot.cost.n, slot.cost.r,
                     slot.cost.p, to_hex(slot.salt), slot.label);
}

bool is_label(std::string_view label) noexcept {
  return label.size() <= KeySlot::label_bytes_max &&
         std::ranges::all_of(label, [](char c) { return c >= ' ' && c <= '~'; });
}

Result<void> check_material(const KeyMaterial& material) {
  const bool is_file = material.kind == KeyKind::key_file;
  const std::size_t least = is_file ? KeyMaterial::key_file_bytes_min : 1;
  const std::size_t size = material.bytes.bytes().size();
  if (size >= least && size <= KeyMaterial::bytes_max) return {};
  return refuse(Errc::limit_exceeded, to_string(material.kind),
                fmt::format("{} bytes, expected {} to {}", size, least, KeyMaterial::bytes_max));
}

std::uint64_t milliseconds_now() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(now).count());
}

std::string text_of(const json::object& root, std::string_view field) {
  const json::value* value = root.if_contains(field);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : "";
}

std::uint64_t number_of(const json::object& root, std::string_view field) {
  const json::value* value = root.if_contains(field);
  if (value == nullptr || !value->is_int64() || value->get_int64() < 0) return 0;
  return static_cast<std::uint64_t>(value->get_int64());
}

ScryptCost cost_of(const json::object& root) {
  const auto small = [&](std::string_view field) {
    return static_cast<std::uint32_t>(std::min<std::uint64_t>(number_of(root, field), UINT32_MAX));
  };
  return {.n = number_of(root, "scrypt_n"), .r = small("scrypt_r"), .p = small("scrypt_p")};
}

}  // namespace

std::string_view to_string(KeyKind kind) noexcept {
  return kind_names[static_cast<std::size_t>(kind)];
}

bool is_key_slot_id(std::string_view text) noexcept {
  std::array<std::byte, id_digits / 2> id{};
  return from_hex(text, id);
}

Result<KeySlot> make_key_slot(const RepositorySecret& secret,
                              const RepositoryCipher::Id& repository, const NewKeySlot& slot) {
  if (!is_label(slot.label))
    return refuse(Errc::bad_name, "key slot", "a label is of up to 128 printable characters");
  if (auto ok = check_material(slot.material); !ok) return std::unexpected(std::move(ok.error()));
  KeySlot made;
  made.kind = slot.material.kind;
  made.label = slot.label;
  made.created_at_ms = milliseconds_now();
  made.cost = made.kind == KeyKind::key_file ? ScryptCost{.n = 0, .r = 0, .p = 0} : slot.cost;
  if (made.kind != KeyKind::key_file && !is_affordable(made.cost))
    return refuse(Errc::limit_exceeded, "key slot", "the cost of scrypt");
  std::array<std::byte, id_digits / 2> id{};
  if (auto ok = fill_random(id); !ok) return std::unexpected(std::move(ok.error()));
  if (auto ok = fill_random(made.salt); !ok) return std::unexpected(std::move(ok.error()));
  made.id = to_hex(id);
  const auto key = wrapping_key(made, slot.material.bytes.bytes());
  if (!key) return std::unexpected(key.error());
  const std::string header = header_of(made, repository);
  gcm_seal(*key, counter_nonce(0), std::as_bytes(std::span(header)), secret, made.wrapped);
  return made;
}

Result<std::optional<RepositorySecret>> open_key_slot(const KeySlot& slot,
                                                      const RepositoryCipher::Id& repository,
                                                      const KeyMaterial& material) {
  const bool for_file = slot.kind == KeyKind::key_file;
  if (for_file != (material.kind == KeyKind::key_file)) return std::nullopt;
  const auto key = wrapping_key(slot, material.bytes.bytes());
  if (!key) return std::unexpected(key.error());
  const std::string header = header_of(slot, repository);
  RepositorySecret secret;
  if (gcm_open(*key, counter_nonce(0), std::as_bytes(std::span(header)), slot.wrapped, secret))
    return std::optional(secret);
  return std::nullopt;
}

std::string serialize(const KeySlot& slot) {
  json::object root{{"magic", magic},
                    {"kind", to_string(slot.kind)},
                    {"label", slot.label},
                    {"created_at_ms", slot.created_at_ms},
                    {"salt", to_hex(slot.salt)},
                    {"wrapped", to_hex(slot.wrapped)}};
  if (slot.kind != KeyKind::key_file) {
    root["scrypt_n"] = slot.cost.n;
    root["scrypt_r"] = slot.cost.r;
    root["scrypt_p"] = slot.cost.p;
  }
  return seal(json::serialize(root));
}

Result<KeySlot> parse_key_slot(std::string_view sealed, std::string_view id,
                               std::string_view object) {
  const auto text = unseal(sealed, object);
  if (!text) return std::unexpected(text.error());
  boost::system::error_code bad;
  const json::value parsed = json::parse(*text, bad);
  if (bad || !parsed.is_object()) return refuse(Errc::corrupt, object, "not a JSON object");
  const json::object& root = parsed.get_object();
  if (text_of(root, "magic") != magic) return refuse(Errc::corrupt, object, "not a key slot");
  const std::string kind = text_of(root, "kind");
  const auto known = std::ranges::find(kind_names, kind);
  if (known == kind_names.end())
    return refuse(Errc::unsupported_feature, object, "kind \"" + kind + '"');
  KeySlot slot;
  slot.id = id;
  slot.kind = static_cast<KeyKind>(known - kind_names.begin());
  slot.label = text_of(root, "label");
  slot.created_at_ms = number_of(root, "created_at_ms");
  slot.cost = cost_of(root);
  if (!is_label(slot.label) || !from_hex(text_of(root, "salt"), slot.salt) ||
      !from_hex(text_of(root, "wrapped"), slot.wrapped))
    return refuse(Errc::corrupt, object, "label, salt or wrapped secret");
  if (slot.kind != KeyKind::key_file && !is_affordable(slot.cost))
    return refuse(Errc::limit_exceeded, object, "the cost of scrypt");
  return slot;
}

}  // namespace sluice::storage
