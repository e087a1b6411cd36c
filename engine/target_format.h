#pragma once

#include <optional>

#include "net/client.h"
#include "rdb/handler.h"

namespace sluice::engine {

/// The version of the RDB files that a server writes itself, hence the newest encodings that it
/// takes. None for a server that does not say what it is: it is believed to take everything.
/// Source: RDB_VERSION in rdb.h of the releases; docs/rdb.md.
[[nodiscard]] std::optional<rdb::Header> rdb_format_of(const net::ServerInfo& server);

/// Whether its streams lack what came with Redis 7.0; none for a server that does not say.
[[nodiscard]] std::optional<bool> is_older(const net::ServerInfo& server);

/// Whether there may be values in a stream of `source` that a server of `target` does not take as
/// they are.
[[nodiscard]] bool needs_conversion(const rdb::Header& source, const rdb::Header& target) noexcept;

}  // namespace sluice::engine
