#pragma once

#include <cstdint>
#include <expected>
#include <string>

namespace sluice {

/// Which part refused. Together with `code` it decides what a caller can do about it.
enum class Stage : std::uint8_t { usage, net, rdb, storage, engine };

/// A refusal, ready to be shown: `message` is one line that says what happened and what to do.
struct Error {
  Stage stage = Stage::engine;
  std::string code;     ///< Stable name for programs, for example "auth_required" or "truncated".
  std::string message;  ///< One line; never a secret.
};

/// {"error":{"stage","code","message"}}, what --json prints for a job that failed.
[[nodiscard]] std::string to_json(const Error& error);

template <class T>
using Result = std::expected<T, Error>;

}  // namespace sluice
