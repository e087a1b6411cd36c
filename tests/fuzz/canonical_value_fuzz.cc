// Property: what is put in canonical order has the same bytes in another order, is in canonical
// order, and means the same: either both are refused or both have the same dataset digest.
// Input: a byte that picks dialect and type, then the value.

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <span>
#include <vector>

#include "engine/canonical_value.h"
#include "rdb/digest.h"
#include "rdb/value_reader.h"

namespace {

using namespace sluice;
using Bytes = std::span<const std::byte>;

/// Nothing for a value that is refused.
std::optional<rdb::Digest128> digest_of(const rdb::Header& header, const rdb::ValueType& type,
                                        Bytes value) {
  rdb::RecordHeader record;
  record.type = &type;
  rdb::DatasetDigest digest;
  rdb::ValueReader reader(digest, {.texts = rdb::Roles::all(), .strict = false});
  digest.begin(record);
  reader.begin(record, header);
  if (!reader.feed(value) || !reader.end()) return std::nullopt;
  digest.end();
  return digest.value();
}

void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  rdb::Header header{.dialect = rdb::Dialect::redis, .version = 14};
  if (data[0] >= 0x80) header = {.dialect = rdb::Dialect::valkey, .version = 80};
  const rdb::ValueType* type = rdb::find_value_type(header.dialect, data[0] & 0x7F);
  if (type == nullptr) return 0;
  const Bytes value = std::as_bytes(std::span(data, size)).subspan(1);
  engine::CanonicalValue canonical;
  std::vector<std::byte> sorted;
  if (!canonical.canonicalise(*type, value, sorted)) return 0;
  std::vector<std::byte> again;
  require(!canonical.canonicalise(*type, sorted, again));
  require(digest_of(header, *type, sorted) == digest_of(header, *type, value));
  std::vector<std::byte> before(value.begin(), value.end());
  std::ranges::sort(before);
  std::ranges::sort(sorted);
  require(before == sorted);
  return 0;
}
