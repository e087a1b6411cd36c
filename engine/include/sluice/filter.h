#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace sluice {

/// Slots of a cluster, both ends included; below 16384.
struct SlotRange {
  std::uint16_t first = 0;
  std::uint16_t last = 0;
};

/// Conditions on keys, of four kinds: name, type, database, slot.
struct KeyConditions {
  std::vector<std::string> globs;      ///< Of names, as the command KEYS has them.
  std::vector<std::string> regexes;    ///< RE2 syntax, found anywhere in a name. Bytes are letters.
  std::vector<std::string> key_files;  ///< Files of names, one a line; docs/cli.md.
  std::vector<std::string> types;      ///< "string", "list", "set", "zset", "hash", "stream", …
  std::vector<std::uint64_t> databases;
  std::vector<SlotRange> slots;

  [[nodiscard]] bool has_names() const noexcept {
    return !globs.empty() || !regexes.empty() || !key_files.empty();
  }
  [[nodiscard]] bool empty() const noexcept {
    return !has_names() && types.empty() && databases.empty() && slots.empty();
  }
};

/// Which keys are meant. Databases and names are those of the source.
struct KeyChoice {
  /// A key is chosen when, of each kind that has conditions here, one holds …
  KeyConditions only;
  /// … and none at all of these does.
  KeyConditions except;

  [[nodiscard]] bool all() const noexcept { return only.empty() && except.empty(); }
};

/// What happens to the expiries of keys, and of the fields of hashes.
enum class TtlMode : std::uint8_t {
  keep,   ///< They expire when they would have.
  drop,   ///< They do not expire any more.
  shift,  ///< They live as long as they had left when the data were saved.
};

/// Which keys go somewhere, and as what.
struct Filter {
  KeyChoice keys;
  std::map<std::uint64_t, std::uint64_t> databases;  ///< From which to which; others stay.
  std::string prefix;                                ///< Put before each name.
  TtlMode ttl = TtlMode::keep;
  /// With TtlMode::shift: by how much instead. Milliseconds, may be negative.
  std::optional<std::int64_t> shift_ms;
  /// Function libraries and what else is not in keys, though keys are chosen. When all keys go,
  /// they go too.
  bool functions = false;

  [[nodiscard]] bool takes_functions() const noexcept { return functions || keys.all(); }
  /// Whether everything goes as it is.
  [[nodiscard]] bool empty() const noexcept {
    return keys.all() && databases.empty() && prefix.empty() && ttl == TtlMode::keep;
  }
};

}  // namespace sluice
