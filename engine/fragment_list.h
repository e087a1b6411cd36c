#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "rdb/digest128.h"
#include "sluice/result.h"
#include "storage/format.h"

namespace sluice::engine {

/// A piece of a long value: a chunk of its own.
struct Fragment {
  storage::format::Identity identity{};  ///< Of the chunk.
  std::uint32_t raw_bytes = 0;           ///< 1 to format::chunk_raw_bytes_max.

  friend bool operator==(const Fragment&, const Fragment&) = default;
};

/// Of a list's bytes: what comes before the first fragment.
inline constexpr std::size_t fragment_list_head_bytes = 1 + sizeof(rdb::Digest128);

/// What stands in the place of a value that is stored in fragments.
struct FragmentList {
  /// Sum of the digest terms of the record (docs/digest.md); none when it cannot be decoded.
  std::optional<rdb::Digest128> terms;
  std::vector<Fragment> fragments;  ///< In the order of the value; at least one.

  [[nodiscard]] std::uint64_t value_bytes() const noexcept;
  friend bool operator==(const FragmentList&, const FragmentList&) = default;
};

/// Replaces what is in `out`.
void write_fragment_list(const FragmentList& list, std::vector<std::byte>& out);

/// Replaces what is in `list`, whose memory is used again. `where` opens the message.
/// Errors: Stage::storage, "corrupt": whatever write_fragment_list() would not have written.
[[nodiscard]] Result<void> read_fragment_list(std::span<const std::byte> bytes,
                                              std::string_view where, FragmentList& list);

}  // namespace sluice::engine
