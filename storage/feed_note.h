#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "storage/error.h"
#include "storage/file.h"
#include "storage/file_lock.h"
#include "storage/layout.h"

namespace sluice::storage {

/// What is to be undone at a server, should whoever changes it not come to that: one sealed text
/// for each server, `feeds/NAME` below the root of the repository. Opaque here. Held by one at a
/// time.
///
/// Durability: what write() and clear() have done is on stable storage when they return.
/// Lifetime:   `layout` outlives the note.
class FeedNote {
 public:
  static constexpr std::size_t name_bytes_max = 128;

  /// Makes the directory if it is missing. `name`: letters, digits, '-', '.' and '_', not first a
  /// '.'. Errors: bad_name; busy when somebody else holds it; the system's.
  [[nodiscard]] static Result<FeedNote> open(const Layout& layout, const std::string& name);
  FeedNote(FeedNote&&) noexcept = default;
  FeedNote& operator=(FeedNote&&) = delete;
  /// Leaves no lock file where there is no note.
  ~FeedNote();

  /// As it was left; nullopt when there is none. Errors: truncated, checksum_mismatch.
  [[nodiscard]] Result<std::optional<std::string>> read() const;
  /// Puts it in the place of what is there: printable, below 63 KiB.
  [[nodiscard]] Result<void> write(std::string_view text);
  [[nodiscard]] Result<void> clear();

 private:
  FeedNote(Directory directory, std::string name, FileLock lock)
      : directory_(std::move(directory)), name_(std::move(name)), lock_(std::move(lock)) {}

  Directory directory_;
  std::string name_;
  FileLock lock_;
};

/// The names of all notes, sorted; also of those that somebody holds.
[[nodiscard]] Result<std::vector<std::string>> list_feed_notes(const Layout& layout);
/// Without holding it. Nullopt when there is none.
[[nodiscard]] Result<std::optional<std::string>> read_feed_note(const Layout& layout,
                                                                const std::string& name);

}  // namespace sluice::storage
