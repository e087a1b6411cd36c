#include "storage/identity.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include <algorithm>
#include <cerrno>
#include <new>
#include <string>
#include <vector>

#include "storage/openssl.h"

namespace sluice::storage {
namespace {

using Kdf = std::unique_ptr<EVP_KDF, Freed<EVP_KDF_free>>;
using KdfContext = std::unique_ptr<EVP_KDF_CTX, Freed<EVP_KDF_CTX_free>>;
using Mac = std::unique_ptr<EVP_MAC, Freed<EVP_MAC_free>>;
using MacContext = std::unique_ptr<EVP_MAC_CTX, Freed<EVP_MAC_CTX_free>>;

std::string sha256_name() { return "SHA256"; }

/// OpenSSL takes what it only reads as if it wrote to it.
OSSL_PARAM octets(const char* name, std::span<const std::byte> bytes) {
  return OSSL_PARAM_construct_octet_string(name, const_cast<std::byte*>(bytes.data()),
                                           bytes.size());
}

}  // namespace

Result<void> hkdf_sha256(std::span<const std::byte> secret, std::span<const std::byte> salt,
                         std::string_view info, std::span<std::byte> into) {
  const auto failed = [] { return std::unexpected(system_error(EIO, "HKDF-SHA-256", "OpenSSL")); };
  const Kdf kdf(EVP_KDF_fetch(nullptr, "HKDF", nullptr));
  if (!kdf) return failed();
  const KdfContext context(EVP_KDF_CTX_new(kdf.get()));
  if (!context) return failed();
  std::string digest = sha256_name();
  std::vector<OSSL_PARAM> parameters{
      OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest.data(), digest.size()),
      octets(OSSL_KDF_PARAM_KEY, secret)};
  // What is empty must be left out: OpenSSL refuses a parameter without bytes.
  if (!salt.empty()) parameters.push_back(octets(OSSL_KDF_PARAM_SALT, salt));
  if (!info.empty())
    parameters.push_back(octets(OSSL_KDF_PARAM_INFO, std::as_bytes(std::span(info))));
  parameters.push_back(OSSL_PARAM_construct_end());
  if (EVP_KDF_derive(context.get(), chars(into), into.size(), parameters.data()) != 1)
    return failed();
  return {};
}

Result<RepositoryKeys> derive_keys(const RepositorySecret& secret,
                                   std::span<const std::byte> repository_id) {
  RepositoryKeys keys;
  if (auto ok = hkdf_sha256(secret, repository_id, "chunk-id", keys.chunk_id); !ok)
    return std::unexpected(std::move(ok.error()));
  if (auto ok = hkdf_sha256(secret, repository_id, "cut", keys.cut); !ok)
    return std::unexpected(std::move(ok.error()));
  return keys;
}

IdentityHalf first_half(const format::Identity& identity) noexcept {
  IdentityHalf half{};
  std::copy_n(identity.begin(), half.size(), half.begin());
  return half;
}

struct Identifier::State {
  MacContext context;
};

Identifier::Identifier(std::span<const std::byte> key) : state_(std::make_unique<State>()) {
  // What gave the keys (hkdf_sha256) has the same hash, so only memory can be missing here.
  const Mac mac(EVP_MAC_fetch(nullptr, "HMAC", nullptr));
  if (mac) state_->context.reset(EVP_MAC_CTX_new(mac.get()));
  if (!state_->context) throw std::bad_alloc();
  std::string digest = sha256_name();
  const std::array<OSSL_PARAM, 2> parameters{
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest.data(), digest.size()),
      OSSL_PARAM_construct_end()};
  if (EVP_MAC_init(state_->context.get(), chars(key), key.size(), parameters.data()) != 1)
    throw std::bad_alloc();
}

Identifier::~Identifier() = default;

void Identifier::begin() {
  // Without a key: the padded key, hashed once, is kept from call to call.
  if (EVP_MAC_init(state_->context.get(), nullptr, 0, nullptr) != 1) throw std::bad_alloc();
}

void Identifier::update(std::span<const std::byte> bytes) {
  if (bytes.empty()) return;
  if (EVP_MAC_update(state_->context.get(), chars(bytes), bytes.size()) != 1)
    throw std::bad_alloc();
}

format::Identity Identifier::finish() {
  format::Identity identity{};
  std::size_t size = 0;
  if (EVP_MAC_final(state_->context.get(), reinterpret_cast<unsigned char*>(identity.data()), &size,
                    identity.size()) != 1)
    throw std::bad_alloc();
  return identity;
}

format::Identity Identifier::identify(format::BlobType type, std::span<const std::byte> raw) {
  const auto first = static_cast<std::byte>(type);
  begin();
  update(std::span(&first, 1));
  update(raw);
  return finish();
}

}  // namespace sluice::storage
