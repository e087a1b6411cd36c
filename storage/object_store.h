#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "storage/error.h"

namespace sluice::storage {

/// Where the objects of a repository lie: names, bytes, and a version that tells one content from
/// the next. What leases, collection and small objects need of a place; bulk data of a directory
/// goes by BlockFile and ReadAhead.
///
/// Names:       as check_object_name() says; else Errc::bad_name, and nothing was done.
/// Durability:  what a call that changes something did is on stable storage when it succeeds. When
/// it
///              fails, it may have been done, wholly or not at all: never in part.
/// Consistency: what succeeded is seen by every later get(), size_of() and list() of any client.
/// Errors:      those below, and the system's. A listing is complete or an error. Errc::corrupt
/// where
///              something else than an object, like a symbolic link, has the name of one.
/// Threads:     any number at once.
class ObjectStore {
 public:
  /// Of an object's content, opaque. Other bytes have another version; equal bytes may have equal
  /// ones. So the version comes back when the bytes do: what must not be taken for what it was
  /// before holds a counter.
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
  /// Errc::changed when the object is not of that version, or is not there; busy when others keep
  /// it from being changed for half a minute.
  [[nodiscard]] virtual Result<Version> put_if_match(std::string_view name, std::string_view bytes,
                                                     const Version& version) = 0;

  /// Every object whose name begins with `prefix`, which is empty or a name and '/', sorted by
  /// name. None when there is nothing of that prefix. What is no object (an unfinished write, a
  /// name that no repository has) is left out. What was there from before the call until after it
  /// is listed, also when it is replaced meanwhile; what is made, moved or removed meanwhile may or
  /// may not be. Errc::busy when the names change faster than they can be read.
  [[nodiscard]] virtual Result<std::vector<Entry>> list(std::string_view prefix) = 0;

  /// Gone afterwards, also when it was not there. Errc::busy as put_if_match().
  [[nodiscard]] virtual Result<void> remove(std::string_view name) = 0;
  /// The object has another name afterwards. Where it cannot be done at once, it may for a while,
  /// or after a failure, be there under both; never under neither. Errc::not_found; exists when
  /// there is one of the other name; busy as put_if_match().
  [[nodiscard]] virtual Result<void> move(std::string_view from, std::string_view to) = 0;
};

/// Errc::bad_name unless `name` is parts of [A-Za-z0-9._-], separated by '/', none of which is
/// empty or begins with '.', of at most 255 bytes each and 1024 in all.
[[nodiscard]] Result<void> check_object_name(std::string_view name);
/// The same of what may be listed: nothing, or a name and '/'.
[[nodiscard]] Result<void> check_object_prefix(std::string_view prefix);
/// Whether it can be one part of a name.
[[nodiscard]] bool is_object_name_part(std::string_view part) noexcept;

}  // namespace sluice::storage
