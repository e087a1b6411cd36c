#include "engine/run_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <numeric>

#include "engine/varint.h"

namespace sluice::engine {
namespace {

using Fault = std::optional<std::string>;

/// The columns that hold something for some records only.
struct Optionals {
  std::span<const std::byte> expiries;
  const std::byte* access = nullptr;
  const std::byte* access_end = nullptr;
  const std::byte* metas = nullptr;
  const std::byte* metas_end = nullptr;

  [[nodiscard]] bool take_expiry(unsigned form) noexcept {
    const std::size_t size = run_attribute::expiry_bytes(form);
    if (expiries.size() < size) return false;
    std::int64_t when = 0;
    std::memcpy(&when, expiries.data(), size);
    expiries = expiries.subspan(size);
    return form == run_attribute::expiry_u48 || when < 0 || when > expiry_u48_max;
  }
  [[nodiscard]] bool take_access(unsigned attributes) noexcept {
    if ((attributes & run_attribute::idle) != 0) {
      std::uint64_t idle_s = 0;
      access = read_varint(access, access_end, idle_s);
      if (access == nullptr) return false;
    }
    if ((attributes & run_attribute::freq) == 0) return true;
    if (access == access_end) return false;
    ++access;
    return true;
  }
  [[nodiscard]] bool take_meta() noexcept {
    std::uint64_t size = 0;
    metas = read_varint(metas, metas_end, size);
    if (metas == nullptr || size == 0) return false;
    if (size > static_cast<std::uint64_t>(metas_end - metas)) return false;
    metas += size;
    return true;
  }
};

}  // namespace

std::span<const std::byte> RunCheck::column(RunColumn column) const noexcept {
  const auto index = static_cast<std::size_t>(column);
  std::size_t at = sizeof header_;
  for (std::size_t i = 0; i < index; ++i) at += header_.column_bytes[i];
  return raw_.subspan(at, header_.column_bytes[index]);
}

Fault RunCheck::fault() {
  if (auto found = header_fault()) return found;
  if (auto found = keys_fault()) return found;
  if (auto found = kinds_fault()) return found;
  return sizes_fault();
}

Fault RunCheck::header_fault() {
  if (raw_.size() < sizeof header_)
    return fmt::format("a run of {} bytes has no header", raw_.size());
  std::memcpy(&header_, raw_.data(), sizeof header_);
  if (header_.version != run_version)
    return fmt::format("run version {} is unknown", header_.version);
  if (header_.reserved != decltype(header_.reserved){})
    return "reserved words of a run are not zero";
  const auto& sizes = header_.column_bytes;
  const std::uint64_t bytes =
      std::accumulate(sizes.begin(), sizes.end(), std::uint64_t{sizeof header_});
  if (bytes != raw_.size())
    return fmt::format("a run of {} bytes, its columns come to {}", raw_.size(), bytes);
  if (header_.records == 0) return "a run without records";
  // The one column whose pieces are all of one size bounds what follows.
  if (column(RunColumn::kinds).size() != std::uint64_t{2} * header_.records)
    return fmt::format("{} bytes of kinds for {} records", column(RunColumn::kinds).size(),
                       header_.records);
  return std::nullopt;
}

Fault RunCheck::keys_fault() {
  const auto keys = column(RunColumn::keys);
  const std::byte* at = keys.data();
  const std::byte* const end = at + keys.size();
  std::size_t last_bytes = 0;
  for (std::uint32_t i = 0; i < header_.records; ++i) {
    std::uint64_t shared = 0;
    std::uint64_t rest = 0;
    at = read_varint(at, end, shared);
    if (at != nullptr) at = read_varint(at, end, rest);
    if (at == nullptr || rest > static_cast<std::uint64_t>(end - at))
      return fmt::format("key of record {} is cut", i);
    if (shared > last_bytes)
      return fmt::format("key of record {} shares {} bytes with one of {}", i, shared, last_bytes);
    // The next byte alone tells, since as much is shared as can be.
    const bool ascends = rest > 0 && (shared == last_bytes || key_[shared] < *at);
    if (!ascends && i > 0) return fmt::format("key of record {} is not in its place", i);
    last_bytes = shared + rest;
    if (last_bytes > key_.size()) key_.resize(last_bytes);
    if (rest > 0) std::memcpy(key_.data() + shared, at, rest);
    at += rest;
  }
  if (at != end) return fmt::format("{} bytes after the last key", end - at);
  return std::nullopt;
}

Fault RunCheck::kinds_fault() {
  const auto kinds = column(RunColumn::kinds);
  const auto access = column(RunColumn::access);
  const auto metas = column(RunColumn::metas);
  Optionals left{.expiries = column(RunColumn::expiries),
                 .access = access.data(),
                 .access_end = access.data() + access.size(),
                 .metas = metas.data(),
                 .metas_end = metas.data() + metas.size()};
  constexpr unsigned any_access = run_attribute::idle | run_attribute::freq;
  for (std::size_t i = 0; i < header_.records; ++i) {
    const auto attributes = std::to_integer<unsigned>(kinds[2 * i + 1]);
    if (attributes == 0) continue;
    const unsigned form = attributes & run_attribute::expiry_mask;
    if ((attributes & ~unsigned{run_attribute::known}) != 0 || form > run_attribute::expiry_i64)
      return fmt::format("attributes {:#x} of record {} are unknown", attributes, i);
    if (form != 0 && !left.take_expiry(form))
      return fmt::format("expiry of record {} is cut or in the wrong form", i);
    if ((attributes & any_access) != 0 && !left.take_access(attributes))
      return fmt::format("access info of record {} is cut", i);
    if ((attributes & run_attribute::meta) != 0 && !left.take_meta())
      return fmt::format("metadata of record {} are cut", i);
  }
  if (!left.expiries.empty()) return "bytes after the last expiry";
  if (left.access != left.access_end) return "bytes after the last access info";
  if (left.metas != left.metas_end) return "bytes after the last metadata";
  return std::nullopt;
}

Fault RunCheck::sizes_fault() const {
  const auto sizes = column(RunColumn::sizes);
  const std::byte* at = sizes.data();
  const std::byte* const end = at + sizes.size();
  std::uint64_t left = header_.column_bytes[static_cast<std::size_t>(RunColumn::values)];
  for (std::uint32_t i = 0; i < header_.records; ++i) {
    std::uint64_t size = 0;
    at = read_varint(at, end, size);
    if (at == nullptr) return fmt::format("size of record {} is cut", i);
    if (size > left) return fmt::format("value of record {} is cut", i);
    left -= size;
  }
  if (at != end) return "bytes after the last size";
  if (left != 0) return fmt::format("{} bytes after the last value", left);
  return std::nullopt;
}

}  // namespace sluice::engine
