#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>

namespace sluice::storage {

/// Why an operation on a repository failed. Each value names one cause and has a test.
/// What the operating system refused is not here: such an Error carries the system's own code.
enum class Errc {
  not_a_repository = 1,  ///< The directory exists but holds no FORMAT, or does not exist.
  not_empty,             ///< A repository was to be made in a directory that holds other things.
  unsupported_format,    ///< The format major of an object is not one that this program reads.
  unsupported_feature,   ///< FORMAT requires a feature, for this operation, that is unknown here.
  not_found,             ///< No such backup, or an object that a backup needs is missing.
  ambiguous,             ///< A prefix of an id fits more than one backup.
  bad_name,              ///< An instance name or an id is not one that can be a file name here.
  corrupt,               ///< An object contradicts its format, its name or its manifest.
  truncated,             ///< An object ends before what its format says.
  checksum_mismatch,     ///< Stored bytes do not hash to the value written beside them.
  busy,                  ///< Another live writer holds what is needed.
  limit_exceeded,        ///< A size or a count is above what the format allows.
  io_unavailable,        ///< io_uring was asked for by name and cannot be used.
  codec_failure,         ///< What was encoded did not decode to the same bytes.
  finished,              ///< The writer was already committed or abandoned.
  exists,                ///< An object of that name is there already.
  changed,               ///< An object was replaced since it was read.
  fenced,                ///< Another took over what this one was writing, as its lease had run out.
  pinned,                ///< A backup that is kept until its pin is taken off.
  implausible,           ///< Much less is listed than there should be, so nothing is removed.
  key_needed,            ///< The repository is encrypted, and no key was given.
  wrong_key,             ///< No key slot of the repository opens with what was given.
  not_authentic,         ///< Encrypted bytes were changed, swapped or made with another key.
  last_key,              ///< The only key slot of a repository stays: nothing else would open it.
};

[[nodiscard]] std::error_code make_error_code(Errc code) noexcept;

/// A refusal, its cause and the words that make it actionable.
struct Error {
  std::error_code code;  ///< storage::Errc, or the system's own code.
  std::string detail;    ///< The object it happened to and where; for the system, also the call.
};

template <class T>
using Result = std::expected<T, Error>;

/// The one place where an errno becomes an Error. `error_number` is positive.
/// The detail reads "<call> <object>", for example "fdatasync /backup/packs/3f/...".
[[nodiscard]] Error system_error(int error_number, std::string_view call, std::string_view object);

/// "<detail>: <message of the code>", for those who show it to a person.
[[nodiscard]] std::string to_string(const Error& error);

}  // namespace sluice::storage

template <>
struct std::is_error_code_enum<sluice::storage::Errc> : std::true_type {};
