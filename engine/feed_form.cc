#include "engine/feed_form.h"

#include <algorithm>

namespace sluice::engine {
namespace {

constexpr unsigned common_version = 11;         // the last that both families write
constexpr unsigned own_magic_version = 80;      // Valkey's first with a magic of its own
constexpr unsigned redis_version_written = 14;  // the newest that we can write

}  // namespace

bool takes_version(const rdb::Header& own, const rdb::Header& offered) noexcept {
  if (offered.dialect == rdb::Dialect::valkey) {
    return own.dialect == rdb::Dialect::valkey && offered.version <= own.version;
  }
  const bool valkey = own.dialect == rdb::Dialect::valkey || own.version >= own_magic_version;
  return offered.version <= (valkey ? common_version : own.version);
}

std::optional<rdb::Header> version_to_feed(const rdb::Header& own,
                                           const rdb::Header& source) noexcept {
  if (takes_version(own, source)) return std::nullopt;
  if (own.dialect == rdb::Dialect::valkey)
    return rdb::Header{.dialect = own.dialect, .version = own_magic_version};
  return rdb::Header{.dialect = own.dialect,
                     .version = std::min(own.version, redis_version_written)};
}

}  // namespace sluice::engine
