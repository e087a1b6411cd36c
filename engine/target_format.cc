#include "engine/target_format.h"

#include <array>
#include <utility>

namespace sluice::engine {
namespace {

using rdb::Dialect;
using rdb::Header;

struct Release {
  std::pair<unsigned, unsigned> from;  // major, minor
  unsigned rdb_version;
};

// Newest first.
constexpr std::array<Release, 10> redis_releases{{{{8, 8}, 14},
                                                  {{8, 6}, 13},
                                                  {{7, 4}, 12},
                                                  {{7, 2}, 11},
                                                  {{7, 0}, 10},
                                                  {{5, 0}, 9},
                                                  {{4, 0}, 8},
                                                  {{3, 2}, 7},
                                                  {{2, 6}, 6},
                                                  {{0, 0}, 6}}};
constexpr unsigned valkey_first_own_major = 9;
constexpr Header valkey_own{Dialect::valkey, 80};
constexpr Header last_common{Dialect::redis, 11};  // what Redis and Valkey both write

}  // namespace

std::optional<Header> rdb_format_of(const net::ServerInfo& server) {
  if (server.major == 0) return std::nullopt;
  if (server.flavor == net::Flavor::valkey) {
    return server.major >= valkey_first_own_major ? valkey_own : last_common;
  }
  if (server.flavor != net::Flavor::redis) return std::nullopt;
  const std::pair version(server.major, server.minor);
  for (const Release& release : redis_releases) {
    if (version >= release.from) return Header{Dialect::redis, release.rdb_version};
  }
  return std::nullopt;
}

std::optional<bool> is_older(const net::ServerInfo& server) {
  constexpr unsigned first_version = 10;  // of Redis 7.0
  const auto format = rdb_format_of(server);
  if (!format) return std::nullopt;
  return format->version < first_version;
}

bool needs_conversion(const Header& source, const Header& target) noexcept {
  if (source.dialect == target.dialect) return source.version > target.version;
  return source.dialect == Dialect::valkey || source.version > last_common.version;
}

}  // namespace sluice::engine
