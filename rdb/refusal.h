#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "rdb/error.h"
#include "rdb/handler.h"

namespace sluice::rdb {

/// What a number is that is not read, as far as it is known, and what can be done about it.
struct Refusal {
  /// Where the key is that the number stands before.
  enum class Key : std::uint8_t { none, follows, after_mask };

  Errc code{};
  Key key = Key::none;
  std::string detail;
};

/// `writer` is the program that the stream's aux fields name, or empty. What a number means to a
/// fork is certain only where they do; it may mean something else to a server newer than this.
///
/// Source: Dragonfly src/server/rdb_extensions.h and rdb_save.cc, KeyDB src/rdb.h, librdb.
[[nodiscard]] Refusal refuse_number(const Header& header, std::string_view writer,
                                    std::uint8_t number);

/// What the nine bytes are that are not a header.
[[nodiscard]] std::string refuse_magic(std::span<const std::byte> magic);

/// The program that alone writes an aux field of this name under the magic REDIS, or nothing.
[[nodiscard]] std::string_view writer_of_aux(std::string_view name) noexcept;

/// A type of the dialect that means something else to the fork that wrote the stream.
[[nodiscard]] bool is_taken_by_fork(const Header& header, std::string_view writer,
                                    std::uint8_t type) noexcept;

}  // namespace sluice::rdb
