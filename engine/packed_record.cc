#include "engine/packed_record.h"

namespace sluice::engine {
namespace {

template <class Number>
std::byte* put(std::byte* into, Number number) noexcept {
  std::memcpy(into, &number, sizeof number);
  return into + sizeof number;
}

std::byte* put(std::byte* into, std::span<const std::byte> bytes) noexcept {
  if (!bytes.empty()) std::memcpy(into, bytes.data(), bytes.size());
  return into + bytes.size();
}

}  // namespace

void PackedRecord::pack(const Record& record, std::span<const std::byte> label,
                        std::byte* into) noexcept {
  std::uint8_t flags = 0;
  if (record.expire_at_ms) flags |= expiry;
  if (record.idle_s) flags |= idle;
  if (record.freq) flags |= freq;
  if (!record.meta.empty()) flags |= meta;
  if (record.fragmented) flags |= fragmented;
  if (record.foreign) flags |= foreign;
  into = put(into, static_cast<std::uint32_t>(label.size()));
  into = put(into, static_cast<std::uint32_t>(record.value.size()));
  into = put(into, record.type);
  into = put(into, flags);
  if (record.expire_at_ms) into = put(into, *record.expire_at_ms);
  if (record.idle_s) into = put(into, *record.idle_s);
  if (record.freq) into = put(into, *record.freq);
  if (!record.meta.empty()) into = put(into, static_cast<std::uint32_t>(record.meta.size()));
  into = put(into, label);
  into = put(into, record.meta);
  put(into, record.value);
}

Record PackedRecord::unpack(bool by_slot) const noexcept {
  Record record;
  const std::uint8_t set = flags();
  record.type = load<std::uint8_t>(type_at);
  std::size_t at = head_bytes;
  if ((set & expiry) != 0) {
    record.expire_at_ms = load<std::int64_t>(at);
    at += sizeof(std::int64_t);
  }
  if ((set & idle) != 0) {
    record.idle_s = load<std::uint64_t>(at);
    at += sizeof(std::uint64_t);
  }
  if ((set & freq) != 0) record.freq = load<std::uint8_t>(at);
  record.fragmented = (set & fragmented) != 0;
  record.foreign = (set & foreign) != 0;
  at = label_at();
  const std::size_t slot_bytes = by_slot ? 2 : 0;
  record.key = {at_ + at + slot_bytes, label_bytes() - slot_bytes};
  at += label_bytes();
  record.meta = {at_ + at, meta_bytes()};
  record.value = {at_ + at + record.meta.size(), load<std::uint32_t>(value_bytes_at)};
  return record;
}

}  // namespace sluice::engine
