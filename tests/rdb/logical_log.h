#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "rdb/error.h"
#include "rdb/handler.h"
#include "rdb/value_reader.h"

namespace sluice::rdb::testing {

/// A piece of a value: what it is, and what it says.
struct LogicalPiece {
  Role role{};
  std::string text;

  friend auto operator<=>(const LogicalPiece&, const LogicalPiece&) = default;
};

struct LogicalKey {
  const ValueType* type = nullptr;
  std::optional<std::int64_t> expire_at_ms;
  std::optional<std::uint64_t> lru_idle_s;
  std::optional<std::uint8_t> lfu_freq;
  std::string key_meta;
  /// An element with what belongs to it; in order of the text where the value has none.
  std::vector<std::vector<LogicalPiece>> elements;

  friend bool operator==(const LogicalKey&, const LogicalKey&) = default;
};

/// A stream as a client would see it, whatever the encodings.
struct Logical {
  std::map<std::pair<std::uint64_t, std::string>, LogicalKey> keys;
  std::vector<std::pair<std::string, std::string>> aux;
  std::vector<std::string> functions;
  std::optional<Error> error;
};

/// Reads it, strict in everything.
[[nodiscard]] Logical read_logical(std::string_view stream);

}  // namespace sluice::rdb::testing
