#include "storage/pack_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "storage/pack_reader.h"
#include "storage/pack_writer.h"

namespace sluice::storage {
namespace {

constexpr std::size_t digest_bytes = sizeof(format::Digest);
constexpr std::uint64_t footer_bytes_max =
    sizeof(format::FooterHeader) + format::pack_blobs_max * sizeof(format::FooterEntry) +
    sizeof(format::FooterSeal) + format::footer_checksum_bytes;

std::unexpected<Error> refuse(Errc code, std::string_view where, std::string_view what) {
  return std::unexpected(Error{.code = code, .detail = fmt::format("{}: {}", where, what)});
}

bool is_same(const BlobRef& blob, const format::BlobHeader& header) noexcept {
  return header.type == blob.type && header.codec == blob.codec && header.flags == blob.flags &&
         header.stored_bytes == blob.stored_bytes && header.raw_bytes == blob.raw_bytes &&
         header.checksum == blob.checksum;
}

}  // namespace

std::uint32_t chunk_of_blob(const Backup& backup, std::uint32_t blob) {
  const auto after = std::ranges::upper_bound(backup.chunks, blob, {}, &ChunkRef::first_blob);
  return static_cast<std::uint32_t>(after - backup.chunks.begin()) - 1;
}

PackCheck::PackCheck(PackCheckTools& tools, const Layout& layout, const Backup& backup,
                     std::uint32_t pack, std::span<const std::uint32_t> expected,
                     const OnProblem& on_problem)
    : tools_(tools),
      stamp_(layout.stamp()),
      backup_(backup),
      pack_(backup.packs[pack]),
      expected_(expected),
      on_problem_(on_problem),
      file_(open_pack(layout, pack_)),
      ahead_(*tools.queue, [this]() -> std::optional<ReadRange> {
        if (std::exchange(planned_, true) || file_bytes_ == 0) return std::nullopt;
        return ReadRange{.file = file_, .offset = 0, .bytes = file_bytes_};
      }) {}

void PackCheck::report(Error error, std::span<const std::uint32_t> lost,
                       std::optional<std::uint64_t> offset) {
  ++problems_;
  on_problem_(std::move(error), lost, offset);
}

void PackCheck::report(Errc code, std::string_view what) {
  report({.code = code, .detail = fmt::format("{}: {}", file_->object, what)});
}

std::optional<std::span<const std::byte>> PackCheck::take(std::uint64_t count, bool hashed) {
  const auto bytes = ahead_.take(static_cast<std::size_t>(count));
  position_ += count;
  if (!bytes) {
    report(bytes.error());
    return std::nullopt;
  }
  if (hashed) digest_.update(*bytes);
  return *bytes;
}

void PackCheck::skip_to(std::uint64_t offset) {
  while (position_ < offset)
    (void)take(std::min<std::uint64_t>(offset - position_, format::chunk_raw_bytes_max));
}

bool PackCheck::run(const GoOn& go_on) {
  if (file_->error) {
    report(*file_->error, expected_);
    return true;
  }
  if (!check_size()) return true;
  read_footer();
  check_header();
  find_key();
  while (const auto spot = next_spot()) {
    if (!go_on(position_)) return false;
    check_blob(*spot);
  }
  (void)wanted_at(UINT64_MAX);  // tells of those that were not found
  if (footer_problem_) report(*footer_problem_);
  check_tail();
  return true;
}

bool PackCheck::check_size() {
  const auto size = size_of(file_->fd, file_->object);
  if (!size) {
    report(size.error(), expected_);
    return false;
  }
  file_bytes_ = *size;
  end_ = std::min(file_bytes_, pack_.file_bytes);
  if (file_bytes_ == pack_.file_bytes) return true;
  report(file_bytes_ < pack_.file_bytes ? Errc::truncated : Errc::corrupt,
         fmt::format("{} bytes, expected {}", file_bytes_, pack_.file_bytes));
  return true;  // blobs before the end may be whole
}

void PackCheck::check_header() {
  if (file_bytes_ < sizeof(format::PackHeader)) return;  // said already
  const auto bytes = take(sizeof(format::PackHeader));
  if (!bytes) return;
  format::PackHeader header;
  std::memcpy(&header, bytes->data(), sizeof header);
  if (header.magic != format::pack_magic) {
    report(Errc::corrupt, "pack header: not a pack");
  } else if (checksum_of(header) != header.checksum) {
    report(Errc::checksum_mismatch, "pack header");
  } else if (header.major != format::version_major) {
    report(Errc::unsupported_format, fmt::format("format {}.{}", header.major, header.minor));
  } else if ((header.flags & ~std::uint32_t{format::flag_encrypted}) != 0) {
    report(Errc::unsupported_feature, fmt::format("pack flags {:#x}", header.flags));
  } else {
    auto expected =
        make_pack_header(pack_.id, stamp_, stamp_.encrypted ? header.salt : format::PackSalt{});
    expected.minor = header.minor;
    if (header.checksum != checksum_of(expected))
      report(Errc::corrupt, "pack header: of another pack or repository");
    else if (seal_ && seal_->salt != header.salt)
      report(Errc::not_authentic, "salt in header and footer");
  }
}

/// What opens the blobs, where that is needed.
void PackCheck::find_key() {
  if (stamp_.cipher == nullptr || !tools_.identifier) return;
  auto key = read_pack_key(file_->fd, file_->object, pack_, stamp_);
  if (!key) return report(std::move(key.error()));
  if (seal_ && seal_->commitment != key->commitment())
    report(Errc::not_authentic, "what the footer says of the key");
  key_ = *std::move(key);
}

void PackCheck::read_footer() {
  auto entries = read_entries();
  if (entries)
    entries_ = *std::move(entries);
  else if (problems_ == 0)  // else it is no wonder
    footer_problem_ = std::move(entries.error());
}

Result<std::vector<format::FooterEntry>> PackCheck::read_entries() {
  const std::string& object = file_->object;
  format::FooterHeader header;
  constexpr std::uint64_t least =
      sizeof(format::PackHeader) + sizeof header + format::footer_checksum_bytes;
  if (end_ < least + sizeof trailer_) return refuse(Errc::truncated, object, "no trailer");
  const std::uint64_t trailer_offset = end_ - sizeof trailer_;
  if (auto ok = read_exactly(file_->fd, std::as_writable_bytes(std::span(&trailer_, 1)),
                             trailer_offset, object);
      !ok)
    return std::unexpected(std::move(ok.error()));
  if (trailer_.magic != format::trailer_magic || trailer_.footer_bytes > footer_bytes_max ||
      trailer_.footer_offset < sizeof(format::PackHeader) ||
      trailer_.footer_offset > trailer_offset ||
      trailer_.footer_bytes != trailer_offset - trailer_.footer_offset ||
      trailer_.footer_bytes < sizeof header + format::footer_checksum_bytes +
                                  (stamp_.encrypted ? sizeof(format::FooterSeal) : 0))
    return refuse(Errc::corrupt, object, "trailer: does not point at the footer");
  std::vector<std::byte> footer(trailer_.footer_bytes);
  if (auto ok = read_exactly(file_->fd, footer, trailer_.footer_offset, object); !ok)
    return std::unexpected(std::move(ok.error()));

  std::memcpy(&header, footer.data(), sizeof header);
  const auto covered = std::span(footer).first(footer.size() - format::footer_checksum_bytes);
  std::uint64_t checksum = 0;
  std::memcpy(&checksum, footer.data() + covered.size(), sizeof checksum);
  if (header.magic != format::footer_magic)
    return refuse(Errc::corrupt, object, "footer: not a footer");
  if (xxh3_64(covered) != checksum) return refuse(Errc::checksum_mismatch, object, "footer");
  const std::size_t seal_bytes = stamp_.encrypted ? sizeof(format::FooterSeal) : 0;
  const auto bytes = covered.subspan(sizeof header, covered.size() - sizeof header - seal_bytes);
  if (bytes.size() != header.count * sizeof(format::FooterEntry)) {
    return refuse(Errc::corrupt, object,
                  fmt::format("footer: {} entries do not fill it", header.count));
  }
  std::vector<format::FooterEntry> entries(header.count);
  if (!bytes.empty()) std::memcpy(entries.data(), bytes.data(), bytes.size());
  std::uint64_t offset = sizeof(format::PackHeader);
  for (const format::FooterEntry& entry : entries) {
    if (entry.offset != offset || entry.stored_bytes > format::stored_bytes_max(entry.flags))
      return refuse(Errc::corrupt, object, "footer: does not describe the blobs of this pack");
    offset += blob_bytes(entry.stored_bytes);
  }
  if (offset != trailer_.footer_offset)
    return refuse(Errc::corrupt, object, "footer: does not describe the blobs of this pack");
  if (seal_bytes > 0) {
    seal_.emplace();
    std::memcpy(&*seal_, covered.last(seal_bytes).data(), seal_bytes);
  }
  return entries;
}

std::optional<PackCheck::Spot> PackCheck::next_spot() {
  if (!entries_) return spot_without_footer();
  if (next_entry_ == entries_->size()) return std::nullopt;
  const format::FooterEntry& entry = (*entries_)[next_entry_++];
  return Spot{.offset = entry.offset, .stored_bytes = entry.stored_bytes, .entry = &entry};
}

/// What begins at the present position, if a header there is good; else the next blob of the
/// backup.
std::optional<PackCheck::Spot> PackCheck::spot_without_footer() {
  format::BlobHeader header;
  const auto read = read_exactly(file_->fd, std::as_writable_bytes(std::span(&header, 1)),
                                 position_, file_->object);
  if (read && check_blob_header(header, "")) {
    const std::uint64_t end = position_ + blob_bytes(header.stored_bytes);
    if (end <= file_bytes_)
      return Spot{.offset = position_, .stored_bytes = header.stored_bytes, .entry = nullptr};
  }
  for (std::size_t at = next_expected_; at < expected_.size(); ++at) {
    const BlobRef& blob = backup_.blobs[expected_[at]];
    if (blob.offset >= position_)
      return Spot{.offset = blob.offset, .stored_bytes = blob.stored_bytes, .entry = nullptr};
  }
  return std::nullopt;
}

/// The blobs of the backup that begin at `offset`. Tells of those before it that nothing was found
/// of.
std::span<const std::uint32_t> PackCheck::wanted_at(std::uint64_t offset) {
  const auto offset_of = [this](std::size_t at) { return backup_.blobs[expected_[at]].offset; };
  for (; next_expected_ < expected_.size() && offset_of(next_expected_) < offset;
       ++next_expected_) {
    const auto lost = expected_.subspan(next_expected_, 1);
    report({.code = Errc::corrupt,
            .detail = where(offset_of(next_expected_), lost) + ": no blob begins here"},
           lost, offset_of(next_expected_));
  }
  const std::size_t first = next_expected_;
  while (next_expected_ < expected_.size() && offset_of(next_expected_) == offset) ++next_expected_;
  return expected_.subspan(first, next_expected_ - first);
}

std::string PackCheck::where(std::uint64_t offset, std::span<const std::uint32_t> wanted) const {
  if (wanted.empty()) {
    const bool unknown = stamp_.encrypted && stamp_.cipher == nullptr;
    return fmt::format("{}: blob at byte {}{}", file_->object, offset,
                       unknown ? "" : ", of another backup");
  }
  const std::uint32_t chunk = chunk_of_blob(backup_, wanted[0]);
  const ChunkRef& ref = backup_.chunks[chunk];
  return place_of(file_->object, chunk, ref, wanted[0] - ref.first_blob, backup_.blobs[wanted[0]]);
}

void PackCheck::check_blob(const Spot& spot) {
  const auto wanted = wanted_at(spot.offset);
  const std::string place = where(spot.offset, wanted);
  const std::uint64_t size = blob_bytes(spot.stored_bytes);
  if (size > file_bytes_ || spot.offset > file_bytes_ - size) {
    report({.code = Errc::truncated, .detail = place}, wanted, spot.offset);
    return;
  }
  skip_to(spot.offset);
  const auto blob = ahead_.take(static_cast<std::size_t>(size));
  position_ += size;
  if (!blob) {
    report({.code = blob.error().code, .detail = fmt::format("{}: {}", place, blob.error().detail)},
           wanted, spot.offset);
    return;
  }
  digest_.update(*blob);
  if (auto ok = check_bytes(spot, *blob, wanted, place); !ok)
    report(std::move(ok.error()), wanted, spot.offset);
}

Result<void> PackCheck::check_bytes(const Spot& spot, std::span<const std::byte> blob,
                                    std::span<const std::uint32_t> wanted, std::string_view where) {
  format::BlobHeader header;
  std::memcpy(&header, blob.data(), sizeof header);
  if (auto ok = check_blob_header(header, where); !ok) return ok;
  if (spot.entry != nullptr && footer_entry(header, spot.offset) != *spot.entry)
    return refuse(Errc::corrupt, where, "not what the footer says");
  const auto stored = blob.subspan(sizeof header);
  if (stored.size() != header.stored_bytes)
    return refuse(Errc::corrupt, where, "the blob here is of another size");
  if (const auto found = xxh3_64(stored); found != header.checksum) {
    return refuse(
        Errc::checksum_mismatch, where,
        fmt::format("stored bytes, expected {:016x}, found {:016x}", header.checksum, found));
  }
  std::uint64_t whole_chunks = 0;
  for (const std::uint32_t at : wanted) {
    if (!is_same(backup_.blobs[at], header))
      return refuse(Errc::corrupt, where, "not what the manifest says");
    const ChunkRef& chunk = backup_.chunks[chunk_of_blob(backup_, at)];
    if (chunk.blob_count == 1) ++whole_chunks;
    if (at == chunk.first_blob + chunk.blob_count - 1 &&
        first_half(header.identity) != chunk.identity)
      return refuse(Errc::corrupt, where, "the chunk here is not the one that the manifest names");
  }
  if (((header.flags & format::blob_flag_encrypted) != 0) != stamp_.encrypted)
    return refuse(Errc::not_authentic, where, "encrypted, or not, unlike its repository");
  // What only belongs to a chain is proven by what the chain makes.
  if (!tools_.identifier || whole_chunks == 0) return {};
  if (stamp_.encrypted && !key_)
    return refuse(Errc::not_authentic, where, "the key of its pack is not known");
  raw_bytes_ += whole_chunks * header.raw_bytes;
  return check_identity(header, stored, spot.offset, where);
}

Result<void> PackCheck::check_identity(const format::BlobHeader& header,
                                       std::span<const std::byte> stored, std::uint64_t offset,
                                       std::string_view where) {
  const auto raw =
      tools_.decoder.decode_checked(header, stored, tools_.scratch.bytes(), where,
                                    {.key = key_ ? &*key_ : nullptr, .offset = offset});
  if (!raw) return std::unexpected(raw.error());
  const auto type = static_cast<format::BlobType>(header.type);
  if (tools_.identifier->identify(type, *raw) == header.identity) return {};
  return refuse(Errc::checksum_mismatch, where, "identity");
}

void PackCheck::check_tail() {
  if (end_ < sizeof trailer_ || position_ > end_ - digest_bytes) {
    skip_to(file_bytes_);
    return;
  }
  skip_to(end_ - digest_bytes);
  if (!take(digest_bytes, false)) return;
  skip_to(file_bytes_);
  if (problems_ > 0) return;  // whatever changed is named already
  const format::Digest found = digest_.digest();
  for (const format::Digest& expected : {trailer_.digest, pack_.digest}) {
    if (expected == found) continue;
    return report(Errc::checksum_mismatch, fmt::format("whole pack, expected {}, found {}",
                                                       to_hex(expected), to_hex(found)));
  }
}

}  // namespace sluice::storage
