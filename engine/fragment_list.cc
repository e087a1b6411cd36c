#include "engine/fragment_list.h"

#include <fmt/format.h>

#include <cstring>
#include <numeric>
#include <string>

#include "engine/varint.h"

namespace sluice::engine {
namespace {

constexpr std::uint8_t flag_terms = 1;
constexpr std::size_t head_bytes = fragment_list_head_bytes;
static_assert(sizeof(rdb::Digest128) == 16, "two words, the low one first");

std::unexpected<Error> refuse(std::string_view where, std::string_view what) {
  return std::unexpected(Error{.stage = Stage::storage,
                               .code = "corrupt",
                               .message = fmt::format("{}: fragment list: {}", where, what)});
}

}  // namespace

std::uint64_t FragmentList::value_bytes() const noexcept {
  return std::accumulate(
      fragments.begin(), fragments.end(), std::uint64_t{0},
      [](std::uint64_t sum, const Fragment& fragment) { return sum + fragment.raw_bytes; });
}

void write_fragment_list(const FragmentList& list, std::vector<std::byte>& out) {
  const rdb::Digest128 terms = list.terms.value_or(rdb::Digest128{});
  out.assign(1, static_cast<std::byte>(list.terms ? flag_terms : 0));
  const auto words = std::as_bytes(std::span(&terms, 1));
  out.insert(out.end(), words.begin(), words.end());
  for (const Fragment& fragment : list.fragments) {
    out.insert(out.end(), fragment.identity.begin(), fragment.identity.end());
    put_varint(out, fragment.raw_bytes);
  }
}

Result<void> read_fragment_list(std::span<const std::byte> bytes, std::string_view where,
                                FragmentList& list) {
  if (bytes.size() <= head_bytes) return refuse(where, fmt::format("of {} bytes", bytes.size()));
  const auto flags = std::to_integer<unsigned>(bytes[0]);
  if (flags > flag_terms) return refuse(where, fmt::format("flags {:#x} are unknown", flags));
  rdb::Digest128 terms;
  std::memcpy(&terms, bytes.data() + 1, sizeof terms);
  list.terms.reset();
  if (flags == flag_terms) {
    list.terms = terms;
  } else if (terms != rdb::Digest128{}) {
    return refuse(where, "terms where there are none");
  }
  list.fragments.clear();
  const std::byte* at = bytes.data() + head_bytes;
  const std::byte* const end = bytes.data() + bytes.size();
  while (at != end) {
    Fragment fragment;
    std::uint64_t raw_bytes = 0;
    if (static_cast<std::size_t>(end - at) < sizeof fragment.identity)
      return refuse(where, "an identity is cut");
    std::memcpy(fragment.identity.data(), at, sizeof fragment.identity);
    at = read_varint(at + sizeof fragment.identity, end, raw_bytes);
    if (at == nullptr) return refuse(where, "a length is cut");
    if (raw_bytes == 0 || raw_bytes > storage::format::chunk_raw_bytes_max)
      return refuse(where, fmt::format("a fragment of {} bytes", raw_bytes));
    fragment.raw_bytes = static_cast<std::uint32_t>(raw_bytes);
    list.fragments.push_back(fragment);
  }
  return {};
}

}  // namespace sluice::engine
