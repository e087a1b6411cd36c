#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "sluice/filter.h"
#include "sluice/job.h"
#include "sluice/place.h"
#include "sluice/result.h"

namespace sluice {

enum class TextFormat : std::uint8_t {
  jsonl,  ///< One key a line, in the order of the place; docs/cli.md.
  resp,   ///< Commands that make the dataset anew, for `redis-cli --pipe`.
  csv,    ///< An inventory: one key a row, without the values.
};

struct ExportOptions {
  Place place;
  TextFormat format = TextFormat::jsonl;
  std::string output = "-";  ///< Path, or "-" for standard output.
  KeyChoice keys = {};       ///< Which are written.
  bool functions = false;    ///< Function libraries too, though keys are chosen.
};

struct ExportResult {
  std::string place;  ///< Without secrets.
  std::string format;
  std::string output;
  std::uint64_t keys = 0;                      ///< Written.
  std::map<std::string, std::uint64_t> types;  ///< These by logical type.
  std::uint64_t filtered = 0;                  ///< Keys read that are not chosen.
  std::uint64_t unread = 0;                    ///< Keys in runs that hold no chosen one.
  std::uint64_t runs_skipped = 0;              ///< These runs.
  std::uint64_t functions = 0;                 ///< Function libraries; only `resp` has them.
  std::uint64_t raw_bytes = 0;                 ///< RDB bytes read.
  std::uint64_t bytes = 0;                     ///< Written.
  double seconds = 0;
};

/// Writes the contents of a place in a format that other programs read.
///
/// Errors:     what keeps the place from being read; "write_failed" for the output,
///             "scratch_failed" for $TMPDIR. After an error nothing is left at `output`; standard
///             output and what is no regular file keep what was written so far.
/// Durability: on success a file is on stable storage, and only then has its name.
/// Memory:     about 40 MiB, whatever the size of the dataset or of a value, and the longest key
///             three times; values that have to be sorted and do not fit go to $TMPDIR.
/// Threads:    blocks the calling thread.
[[nodiscard]] Result<ExportResult> export_place(const ExportOptions& options,
                                                const JobContext& job);

[[nodiscard]] std::string to_json(const ExportResult& result);

enum class ValueFormat : std::uint8_t {
  json,       ///< The value as it stands in a line of jsonl.
  json_line,  ///< The whole line.
  raw,        ///< The bytes of a string; other types are refused.
  dump,       ///< The payload that DUMP gives and RESTORE takes.
};

struct GetOptions {
  Place place;
  std::string key;                  ///< Any bytes.
  std::optional<std::uint64_t> db;  ///< None: the first database that has the key.
  ValueFormat format = ValueFormat::json;
  std::string output = "-";
};

/// Writes the value of one key. Reads the place up to the key and no further.
///
/// Errors: "no_such_key" says which databases were looked at; "wrong_type" for `raw`; else as for
///         export_place().
[[nodiscard]] Result<void> get_key(const GetOptions& options, const JobContext& job);

}  // namespace sluice
