#include "storage/sealed_text.h"

#include <fmt/format.h>

#include "storage/checksum.h"
#include "storage/identity.h"

namespace sluice::storage {
namespace {

constexpr std::string_view mark = "\nXXH3-128:";
constexpr std::size_t digest_digits = 32;
constexpr std::size_t tail_size = mark.size() + digest_digits + 1;

constexpr std::string_view mac_mark = "\nHMAC-SHA-256:";
constexpr std::size_t mac_size = mac_mark.size() + 2 * sizeof(format::Identity);

std::string mac_line(std::string_view text, const SecretKey& key) {
  Identifier mac(key);
  mac.begin();
  mac.update(std::as_bytes(std::span(text)));
  return fmt::format("{}{}", mac_mark, to_hex(mac.finish()));
}

}  // namespace

std::string add_mac(std::string_view text, const SecretKey& key) {
  return fmt::format("{}{}", text, mac_line(text, key));
}

Result<std::string_view> check_mac(std::string_view text, const SecretKey* key,
                                   std::string_view object) {
  const auto line = text.substr(text.size() - std::min(text.size(), mac_size));
  const bool has_line = line.size() == mac_size && line.starts_with(mac_mark);
  const auto without = has_line ? text.substr(0, text.size() - mac_size) : text;
  if (key == nullptr || (has_line && line == mac_line(without, *key))) return without;
  return std::unexpected(Error{.code = Errc::not_authentic, .detail = std::string(object)});
}

std::string seal(std::string_view text) {
  const auto digest = xxh3_128(std::as_bytes(std::span(text)));
  return fmt::format("{}{}{}\n", text, mark, to_hex(digest));
}

Result<std::string_view> unseal(std::string_view sealed, std::string_view object) {
  const auto tail = sealed.substr(sealed.size() - std::min(sealed.size(), tail_size));
  format::Digest written{};
  if (tail.size() != tail_size || !tail.starts_with(mark) || !tail.ends_with('\n') ||
      !from_hex(tail.substr(mark.size(), digest_digits), written)) {
    return std::unexpected(Error{.code = Errc::truncated,
                                 .detail = fmt::format("{}: no checksum line at the end", object)});
  }
  const auto text = sealed.substr(0, sealed.size() - tail_size);
  if (const auto found = xxh3_128(std::as_bytes(std::span(text))); found != written) {
    return std::unexpected(Error{.code = Errc::checksum_mismatch,
                                 .detail = fmt::format("{}: expected {}, found {}", object,
                                                       to_hex(written), to_hex(found))});
  }
  return text;
}

}  // namespace sluice::storage
