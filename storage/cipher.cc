#include "storage/cipher.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <algorithm>
#include <cassert>
#include <cstring>
#include <new>

#include "storage/openssl.h"

namespace sluice::storage {
namespace {

using Cipher = std::unique_ptr<EVP_CIPHER, Freed<EVP_CIPHER_free>>;
using CipherContext = std::unique_ptr<EVP_CIPHER_CTX, Freed<EVP_CIPHER_CTX_free>>;
using HashContext = std::unique_ptr<EVP_MD_CTX, Freed<EVP_MD_CTX_free>>;

constexpr std::size_t tag_bytes = format::tag_bytes;

using storage::chars;
const unsigned char* chars(const SecretKey& key) noexcept {
  return chars(std::span<const std::byte>(key));
}

void must(bool done) {
  if (!done) throw std::bad_alloc();
}

/// Fetched once: to look the cipher up takes longer than to encrypt a small blob.
const EVP_CIPHER* aes_256_gcm() {
  static const Cipher cipher(EVP_CIPHER_fetch(nullptr, "AES-256-GCM", nullptr));
  must(cipher != nullptr);
  return cipher.get();
}

EVP_CIPHER_CTX* context_of_thread() {
  thread_local const CipherContext context(EVP_CIPHER_CTX_new());
  must(context != nullptr);
  return context.get();
}

/// Leaves no key schedule behind in the thread's context.
class ContextUse {
 public:
  ContextUse() : context_(context_of_thread()) {}
  ContextUse(const ContextUse&) = delete;
  ContextUse& operator=(const ContextUse&) = delete;
  ~ContextUse() { EVP_CIPHER_CTX_reset(context_); }
  [[nodiscard]] EVP_CIPHER_CTX* get() const noexcept { return context_; }

 private:
  EVP_CIPHER_CTX* context_;
};

}  // namespace

void wipe(std::span<std::byte> bytes) noexcept { OPENSSL_cleanse(bytes.data(), bytes.size()); }

GcmNonce counter_nonce(std::uint64_t counter) noexcept {
  GcmNonce nonce{};
  std::memcpy(nonce.data() + 4, &counter, sizeof counter);
  return nonce;
}

void gcm_seal(const SecretKey& key, const GcmNonce& nonce, std::span<const std::byte> aad,
              std::span<const std::byte> plain, std::span<std::byte> sealed) {
  assert(sealed.size() == plain.size() + tag_bytes);
  const ContextUse use;
  int size = 0;
  must(EVP_EncryptInit_ex2(use.get(), aes_256_gcm(), chars(key), chars(nonce), nullptr) == 1);
  must(EVP_EncryptUpdate(use.get(), nullptr, &size, chars(aad), static_cast<int>(aad.size())) == 1);
  if (!plain.empty())
    must(EVP_EncryptUpdate(use.get(), chars(sealed), &size, chars(plain),
                           static_cast<int>(plain.size())) == 1);
  must(EVP_EncryptFinal_ex(use.get(), chars(sealed.subspan(plain.size())), &size) == 1);
  must(EVP_CIPHER_CTX_ctrl(use.get(), EVP_CTRL_AEAD_GET_TAG, static_cast<int>(tag_bytes),
                           sealed.data() + plain.size()) == 1);
}

bool gcm_open(const SecretKey& key, const GcmNonce& nonce, std::span<const std::byte> aad,
              std::span<const std::byte> sealed, std::span<std::byte> plain) {
  assert(sealed.size() == plain.size() + tag_bytes);
  const ContextUse use;
  std::array<std::byte, tag_bytes> tag{};
  std::ranges::copy(sealed.last(tag_bytes), tag.begin());
  int size = 0;
  must(EVP_DecryptInit_ex2(use.get(), aes_256_gcm(), chars(key), chars(nonce), nullptr) == 1);
  must(EVP_DecryptUpdate(use.get(), nullptr, &size, chars(aad), static_cast<int>(aad.size())) == 1);
  if (!plain.empty())
    must(EVP_DecryptUpdate(use.get(), chars(plain), &size, chars(sealed),
                           static_cast<int>(plain.size())) == 1);
  must(EVP_CIPHER_CTX_ctrl(use.get(), EVP_CTRL_AEAD_SET_TAG, static_cast<int>(tag_bytes),
                           tag.data()) == 1);
  std::array<unsigned char, 16> none{};
  return EVP_DecryptFinal_ex(use.get(), none.data(), &size) == 1;
}

struct Sha256::State {
  HashContext context{EVP_MD_CTX_new()};
};

Sha256::Sha256() : state_(std::make_unique<State>()) {
  must(state_->context && EVP_DigestInit_ex2(state_->context.get(), EVP_sha256(), nullptr) == 1);
}
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;
Sha256::~Sha256() = default;

void Sha256::update(std::span<const std::byte> bytes) {
  must(EVP_DigestUpdate(state_->context.get(), bytes.data(), bytes.size()) == 1);
}

Sha256::Digest Sha256::finish() {
  Digest digest{};
  must(EVP_DigestFinal_ex(state_->context.get(), chars(std::span<std::byte>(digest)), nullptr) ==
       1);
  return digest;
}

}  // namespace sluice::storage
