#include "storage/check_backup.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "storage/checksum.h"
#include "storage/chunk_codec.h"
#include "storage/manifest.h"
#include "storage/pack_reader.h"
#include "storage/pack_writer.h"
#include "storage/read_ahead.h"

namespace sluice::storage {
namespace {

using OnProblem = std::function<void(const Problem&)>;

constexpr std::size_t digest_bytes = sizeof(format::Digest);
constexpr std::uint64_t tail_bytes_max =
    sizeof(format::FooterHeader) + format::pack_blobs_max * sizeof(format::FooterEntry) +
    format::footer_checksum_bytes + sizeof(format::PackTrailer);

/// Checks one pack, front to back, in one pass over its bytes.
class PackCheck {
 public:
  PackCheck(IoQueue& queue, const Layout& layout, const Backup& backup, std::uint32_t pack,
            std::vector<std::uint32_t> chunks, std::span<std::byte> scratch,
            const OnProblem& on_problem);

  void run();
  [[nodiscard]] std::uint64_t bytes() const noexcept { return position_; }
  [[nodiscard]] std::uint64_t problems() const noexcept { return problems_; }

 private:
  void report(Error error, std::vector<std::uint32_t> lost = {});
  void report(Errc code, std::string_view what);
  std::optional<std::span<const std::byte>> take(std::uint64_t count, bool hashed = true);
  void skip_to(std::uint64_t offset);
  bool check_size();
  void check_header();
  void check_chunk(std::uint32_t ordinal);
  void check_tail();
  void check_footer(std::span<const std::byte> footer);
  void check_digest(const format::PackTrailer& trailer);

  const Layout& layout_;
  const Backup& backup_;
  const PackRef& pack_;
  std::vector<std::uint32_t> chunks_;  // of this pack, by offset
  std::span<std::byte> scratch_;
  const OnProblem& on_problem_;
  std::shared_ptr<const ReadFile> file_;
  std::string object_;  // below the repository
  std::uint64_t file_bytes_ = 0;
  std::uint64_t position_ = 0;
  std::uint64_t problems_ = 0;
  bool planned_ = false;
  DigestStream digest_;
  std::vector<format::FooterEntry> found_;  // what the blobs themselves say
  ReadAhead ahead_;                         // last: uses the above
};

PackCheck::PackCheck(IoQueue& queue, const Layout& layout, const Backup& backup, std::uint32_t pack,
                     std::vector<std::uint32_t> chunks, std::span<std::byte> scratch,
                     const OnProblem& on_problem)
    : layout_(layout),
      backup_(backup),
      pack_(backup.packs[pack]),
      chunks_(std::move(chunks)),
      scratch_(scratch),
      on_problem_(on_problem),
      file_(open_pack(layout, pack_)),
      object_(Layout::pack_name(parse_pack_id(pack_.id).value_or(PackId{}))),
      ahead_(queue, [this]() -> std::optional<ReadRange> {
        if (std::exchange(planned_, true) || file_bytes_ == 0) return std::nullopt;
        return ReadRange{.file = file_, .offset = 0, .bytes = file_bytes_};
      }) {
  std::ranges::sort(chunks_, {}, [&](std::uint32_t at) { return backup_.chunks[at].offset; });
}

void PackCheck::report(Error error, std::vector<std::uint32_t> lost) {
  ++problems_;
  on_problem_({.error = std::move(error), .object = object_, .chunks = std::move(lost)});
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

void PackCheck::run() {
  if (file_->error) {
    report(*file_->error, chunks_);
    return;
  }
  if (!check_size()) return;
  check_header();
  for (const std::uint32_t ordinal : chunks_) check_chunk(ordinal);
  check_tail();
}

bool PackCheck::check_size() {
  const auto size = size_of(file_->fd, file_->object);
  if (!size) {
    report(size.error(), chunks_);
    return false;
  }
  file_bytes_ = *size;
  if (file_bytes_ == pack_.file_bytes) return true;
  report(file_bytes_ < pack_.file_bytes ? Errc::truncated : Errc::corrupt,
         fmt::format("{} bytes, expected {}", file_bytes_, pack_.file_bytes));
  return true;  // chunks before the end may be whole
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
  } else if (header.flags != 0) {
    report(Errc::unsupported_feature, fmt::format("pack flags {:#x}", header.flags));
  } else {
    const PackId id = parse_pack_id(pack_.id).value_or(PackId{});
    if (header.checksum != make_pack_header(id, layout_.id_prefix()).checksum)
      report(Errc::corrupt, "pack header: of another pack or repository");
  }
}

void PackCheck::check_chunk(std::uint32_t ordinal) {
  const ChunkRef& chunk = backup_.chunks[ordinal];
  const std::string where = place_of(file_->object, ordinal, chunk);
  if (chunk.offset < position_) {
    report({.code = Errc::corrupt, .detail = where + ": overlaps what is before it"}, {ordinal});
    return;
  }
  if (chunk.offset + blob_bytes(chunk) > file_bytes_) {
    report({.code = Errc::truncated, .detail = where}, {ordinal});
    return;
  }
  skip_to(chunk.offset);
  const auto blob = ahead_.take(blob_bytes(chunk));
  position_ += blob_bytes(chunk);
  if (!blob) {
    report({.code = blob.error().code, .detail = fmt::format("{}: {}", where, blob.error().detail)},
           {ordinal});
    return;
  }
  digest_.update(*blob);
  format::BlobHeader header;
  std::memcpy(&header, blob->data(), sizeof header);
  found_.push_back(footer_entry(header, chunk.offset));
  if (auto raw = open_blob(*blob, chunk, ordinal, scratch_, file_->object); !raw)
    report(std::move(raw.error()), {ordinal});
}

void PackCheck::check_tail() {
  if (file_bytes_ < position_ + sizeof(format::PackTrailer)) {
    if (problems_ == 0) report(Errc::truncated, "no trailer");
    skip_to(file_bytes_);
    return;
  }
  if (file_bytes_ - position_ > tail_bytes_max) {
    report(Errc::corrupt, fmt::format("{} bytes after the last chunk", file_bytes_ - position_));
    skip_to(file_bytes_ - sizeof(format::PackTrailer));
  }
  const std::uint64_t footer_offset = position_;
  const std::uint64_t footer_bytes = file_bytes_ - sizeof(format::PackTrailer) - position_;
  if (const auto footer = take(footer_bytes)) check_footer(*footer);
  format::PackTrailer trailer;
  const auto head = take(sizeof trailer - digest_bytes);
  if (!head) return;
  std::memcpy(&trailer, head->data(), head->size());
  const auto digest = take(digest_bytes, false);
  if (!digest) return;
  std::memcpy(trailer.digest.data(), digest->data(), digest_bytes);
  if (trailer.magic != format::trailer_magic || trailer.footer_offset != footer_offset ||
      trailer.footer_bytes != footer_bytes)
    report(Errc::corrupt, "trailer: does not point at the footer");
  check_digest(trailer);
}

void PackCheck::check_footer(std::span<const std::byte> footer) {
  format::FooterHeader header;
  if (footer.size() < sizeof header + format::footer_checksum_bytes)
    return report(Errc::truncated, "footer");
  std::memcpy(&header, footer.data(), sizeof header);
  const auto covered = footer.first(footer.size() - format::footer_checksum_bytes);
  std::uint64_t checksum = 0;
  std::memcpy(&checksum, footer.data() + covered.size(), sizeof checksum);
  if (header.magic != format::footer_magic) return report(Errc::corrupt, "footer: not a footer");
  if (xxh3_64(covered) != checksum) return report(Errc::checksum_mismatch, "footer");
  const auto entries = covered.subspan(sizeof header);
  if (entries.size() != header.count * sizeof(format::FooterEntry))
    return report(Errc::corrupt, fmt::format("footer: {} entries do not fill it", header.count));
  if (problems_ > 0) return;  // the blobs are not what they were: nothing to compare with
  const auto expected = std::as_bytes(std::span(found_));
  if (!std::ranges::equal(entries, expected))
    report(Errc::corrupt, "footer: does not describe the chunks of this pack");
}

void PackCheck::check_digest(const format::PackTrailer& trailer) {
  if (problems_ > 0) return;  // whatever changed is named already
  const format::Digest found = digest_.digest();
  for (const format::Digest& expected : {trailer.digest, pack_.digest}) {
    if (expected == found) continue;
    return report(Errc::checksum_mismatch, fmt::format("whole pack, expected {}, found {}",
                                                       to_hex(expected), to_hex(found)));
  }
}

/// HEAD, the manifest and its copy.
std::uint64_t check_papers(const Layout& layout, const Backup& backup,
                           const OnProblem& on_problem) {
  std::uint64_t problems = 0;
  const auto report = [&](std::string_view file, Error error) {
    ++problems;
    on_problem(
        {.error = std::move(error), .object = Layout::backup_name(backup.key, file), .chunks = {}});
  };
  const auto head = layout.head(backup.key);
  if (!head) {
    report(name::head, head.error());
  } else if (!*head || (*head)->state != HeadState::committed) {
    report(name::head, {.code = Errc::not_found, .detail = "HEAD is not that of a whole backup"});
  } else if ((*head)->manifest_digest != backup.manifest_digest) {
    report(name::head, {.code = Errc::corrupt, .detail = "HEAD names another manifest"});
  }
  for (const std::string_view file : {name::manifest, name::manifest_copy}) {
    const auto directory = layout.backup(backup.key);
    if (!directory) {
      report(file, directory.error());
      continue;
    }
    const auto manifest =
        read_manifest(*directory, std::string(file), backup.key, layout.id_prefix());
    if (!manifest)
      report(file, manifest.error());
    else if (manifest->manifest_digest != backup.manifest_digest)
      report(file, {.code = Errc::corrupt, .detail = directory->path_of(file) + ": another one"});
  }
  return problems;
}

}  // namespace

CheckStats check_backup(const Layout& layout, IoQueue& queue, const Backup& backup,
                        const OnProblem& on_problem) {
  CheckStats stats;
  stats.problems = check_papers(layout, backup, on_problem);
  std::vector<std::vector<std::uint32_t>> chunks(backup.packs.size());
  for (std::size_t i = 0; i < backup.chunks.size(); ++i)
    chunks[backup.chunks[i].pack].push_back(static_cast<std::uint32_t>(i));
  std::vector<std::byte> scratch(format::chunk_raw_bytes_max);
  for (std::uint32_t pack = 0; pack < backup.packs.size(); ++pack) {
    stats.chunks += chunks[pack].size();
    PackCheck check(queue, layout, backup, pack, std::move(chunks[pack]), scratch, on_problem);
    check.run();
    ++stats.packs;
    stats.bytes += check.bytes();
    stats.problems += check.problems();
  }
  return stats;
}

}  // namespace sluice::storage
