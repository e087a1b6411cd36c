#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "rdb/value_type.h"

namespace sluice::engine {

/// Puts the elements of sets and hashes that are stored as hash tables in ascending order of the
/// encoded bytes of member or field. A server writes them in the order of its table, which differs
/// from one process to the next; sorted, the same data are the same bytes.
///
/// Memory:  24 bytes an element, so 24 MiB at most; kept from one value to the next.
/// Threads: none; one at a time.
class CanonicalValue {
 public:
  /// Longer values stay as they are: they are stored in fragments, as they come.
  static constexpr std::size_t value_bytes_max = 1 << 20;

  /// Whether values of this type have an order of the server's.
  [[nodiscard]] static bool applies_to(const rdb::ValueType& type) noexcept;

  /// Fills `out`, replacing what is in it, with the value in canonical order. False when the value
  /// is to be kept as it is: of another type, too long, sorted already, or not one whose elements
  /// can be told apart. `out` then holds anything. `value` and `out` must not overlap.
  [[nodiscard]] bool canonicalise(const rdb::ValueType& type, std::span<const std::byte> value,
                                  std::vector<std::byte>& out);

 private:
  struct Element {
    std::uint64_t prefix = 0;  // the first bytes of the token that decides, as they compare
    std::uint32_t at = 0;      // in the value
    std::uint32_t bytes = 0;
    std::uint32_t token_at = 0;
    std::uint32_t token_bytes = 0;
  };

  [[nodiscard]] bool find_elements(const rdb::Program& program);
  [[nodiscard]] bool is_before(const Element& left, const Element& right) const noexcept;
  [[nodiscard]] std::span<const std::byte> bytes(const Element& of) const noexcept {
    return value_.subspan(of.at, of.bytes);
  }

  std::span<const std::byte> value_;  // that is being looked at
  std::vector<Element> elements_;
  std::uint32_t head_bytes_ = 0;  // before the first
  bool is_sorted_ = false;
};

}  // namespace sluice::engine
