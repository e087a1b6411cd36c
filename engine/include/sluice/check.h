#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "sluice/job.h"
#include "sluice/result.h"

namespace sluice {

/// How deep a file is looked into; each depth includes the ones before it.
enum class CheckDepth : std::uint8_t {
  frame,   ///< Every length and key border, and the CRC64.
  verify,  ///< Every value, as strictly as a server with sanitize-dump-payload yes.
  decode,  ///< Every element is read out; gives the digest of the dataset.
};

struct CheckOptions {
  std::string file;  ///< Path, "file://…" or "-".
  CheckDepth depth = CheckDepth::verify;
};

/// Where and why a stream was refused.
struct CheckError {
  std::string code;  ///< "truncated", "unknown_type", …
  std::uint64_t offset = 0;
  std::uint64_t record = 0;
  std::uint64_t db = 0;
  std::string key;  ///< Escaped; empty outside of a record.
  std::string message;
};

struct CheckResult {
  static constexpr std::size_t errors_max = 100;

  bool ok = false;
  std::string dialect;  ///< "redis" or "valkey"; empty when the header was not read.
  unsigned rdb_version = 0;
  std::uint64_t bytes = 0;
  std::uint64_t keys = 0;
  std::map<std::string, std::uint64_t> types;
  std::string crc = "absent";  ///< "ok", "absent" or "mismatch".
  std::optional<std::string> digest;
  std::optional<CheckError> error;  ///< The first.
  /// All of them, as far as the stream could be followed: a value that is wrong does not hide what
  /// comes after it. At most `errors_max`.
  std::vector<CheckError> errors;
  std::uint64_t error_count = 0;
  /// Types of modules, with the number of keys: their values are framed, not understood.
  std::map<std::string, std::uint64_t> modules;
  /// Collections too large to look for duplicates among all their elements.
  std::uint64_t unchecked = 0;
  std::uint64_t trailing_bytes = 0;  ///< After the end of the RDB: an AOF tail, or junk.
};

/// Validates an RDB file. Fails only when the file cannot be read; what is wrong with it is in the
/// result.
[[nodiscard]] Result<CheckResult> check(const CheckOptions& options, const JobContext& job);

[[nodiscard]] std::string to_json(const CheckResult& result);

}  // namespace sluice
