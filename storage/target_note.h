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

/// What is to be undone or gone on with at a server, should whoever changes it not come to the end:
/// one sealed text for each server, `SHELF/NAME` below the root of the repository, the shelf being
/// name::feeds or name::restores. Opaque here, encrypted where the repository is. Held by one at a
/// time.
///
/// Durability: what write() and clear() have done is on stable storage when they return.
/// Lifetime:   `layout` outlives the note.
class TargetNote {
 public:
  static constexpr std::size_t name_bytes_max = 128;

  /// Makes the directory if it is missing. `name`: letters, digits, '-', '.' and '_', not first a
  /// '.'. Errors: bad_name; busy when somebody else holds it; the system's.
  [[nodiscard]] static Result<TargetNote> open(const Layout& layout, std::string_view shelf,
                                               const std::string& name);
  TargetNote(TargetNote&&) noexcept = default;
  TargetNote& operator=(TargetNote&&) = delete;
  /// Leaves no lock file where there is no note.
  ~TargetNote();

  /// As it was left; nullopt when there is none. Errors: truncated, checksum_mismatch; of an
  /// encrypted repository also key_needed and not_authentic.
  [[nodiscard]] Result<std::optional<std::string>> read() const;
  /// Puts it in the place of what is there: printable, below 63 KiB.
  [[nodiscard]] Result<void> write(std::string_view text);
  [[nodiscard]] Result<void> clear();

 private:
  TargetNote(const Layout& layout, std::string shelf, Directory directory, std::string name,
             FileLock lock)
      : layout_(&layout),
        shelf_(std::move(shelf)),
        directory_(std::move(directory)),
        name_(std::move(name)),
        lock_(std::move(lock)) {}

  const Layout* layout_;
  std::string shelf_;
  Directory directory_;
  std::string name_;
  FileLock lock_;
};

/// The names of all notes of a shelf, sorted; also of those that somebody holds.
[[nodiscard]] Result<std::vector<std::string>> list_target_notes(const Layout& layout,
                                                                 std::string_view shelf);
/// Without holding it. Nullopt when there is none.
[[nodiscard]] Result<std::optional<std::string>> read_target_note(const Layout& layout,
                                                                  std::string_view shelf,
                                                                  const std::string& name);

}  // namespace sluice::storage
