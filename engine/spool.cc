#include "engine/spool.h"

#include <cassert>

namespace sluice::engine {
namespace {

constexpr std::size_t block_bytes = 64 << 10;

}  // namespace

void Spool::append_to_file(std::span<const std::byte> bytes) {
  if (bytes.empty()) return;
  if (tail_.size() + bytes.size() < block_bytes) {
    tail_.insert(tail_.end(), bytes.begin(), bytes.end());
    return;
  }
  file_.append(tail_);
  tail_.clear();
  if (bytes.size() >= block_bytes) {
    file_.append(bytes);
  } else {
    tail_.assign(bytes.begin(), bytes.end());
  }
}

std::span<const std::byte> Spool::piece(std::uint64_t offset, std::uint64_t bytes_max) {
  const auto cut = [&](std::span<const std::byte> from, std::uint64_t at) {
    const auto rest = from.subspan(static_cast<std::size_t>(at));
    return rest.first(static_cast<std::size_t>(std::min<std::uint64_t>(rest.size(), bytes_max)));
  };
  if (offset < head_.size()) return cut(head_, offset);
  offset -= head_.size();
  if (offset >= file_.size()) {
    // After a failed write there are fewer bytes than were appended; give zeros, not nothing.
    if (offset - file_.size() >= tail_.size()) {
      assert(error() || bytes_max == 0);
      const auto size = std::min<std::uint64_t>(bytes_max, block_bytes);
      piece_.assign(static_cast<std::size_t>(size), std::byte{0});
      return piece_;
    }
    return cut(tail_, offset - file_.size());
  }
  const auto size = std::min({bytes_max, file_.size() - offset, std::uint64_t{block_bytes}});
  piece_.resize(static_cast<std::size_t>(size));
  file_.read(offset, piece_);
  return piece_;
}

void Spool::read(std::uint64_t offset, std::span<std::byte> into) {
  while (!into.empty()) {
    const auto bytes = piece(offset, into.size());
    std::memcpy(into.data(), bytes.data(), bytes.size());
    offset += bytes.size();
    into = into.subspan(bytes.size());
  }
}

void Spool::clear() {
  head_.clear();
  file_.clear();
  tail_.clear();
}

}  // namespace sluice::engine
