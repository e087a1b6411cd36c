#include "storage/private_text.h"

#include "storage/repository_cipher.h"
#include "storage/sealed_text.h"

namespace sluice::storage {

Result<std::string> seal_private(const Layout& layout, std::string_view object,
                                 std::string_view text) {
  const auto cipher = layout.need_cipher();
  if (!cipher) return std::unexpected(cipher.error());
  if (*cipher == nullptr) return seal(text);
  const auto encrypted = encrypt_text(**cipher, object, text);
  if (!encrypted) return std::unexpected(encrypted.error());
  return seal(*encrypted);
}

Result<std::string> unseal_private(const Layout& layout, std::string_view object,
                                   std::string_view sealed) {
  const auto text = unseal(sealed, layout.root().path_of(object));
  if (!text) return std::unexpected(text.error());
  const auto cipher = layout.need_cipher();
  if (!cipher) return std::unexpected(cipher.error());
  if (*cipher == nullptr) return std::string(*text);
  return decrypt_text(**cipher, object, *text);
}

std::uint64_t private_bytes_max(const Layout& layout) noexcept {
  return layout.mark().encrypted ? format::encrypted_text_bytes_max : format::text_bytes_max;
}

}  // namespace sluice::storage
