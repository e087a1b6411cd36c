#include "engine/run_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "engine/key_order.h"
#include "engine/run_check.h"
#include "engine/varint.h"

namespace sluice::engine {
namespace {

constexpr std::size_t index_of(RunColumn column) noexcept {
  return static_cast<std::size_t>(column);
}

}  // namespace

Result<RunReader> RunReader::open(std::span<const std::byte> raw, std::string_view where) {
  RunCheck check(raw);
  if (auto fault = check.fault()) {
    return std::unexpected(Error{.stage = Stage::storage,
                                 .code = "corrupt",
                                 .message = fmt::format("{}: {}", where, *fault)});
  }
  return RunReader(check.header(), raw, check.key_bytes_max());
}

RunReader::RunReader(const RunHeader& header, std::span<const std::byte> raw,
                     std::size_t key_bytes_max)
    : header_(header), raw_(raw), key_(std::max(key_bytes_max, std::size_t{1})) {
  const std::byte* at = raw.data() + sizeof header_;
  for (std::size_t i = 0; i < run_column_count; ++i) {
    begins_[i] = at;
    at += header_.column_bytes[i];
  }
  rewind();
}

void RunReader::rewind() noexcept {
  at_ = begins_;
  left_ = header_.records;
}

bool RunReader::next(Record& record) {
  if (left_ == 0) return false;
  --left_;
  std::uint64_t shared = 0;
  std::uint64_t rest = 0;
  auto& keys = at_[index_of(RunColumn::keys)];
  keys = take_varint(take_varint(keys, shared), rest);
  std::memcpy(key_.data() + shared, keys, rest);
  keys += rest;

  auto& kinds = at_[index_of(RunColumn::kinds)];
  record =
      Record{.key = {key_.data(), shared + rest}, .type = std::to_integer<std::uint8_t>(*kinds)};
  const auto attributes = std::to_integer<unsigned>(kinds[1]);
  kinds += 2;
  if (attributes != 0) take_attributes(attributes, record);

  std::uint64_t size = 0;
  auto& sizes = at_[index_of(RunColumn::sizes)];
  sizes = take_varint(sizes, size);
  auto& values = at_[index_of(RunColumn::values)];
  record.value = {values, size};
  values += size;
  return true;
}

void RunReader::take_attributes(unsigned attributes, Record& record) noexcept {
  record.fragmented = (attributes & run_attribute::fragmented) != 0;
  if (const std::size_t size = run_attribute::expiry_bytes(attributes); size > 0) {
    auto& expiries = at_[index_of(RunColumn::expiries)];
    std::int64_t when = 0;
    std::memcpy(&when, expiries, size);
    expiries += size;
    record.expire_at_ms = when;
  }
  auto& access = at_[index_of(RunColumn::access)];
  if ((attributes & run_attribute::idle) != 0) {
    std::uint64_t idle_s = 0;
    access = take_varint(access, idle_s);
    record.idle_s = idle_s;
  }
  if ((attributes & run_attribute::freq) != 0)
    record.freq = std::to_integer<std::uint8_t>(*access++);
  if ((attributes & run_attribute::meta) != 0) {
    std::uint64_t size = 0;
    auto& metas = at_[index_of(RunColumn::metas)];
    metas = take_varint(metas, size);
    record.meta = {metas, size};
    metas += size;
  }
}

bool RunReader::seek(std::span<const std::byte> key, Record& record) {
  rewind();
  while (next(record)) {
    if (compare_keys(record.key, key) >= 0) return true;
  }
  return false;
}

bool RunReader::find(std::span<const std::byte> key, Record& record) {
  return seek(key, record) && compare_keys(record.key, key) == 0;
}

void RunReader::pieces(RunPieces& pieces) const {
  RunReader walk(header_, raw_, key_.size());
  pieces.clear();
  Record record;
  for (std::uint32_t i = 0; i <= header_.records; ++i) {
    for (std::size_t c = 0; c < run_column_count; ++c) {
      pieces.column(static_cast<RunColumn>(c))
          .push_back(static_cast<std::uint32_t>(walk.at_[c] - raw_.data()));
    }
    static_cast<void>(walk.next(record));
  }
}

}  // namespace sluice::engine
