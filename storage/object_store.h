#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "storage/error.h"

namespace sluice::storage {

/// Where the objects of a repository lie: names, bytes, and a version that tells one content from the
/// next. What leases, collection and small objects need of a place; bulk data of a directory goes by
/// BlockFile and ReadAhead.
///
/// Names:       as in docs/repository-format.md, relative, parts separated by '/'. Errc::bad_name for
///              an empty part, "." or "..", a part that is a temporary name, a byte outside of
///              [A-Za-z0-9._-].
/// Durability:  what a call that changes something did is on stable storage when it succeeds. When it
///              fails, it may have been done, wholly or not at all: never in part.
/// Consistency: what succeeded is seen by every later get(), stat() and list() of any client.
/// Errors:      those below, and the system's. A listing is complete or an error.
/// Threads:     any number at once.
class ObjectStore {
 public:
  /// Of an object's content: equal bytes may or may not have equal versions; a version that was
  /// replaced does not come back. Opaque.
  using Version = std::string;

  struct Object {
    std::string bytes;
    Version version;
  };

  struct Entry {
    std::string name;  ///< Whole.
    std::uint64_t bytes = 0;
  };

  ObjectStore() = default;
  ObjectStore(const ObjectStore&) = delete;
  ObjectStore& operator=(const ObjectStore&) = delete;
  virtual ~ObjectStore() = default;

  /// Errc::not_found; limit_exceeded when it has more than `bytes_max` bytes.
  [[nodiscard]] virtual Result<Object> get(std::string_view name, std::uint64_t bytes_max) = 0;
  /// Exactly `count` bytes from `offset` on. Errc::not_found; truncated when it ends before.
  [[nodiscard]] virtual Result<std::string> get_range(std::string_view name, std::uint64_t offset,
                                                      std::uint64_t count) = 0;
  /// Its size in bytes; nullopt when there is none.
  [[nodiscard]] virtual Result<std::optional<std::uint64_t>> size_of(std::string_view name) = 0;

  /// Errc::exists when there is one of that name.
  [[nodiscard]] virtual Result<Version> put_if_absent(std::string_view name,
                                                      std::string_view bytes) = 0;
  /// Errc::changed when the object is not of that version, or is not there.
  [[nodiscard]] virtual Result<Version> put_if_match(std::string_view name, std::string_view bytes,
                                                     const Version& version) = 0;

  /// Every object whose name begins with `prefix`, which is empty or ends in '/', sorted by name.
  /// None when there is nothing of that prefix. What is no object (an unfinished write, a name that
  /// no repository has) is left out.
  [[nodiscard]] virtual Result<std::vector<Entry>> list(std::string_view prefix) = 0;

  /// Gone afterwards, also when it was not there.
  [[nodiscard]] virtual Result<void> remove(std::string_view name) = 0;
  /// The object has another name afterwards. Where it cannot be done at once, it may for a while, or
  /// after a failure, be there under both; never under neither.
  /// Errc::not_found; exists when there is one of the other name.
  [[nodiscard]] virtual Result<void> move(std::string_view from, std::string_view to) = 0;
};

}  // namespace sluice::storage
