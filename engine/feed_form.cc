#include "engine/feed_form.h"

#include <algorithm>

#include "engine/target_format.h"

namespace sluice::engine {
namespace {

constexpr unsigned own_magic_version = 80;      // Valkey's first with a magic of its own
constexpr unsigned redis_version_written = 14;  // the newest that we can write

}  // namespace

std::optional<rdb::Header> version_to_feed(const rdb::Header& own,
                                           const rdb::Header& source) noexcept {
  if (!needs_conversion(source, own)) return std::nullopt;
  if (own.dialect == rdb::Dialect::valkey)
    return rdb::Header{.dialect = own.dialect, .version = own_magic_version};
  return rdb::Header{.dialect = own.dialect,
                     .version = std::min(own.version, redis_version_written)};
}

}  // namespace sluice::engine
