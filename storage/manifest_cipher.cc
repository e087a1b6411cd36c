#include "storage/manifest_cipher.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <cstring>
#include <utility>

#include "storage/format.h"

namespace sluice::storage {
namespace {

constexpr std::size_t segment_bytes = format::manifest_segment_bytes;

std::uint64_t segments_of(std::uint64_t plain) noexcept {
  return std::max<std::uint64_t>(1, (plain + segment_bytes - 1) / segment_bytes);
}

using Aad = std::array<std::byte, 41>;

Aad aad_of(const Sha256::Digest& clear, std::uint64_t segment, bool is_last) noexcept {
  Aad aad{};
  std::ranges::copy(clear, aad.begin());
  std::memcpy(aad.data() + clear.size(), &segment, sizeof segment);
  aad.back() = static_cast<std::byte>(is_last ? 1 : 0);
  return aad;
}

}  // namespace

std::uint64_t sealed_part_bytes(std::uint64_t plain) noexcept {
  return plain + segments_of(plain) * format::tag_bytes;
}

ManifestSealer::ManifestSealer(const SecretKey& key, const Sha256::Digest& clear, Sink sink)
    : key_(key), clear_(clear), sink_(std::move(sink)) {
  plain_.reserve(segment_bytes);
}

Result<void> ManifestSealer::append(std::span<const std::byte> plain) {
  while (!plain.empty()) {
    if (plain_.size() == segment_bytes) {
      if (auto ok = flush(false); !ok) return ok;
    }
    const auto part = plain.first(std::min(plain.size(), segment_bytes - plain_.size()));
    plain_.insert(plain_.end(), part.begin(), part.end());
    plain = plain.subspan(part.size());
  }
  return {};
}

Result<void> ManifestSealer::flush(bool is_last) {
  sealed_.resize(plain_.size() + format::tag_bytes);
  gcm_seal(key_, counter_nonce(next_), aad_of(clear_, next_, is_last), plain_, sealed_);
  ++next_;
  plain_.clear();
  return sink_(sealed_);
}

ManifestOpener::ManifestOpener(const SecretKey& key, const Sha256::Digest& clear,
                               std::uint64_t plain_bytes, Source source, std::string object)
    : key_(key),
      clear_(clear),
      plain_left_(plain_bytes),
      segments_(segments_of(plain_bytes)),
      source_(std::move(source)),
      object_(std::move(object)) {}

Result<void> ManifestOpener::next_segment() {
  assert(next_ < segments_ && taken_ == plain_.size());
  const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(plain_left_, segment_bytes));
  sealed_.resize(size + format::tag_bytes);
  if (auto ok = source_(sealed_); !ok) return ok;
  plain_.resize(size);
  const auto aad = aad_of(clear_, next_, next_ + 1 == segments_);
  if (!gcm_open(key_, counter_nonce(next_), aad, sealed_, plain_)) {
    return std::unexpected(Error{.code = Errc::not_authentic,
                                 .detail = fmt::format("{}: segment {}", object_, next_)});
  }
  ++next_;
  plain_left_ -= size;
  taken_ = 0;
  return {};
}

Result<void> ManifestOpener::read(std::span<std::byte> into) {
  while (!into.empty()) {
    if (taken_ == plain_.size()) {
      if (auto ok = next_segment(); !ok) return ok;
    }
    const std::size_t part = std::min(into.size(), plain_.size() - taken_);
    std::memcpy(into.data(), plain_.data() + taken_, part);
    taken_ += part;
    into = into.subspan(part);
  }
  return {};
}

}  // namespace sluice::storage
