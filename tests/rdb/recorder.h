#pragma once

#include <cstddef>
#include <cstdint>
#include <iosfwd>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "rdb/error.h"
#include "rdb/handler.h"
#include "rdb/parser.h"

namespace sluice::rdb {

void PrintTo(const Error& error, std::ostream* out);  // found by gtest

}  // namespace sluice::rdb

namespace sluice::rdb::testing {

[[nodiscard]] inline std::span<const std::byte> bytes(std::string_view text) {
  return std::as_bytes(std::span(text));
}

/// "52 45" -> "RE". Spaces are ignored; 'text' in single quotes stands for itself.
[[nodiscard]] std::string from_hex(std::string_view hex);
[[nodiscard]] std::string to_hex(std::span<const std::byte> bytes);

/// Writes one line per event into `log`. Value parts are joined, so that the log does not depend
/// on how the stream was cut; a long value is given by its length and CRC64.
class Recorder final : public Handler {
 public:
  static constexpr std::uint64_t never = UINT64_MAX;

  /// Accepts `events_max` events and refuses the next.
  explicit Recorder(std::uint64_t events_max = never) : events_left_(events_max) {}

  bool on_header(const Header& header) override;
  bool on_aux(std::span<const std::byte> key, std::span<const std::byte> value) override;
  bool on_database(std::uint64_t db) override;
  bool on_database_size(std::uint64_t keys, std::uint64_t expires) override;
  bool on_function(std::span<const std::byte> source) override;
  bool on_module_aux(std::uint64_t module_id, std::uint64_t when) override;
  bool on_record_begin(const RecordHeader& record) override;
  bool on_value_part(std::span<const std::byte> part) override;
  bool on_record_end(std::uint64_t offset) override;
  bool on_end(const Trailer& trailer) override;

  std::string log;
  std::uint64_t events = 0;
  std::uint64_t refusals = 0;  ///< Events after the first refused one included.

 private:
  bool line(const std::string& text);

  std::uint64_t events_left_;
  std::string value_;
};

/// What came of parsing one stream.
struct Outcome {
  std::string log;
  std::optional<Error> error;
  bool done = false;
  std::uint64_t taken = 0;

  friend bool operator==(const Outcome&, const Outcome&) = default;
};
void PrintTo(const Outcome& outcome, std::ostream* out);

/// Feeds pieces that end at `cuts` (ascending), then the rest, then finish() unless done.
[[nodiscard]] Outcome parse(std::string_view input, std::span<const std::size_t> cuts = {},
                            Limits limits = {});
[[nodiscard]] Outcome parse_byte_by_byte(std::string_view input, Limits limits = {});

/// Parses whole, byte by byte and in two at every byte; every outcome must equal the first.
[[nodiscard]] Outcome parse_at_every_split(std::string_view input, Limits limits = {});

/// A Redis stream of `version` with `body` between the header and the EOF opcode, checksum right.
[[nodiscard]] std::string redis_stream(unsigned version, std::string_view body);
[[nodiscard]] std::string valkey_stream(unsigned version, std::string_view body);

}  // namespace sluice::rdb::testing
