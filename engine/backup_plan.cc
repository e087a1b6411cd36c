#include "engine/backup_plan.h"

#include <fmt/format.h>

#include <charconv>
#include <ranges>

#include "engine/check_record.h"
#include "engine/errors.h"
#include "engine/repository_access.h"

namespace sluice::engine {
namespace {

using storage::Compression;
using storage::CompressionCodec;

constexpr std::string_view zstd_with_level = "zstd:";

Result<std::unique_ptr<ParentBackup>> open_parent(const storage::Repository& repository,
                                                  const storage::BackupKey& key) {
  auto backup = open_backup(repository, key);
  if (!backup) return std::unexpected(backup.error());
  if (backup->stored.head_damage) return std::unexpected(from_storage(*backup->stored.head_damage));
  return ParentBackup::of(*std::move(backup));
}

/// Why a backup is not to be built on: damage that a check has found and none has found gone. What
/// checks have left may be lost or unreadable, which is no reason.
std::optional<std::string> known_damage(const storage::Repository& repository,
                                        const storage::BackupKey& key) {
  const auto record = load_check_record(repository, key);
  if (!record || !record->bad || !record->bad->data) return std::nullopt;
  return fmt::format("backup {} was found damaged at {} and is not built on", key.id,
                     format_time(record->bad->at_ms));
}

}  // namespace

Result<Compression> parse_compression(const std::string& text) {
  if (text == "lz4") return Compression{.codec = CompressionCodec::lz4};
  if (text == "none") return Compression{.codec = CompressionCodec::none};
  if (text == "zstd") return Compression{.codec = CompressionCodec::zstd};
  if (text.starts_with(zstd_with_level)) {
    const char* const from = text.data() + zstd_with_level.size();
    const char* const to = text.data() + text.size();
    int level = 0;
    const auto [end, ec] = std::from_chars(from, to, level);
    if (ec == std::errc() && end == to && level >= 1 && level <= Compression::level_max)
      return Compression{.codec = CompressionCodec::zstd, .level = level};
  }
  return std::unexpected(Error{
      .stage = Stage::usage,
      .code = "bad_option",
      .message = fmt::format("compression \"{}\": use lz4, zstd, zstd:LEVEL (1 to {}) or none",
                             text, Compression::level_max)});
}

std::string to_text(const Compression& compression) {
  switch (compression.codec) {
    case CompressionCodec::none: return "none";
    case CompressionCodec::lz4: return "lz4";
    case CompressionCodec::zstd: return fmt::format("{}{}", zstd_with_level, compression.level);
  }
  return "unknown";
}

Result<std::unique_ptr<ParentBackup>> choose_parent(const storage::Repository& repository,
                                                    const std::string& instance,
                                                    const BackupOptions& options,
                                                    const ProgressMeter& meter) {
  if (options.layout == BackupLayout::stream || options.parent == "none") return nullptr;
  if (!options.parent.empty()) {
    const auto key = resolve(repository, options.parent);
    if (!key) return std::unexpected(key.error());
    return open_parent(repository, *key);
  }
  // Mostly the newest one will do, and the others need not be looked at.
  if (const auto key = repository.newest(instance); key && !known_damage(repository, *key)) {
    if (auto parent = open_parent(repository, *key)) return parent;
  }
  const auto listed = repository.list(instance);
  if (!listed) return std::unexpected(from_storage(listed.error()));
  for (const storage::BackupInfo& info : std::views::reverse(*listed)) {
    if (info.damage) {
      meter.notice(fmt::format("backup {} is damaged and is not built on: {}", info.key.id,
                               from_storage(*info.damage).message));
      continue;
    }
    if (const auto damage = known_damage(repository, info.key)) {
      meter.notice(*damage);
      continue;
    }
    auto parent = open_parent(repository, info.key);
    if (parent) return parent;  // else one in stream layout, mostly
  }
  return nullptr;
}

}  // namespace sluice::engine
