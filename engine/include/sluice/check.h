#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "sluice/job.h"
#include "sluice/result.h"

namespace sluice {

struct CheckOptions {
  std::string file;  ///< Path, "file://…" or "-".
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
  bool ok = false;
  std::string dialect;  ///< "redis" or "valkey"; empty when the header was not read.
  unsigned rdb_version = 0;
  std::uint64_t bytes = 0;
  std::uint64_t keys = 0;
  std::map<std::string, std::uint64_t> types;
  std::string crc = "absent";  ///< "ok", "absent" or "mismatch".
  std::optional<std::string> digest;
  std::optional<CheckError> error;
  std::uint64_t trailing_bytes = 0;  ///< After the end of the RDB: an AOF tail, or junk.
};

/// Validates an RDB file at depth frame: every length and key border, and the CRC64. Fails only
/// when the file cannot be read; what is wrong with it is in the result.
[[nodiscard]] Result<CheckResult> check(const CheckOptions& options, const JobContext& job);

[[nodiscard]] std::string to_json(const CheckResult& result);

}  // namespace sluice
