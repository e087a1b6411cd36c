#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "storage/file.h"
#include "storage/object_store.h"

namespace sluice::storage {

/// Objects as files below an open directory, for any number of processes at once.
///
/// Names:      a part of a name is a directory; it is made, 0700 and durably, with the first object
///             in it, and stays when it is empty. Files have mode 0400. None is reached through a
///             symbolic link: that is Errc::corrupt. The root was opened by whoever gives it.
/// Atomicity:  a file is linked to its name, or takes another's place, only when it is whole and
///             synced. put_if_match(), remove() and the first name of move() lock the file that is
///             there by flock(2), so they exclude each other, as they do whoever locks it.
/// Versions:   XXH3-128 of the bytes, as hex.
class DirectoryStore final : public ObjectStore {
 public:
  explicit DirectoryStore(Directory root) noexcept : root_(std::move(root)) {}

  [[nodiscard]] Result<Object> get(std::string_view name, std::uint64_t bytes_max) override;
  [[nodiscard]] Result<std::string> get_range(std::string_view name, std::uint64_t offset,
                                              std::uint64_t count) override;
  [[nodiscard]] Result<std::optional<std::uint64_t>> size_of(std::string_view name) override;
  [[nodiscard]] Result<Version> put_if_absent(std::string_view name,
                                              std::string_view bytes) override;
  [[nodiscard]] Result<Version> put_if_match(std::string_view name, std::string_view bytes,
                                             const Version& version) override;
  [[nodiscard]] Result<std::vector<Entry>> list(std::string_view prefix) override;
  [[nodiscard]] Result<void> remove(std::string_view name) override;
  [[nodiscard]] Result<void> move(std::string_view from, std::string_view to) override;

 private:
  Directory root_;
};

}  // namespace sluice::storage
