#include "storage/sealed_text.h"

#include <fmt/format.h>

#include "storage/checksum.h"

namespace sluice::storage {
namespace {

constexpr std::string_view mark = "\nXXH3-128:";
constexpr std::size_t digest_digits = 32;
constexpr std::size_t tail_size = mark.size() + digest_digits + 1;

}  // namespace

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
