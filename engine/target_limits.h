#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <string>

namespace sluice::engine {

/// What a server takes from a client. It hangs up on one that sends more.
/// Source: Redis src/networking.c, processMultibulkBuffer() and readQueryFromClient();
/// src/t_string.c, checkStringLength().
struct TargetLimits {
  std::uint64_t bulk_bytes_max = 512ULL << 20;  ///< proto-max-bulk-len; of a string, however made.
  std::uint64_t query_bytes_max = 1ULL << 30;   ///< client-query-buffer-limit.

  /// Of one argument, with room for what stands around it.
  [[nodiscard]] std::uint64_t argument_bytes_max() const noexcept {
    constexpr std::uint64_t room_bytes = 1 << 20;
    return std::min(bulk_bytes_max, query_bytes_max - std::min(query_bytes_max / 8, room_bytes));
  }

  /// What makes a server with these limits take an argument of `size` bytes.
  [[nodiscard]] std::string remedy(std::uint64_t size) const {
    const TargetLimits other{.bulk_bytes_max = std::max(size, bulk_bytes_max),
                             .query_bytes_max = query_bytes_max};
    std::string text = size > bulk_bytes_max ? fmt::format(
                                                   "raise proto-max-bulk-len there (CONFIG SET "
                                                   "proto-max-bulk-len {})",
                                                   size)
                                             : "";
    if (size <= other.argument_bytes_max()) return text;
    const std::uint64_t query = size + (2 << 20);
    return text + fmt::format(
                      "{} client-query-buffer-limit there (CONFIG SET "
                      "client-query-buffer-limit {})",
                      text.empty() ? "raise" : " and", query);
  }

  /// The same for what is sent in parts, of which only the whole counts.
  [[nodiscard]] TargetLimits for_parts() const noexcept {
    return {.bulk_bytes_max = bulk_bytes_max,
            .query_bytes_max = std::numeric_limits<std::uint64_t>::max()};
  }

  /// What both servers take.
  [[nodiscard]] TargetLimits least(const TargetLimits& other) const noexcept {
    return {.bulk_bytes_max = std::min(bulk_bytes_max, other.bulk_bytes_max),
            .query_bytes_max = std::min(query_bytes_max, other.query_bytes_max)};
  }
};

}  // namespace sluice::engine
