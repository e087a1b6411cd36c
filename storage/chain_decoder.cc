#include "storage/chain_decoder.h"

#include <fmt/format.h>

#include <algorithm>

#include "storage/delta.h"
#include "storage/identity.h"
#include "storage/pack_reader.h"

namespace sluice::storage {
namespace {

std::unexpected<Error> corrupt(std::string_view where, std::string_view what) {
  return std::unexpected(
      Error{.code = Errc::corrupt, .detail = fmt::format("{}: {}", where, what)});
}

Error named(const Error& error, std::string_view where) {
  return {.code = error.code, .detail = fmt::format("{}: {}", where, error.detail)};
}

}  // namespace

std::span<std::byte> ChainDecoder::spare(const Made& made) {
  return (first_.holds(made.raw) ? second_ : first_).bytes();
}

Result<void> ChainDecoder::apply(std::span<const std::byte> text, Made& made,
                                 std::string_view where) {
  const auto facts = read_delta_facts(text, where);
  if (!facts) return std::unexpected(facts.error());
  if (facts->base != first_half(made.identity))
    return corrupt(where, "delta against another chunk than the blobs before it make");
  const auto result = apply_delta(text, made.raw, spare(made), where);
  if (!result) return std::unexpected(result.error());
  made.raw = *result;
  return {};
}

Result<ChainDecoder::Made> ChainDecoder::make(const Backup& backup, std::uint32_t ordinal,
                                              unsigned blobs_max, const Fetch& fetch) {
  const ChunkRef& chunk = backup.chunks[ordinal];
  const auto blobs = backup.blobs_of(ordinal);
  const std::size_t count = std::min<std::size_t>(blobs.size(), std::max(blobs_max, 1U));
  Made made;
  std::string where;
  for (std::size_t link = 0; link < count; ++link) {
    const BlobRef& blob = blobs[link];
    where = place_of(fmt::format("pack {}", to_string(backup.packs[blob.pack].id)), ordinal, chunk,
                     link, blob);
    const auto bytes = fetch(link);
    if (!bytes) return std::unexpected(named(bytes.error(), where));
    const auto key = find_key_ ? find_key_(blob.pack) : Result<const PackKey*>(nullptr);
    if (!key) return std::unexpected(named(key.error(), where));
    const auto opened =
        open_blob(*bytes, blob, decoder_, (link == 0 ? first_ : text_).bytes(), where, *key);
    if (!opened) return std::unexpected(opened.error());
    if (link > 0) {
      if (auto ok = apply(opened->raw, made, where); !ok)
        return std::unexpected(std::move(ok.error()));
    } else {
      made.raw = opened->raw;
      if (count > 1 && !first_.holds(made.raw)) {  // the next fetch may overwrite it
        std::ranges::copy(made.raw, first_.bytes().begin());
        made.raw = first_.bytes().first(made.raw.size());
      }
    }
    made.identity = opened->header.identity;
  }
  if (count < blobs.size()) return made;
  if (made.raw.size() != chunk.raw_bytes)
    return corrupt(where,
                   fmt::format("chunk of {} bytes, expected {}", made.raw.size(), chunk.raw_bytes));
  if (first_half(made.identity) != chunk.identity)
    return corrupt(where, "the chunk here is not the one that the manifest names");
  return made;
}

}  // namespace sluice::storage
