#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace sluice::rdb {

/// Bytes as printable ASCII: backslash, quote and what is not printable become \\, \" and \xHH.
/// At most `bytes_max` input bytes are shown; "..." follows when there were more.
[[nodiscard]] std::string escape(std::span<const std::byte> bytes, std::size_t bytes_max = 128);

}  // namespace sluice::rdb
