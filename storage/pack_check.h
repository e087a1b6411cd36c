#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "storage/backup.h"
#include "storage/checksum.h"
#include "storage/chunk_buffer.h"
#include "storage/chunk_codec.h"
#include "storage/error.h"
#include "storage/identity.h"
#include "storage/io_queue.h"
#include "storage/layout.h"
#include "storage/pack_key.h"
#include "storage/read_ahead.h"

namespace sluice::storage {

/// What a thread that checks packs works with.
/// Memory: that of the queue, and 4 MiB.
struct PackCheckTools {
  std::unique_ptr<IoQueue> queue;
  BlobDecoder decoder;
  std::unique_ptr<Identifier> identifier;  ///< None: stored checksums only.
  ChunkBuffer scratch;
};

/// Checks one pack, front to back, in one pass over its bytes: header, every blob whosever it is,
/// footer, trailer, digest. A blob is found by the footer, or where that is bad by the headers of
/// the blobs and by what the backup says. Without the key of an encrypted repository, identities
/// are left out.
class PackCheck {
 public:
  /// `blobs` are positions in Backup::blobs of those that are lost by the problem, `offset` where
  /// the blob begins that it is about, whosever it is.
  using OnProblem = std::function<void(Error error, std::span<const std::uint32_t> blobs,
                                       std::optional<std::uint64_t> offset)>;

  /// `expected`: the blobs of the backup in this pack, by offset.
  PackCheck(PackCheckTools& tools, const Layout& layout, const Backup& backup, std::uint32_t pack,
            std::span<const std::uint32_t> expected, const OnProblem& on_problem);

  /// Called before each blob; false ends run() there.
  using GoOn = std::function<bool(std::uint64_t bytes)>;
  /// False when it was not run to the end.
  bool run(const GoOn& go_on);
  [[nodiscard]] bool is_sound() const noexcept { return problems_ == 0; }
  [[nodiscard]] std::uint64_t bytes() const noexcept { return position_; }
  /// Of the backup's chunks that are one whole blob here, decoded.
  [[nodiscard]] std::uint64_t raw_bytes() const noexcept { return raw_bytes_; }

 private:
  /// A blob to look at, and what the footer says of it, if it can be believed.
  struct Spot {
    std::uint64_t offset = 0;
    std::uint32_t stored_bytes = 0;
    const format::FooterEntry* entry = nullptr;
  };

  void report(Error error, std::span<const std::uint32_t> lost = {},
              std::optional<std::uint64_t> offset = {});
  void report(Errc code, std::string_view what);
  std::optional<std::span<const std::byte>> take(std::uint64_t count, bool hashed = true);
  void skip_to(std::uint64_t offset);
  bool check_size();
  void check_header();
  void read_footer();
  Result<std::vector<format::FooterEntry>> read_entries();
  std::optional<Spot> next_spot();
  std::optional<Spot> spot_without_footer();
  void check_blob(const Spot& spot);
  Result<void> check_bytes(const Spot& spot, std::span<const std::byte> blob,
                           std::span<const std::uint32_t> wanted, std::string_view where);
  void find_key();
  Result<void> check_identity(const format::BlobHeader& header, std::span<const std::byte> stored,
                              std::uint64_t offset, std::string_view where);
  std::span<const std::uint32_t> wanted_at(std::uint64_t offset);
  [[nodiscard]] std::string where(std::uint64_t offset,
                                  std::span<const std::uint32_t> wanted) const;
  void check_tail();

  PackCheckTools& tools_;
  RepositoryStamp stamp_;
  const Backup& backup_;
  const PackRef& pack_;
  std::span<const std::uint32_t> expected_;
  const OnProblem& on_problem_;
  std::shared_ptr<const ReadFile> file_;
  std::uint64_t file_bytes_ = 0;
  std::uint64_t end_ = 0;  // where the trailer should end
  std::uint64_t position_ = 0;
  std::uint64_t problems_ = 0;
  std::uint64_t raw_bytes_ = 0;
  std::size_t next_expected_ = 0;
  std::optional<std::vector<format::FooterEntry>> entries_;
  std::size_t next_entry_ = 0;
  std::optional<format::FooterSeal> seal_;  // as the footer says
  std::optional<Error> footer_problem_;
  std::optional<PackKey> key_;
  format::PackTrailer trailer_;
  bool planned_ = false;
  DigestStream digest_;
  ReadAhead ahead_;  // last: uses the above
};

/// The chunk that a blob of the backup belongs to.
[[nodiscard]] std::uint32_t chunk_of_blob(const Backup& backup, std::uint32_t blob);

}  // namespace sluice::storage
