#pragma once

#include <cstdint>
#include <optional>

#include "rdb/handler.h"

namespace sluice::engine {

/// In which form a backup is fed to a server.
struct FeedForm {
  /// Version to convert to; nullopt: the server takes that of the backup.
  std::optional<rdb::Header> converted;
  /// Unix time: keys that expire at or before it are left out. The same for every pass, so that all
  /// of them have one length.
  std::int64_t cutoff_ms = 0;
};

/// The version in which `source` is fed to a server whose own dumps are `own`; nullopt: as it is.
[[nodiscard]] std::optional<rdb::Header> version_to_feed(const rdb::Header& own,
                                                         const rdb::Header& source) noexcept;

}  // namespace sluice::engine
