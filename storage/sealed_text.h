#pragma once

#include <string>
#include <string_view>

#include "storage/error.h"
#include "storage/secret.h"

namespace sluice::storage {

/// A small text with its own checksum as last line: "<text>\nXXH3-128:<32 hex digits>\n".
/// `text` is of printable kind and does not end in a newline.
[[nodiscard]] std::string seal(std::string_view text);

/// The text of a sealed file, within `sealed`. `object` opens the detail.
/// Errors: truncated without a last line of that form; checksum_mismatch.
[[nodiscard]] Result<std::string_view> unseal(std::string_view sealed, std::string_view object);

/// The text and, as a line after it, its HMAC-SHA-256 under `key`: to be sealed with it.
[[nodiscard]] std::string add_mac(std::string_view text, const SecretKey& key);
/// The text without that line. A null `key` checks nothing and takes a text without one too.
/// Errors: not_authentic when the line is missing or is not that of `key`.
[[nodiscard]] Result<std::string_view> check_mac(std::string_view text, const SecretKey* key,
                                                 std::string_view object);

}  // namespace sluice::storage
