#include "rdb/dump.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "rdb/crc64.h"
#include "rdb/escape.h"

namespace sluice::rdb {
namespace {

constexpr std::uint16_t oldest_version = 6;     // Redis 2.6 brought DUMP
constexpr std::uint16_t key_meta_version = 13;  // Redis 8.6

}  // namespace

Result<DumpPayload> DumpPayload::begin(const RecordHeader& record) {
  if (!record.type->in_dump) {
    return std::unexpected(Error{.code = Errc::not_representable,
                                 .offset = record.offset,
                                 .record = record.index,
                                 .db = record.db,
                                 .key = escape(record.key),
                                 .detail = "type " + std::string(record.type->name)});
  }
  DumpPayload payload;
  payload.version_ = std::max(oldest_version, record.type->since);
  if (!record.key_meta.empty()) payload.version_ = std::max(payload.version_, key_meta_version);
  payload.head_.assign(record.key_meta.begin(), record.key_meta.end());
  payload.head_.push_back(std::byte{record.type->number});
  payload.crc_ = crc64(0, payload.head_);
  return payload;
}

void DumpPayload::add(std::span<const std::byte> part) noexcept { crc_ = crc64(crc_, part); }

std::array<std::byte, DumpPayload::footer_bytes> DumpPayload::footer() const noexcept {
  std::array<std::byte, footer_bytes> footer;
  std::memcpy(footer.data(), &version_, sizeof version_);
  const std::uint64_t crc = crc64(crc_, std::span(footer).first(sizeof version_));
  std::memcpy(footer.data() + sizeof version_, &crc, sizeof crc);
  return footer;
}

}  // namespace sluice::rdb
