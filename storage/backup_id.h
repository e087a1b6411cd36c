#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "storage/error.h"

namespace sluice::storage {

/// A backup's id. Its text, YYYYMMDDTHHMMSSmmmZ-xxxxxxxx, sorts as the value does.
struct BackupId {
  static constexpr std::size_t text_size = 28;

  std::uint64_t time_ms = 0;  ///< Unix time, UTC; before the year 10000.
  std::uint32_t random = 0;

  friend auto operator<=>(const BackupId&, const BackupId&) = default;
};

/// Whether the id has a text: one read from a file may be anything.
[[nodiscard]] bool has_text(const BackupId& id) noexcept;
/// Precondition: has_text(id).
[[nodiscard]] std::string to_string(const BackupId& id);
/// nullopt unless `text` is exactly what to_string() gives for some id.
[[nodiscard]] std::optional<BackupId> parse_backup_id(std::string_view text);
/// A new id: the time now, or one millisecond after `newest` where the clock is behind it.
[[nodiscard]] Result<BackupId> make_backup_id(std::optional<BackupId> newest);

/// A pack's id: <backup id>-<sequence in 8 hex digits>. So its owner can be told from its name.
struct PackId {
  static constexpr std::size_t text_size = BackupId::text_size + 9;

  BackupId backup;
  std::uint32_t sequence = 0;

  friend auto operator<=>(const PackId&, const PackId&) = default;
};

[[nodiscard]] std::string to_string(const PackId& id);
[[nodiscard]] std::optional<PackId> parse_pack_id(std::string_view text);
/// The shard, 0 to 255, that holds the pack. Packs of one backup lie in successive shards.
[[nodiscard]] unsigned shard_of(const PackId& id) noexcept;
/// Two lower-case hex digits.
[[nodiscard]] std::string shard_name(unsigned shard);

/// Errc::bad_name unless [A-Za-z0-9][A-Za-z0-9._-]{0,127}.
[[nodiscard]] Result<void> check_instance_name(std::string_view instance);

/// Random bytes of the operating system's quality.
[[nodiscard]] Result<void> fill_random(std::span<std::byte> into);

}  // namespace sluice::storage
