#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "rdb/error.h"
#include "rdb/value_handler.h"
#include "rdb/value_reader.h"

namespace sluice::rdb::testing {

/// Writes events as words into `log`: `member "a" score 1.5`. The parts of a text are joined, so
/// that the log does not depend on how the value was cut; a long text is given by its length and
/// CRC64.
class ValueRecorder final : public ValueHandler {
 public:
  static constexpr std::uint64_t never = UINT64_MAX;

  /// Accepts `events_max` events and refuses the next.
  explicit ValueRecorder(std::uint64_t events_max = never) : events_left_(events_max) {}

  bool on_text(Role role, const Text& text) override;
  bool on_number(Role role, std::uint64_t number) override;
  bool on_real(Role role, double real) override;
  bool on_stream_id(Role role, StreamId id) override;

  /// Forgets what it saw, and a text that has not ended.
  void restart() {
    log.clear();
    in_text_ = false;
  }

  std::string log;
  std::uint64_t events = 0;    ///< Parts of texts count each.
  std::uint64_t refusals = 0;  ///< Events after the first refused one included.

 private:
  bool accept();
  void words(Role role, const std::string& what);

  std::uint64_t events_left_;
  std::string text_;
  bool in_text_ = false;
};

/// The name of a role as the log has it.
[[nodiscard]] std::string_view name_of(Role role);

/// A value to be read, under the key "k" at offset 0.
struct Value {
  std::uint8_t type = 0;  ///< The type byte.
  std::string bytes;
  Dialect dialect = Dialect::redis;
  unsigned version = 14;
};

/// What came of reading it.
struct Reading {
  std::string log;
  std::optional<Error> error;

  friend bool operator==(const Reading&, const Reading&) = default;
};
void PrintTo(const Reading& reading, std::ostream* out);

/// Feeds pieces that end at `cuts` (ascending), then the rest, then end().
[[nodiscard]] Reading read(const Value& value, ReadOptions options = {},
                           std::span<const std::size_t> cuts = {});

/// The value ends before its bytes do. To begin_with() these belong to what comes next.
[[nodiscard]] bool has_more_behind(const Reading& reading);

/// By begin_with() the `first` bytes and `behind`, which does not belong to the value; then the
/// rest.
[[nodiscard]] Reading read_begun_with(const Value& value, std::size_t first,
                                      std::string_view behind = {}, ReadOptions options = {});

/// Reads whole, byte by byte with empty pieces in between, and in two at every byte (of long values
/// a sample), also begun with the first piece; every reading must equal the first. Without texts
/// the verdict must be the same.
[[nodiscard]] Reading read_at_every_split(const Value& value, ReadOptions options = {});

/// The value is accepted, strictly and not, with these events.
void expect_events(const Value& value, std::string_view log);
/// The value is accepted at both depths.
void expect_accepted(const Value& value);

enum class Depth : std::uint8_t {
  verify,  ///< Refused only when strict.
  decode   ///< Refused always.
};
/// The value is refused for this, in any cut.
void expect_refused(Depth depth, const Value& value, Errc code, std::string_view detail);

}  // namespace sluice::rdb::testing
