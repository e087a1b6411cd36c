#pragma once

#include "engine/clock.h"
#include "engine/facts_tap.h"
#include "engine/filter_stream.h"
#include "engine/key_chooser.h"
#include "rdb/parser.h"
#include "sluice/filter.h"
#include "sluice/result.h"

namespace sluice::engine {

/// What a live server's snapshot goes through before something takes the records: a parser, and a
/// filter if there is one.
///
/// Threads: one at a time. Lifetime: what it is made of outlives it.
class CloneInput {
 public:
  CloneInput(const Filter& filter, const KeyChooser& chooser, rdb::Handler& next,
             FilterTally& tally)
      : filter_(filter, chooser, from_now(), next, tally),
        facts_(filter.empty() ? next : static_cast<rdb::Handler&>(filter_)),
        parser_(facts_) {}

  [[nodiscard]] rdb::Parser& parser() noexcept { return parser_; }
  [[nodiscard]] const rdb::Parser& parser() const noexcept { return parser_; }
  /// Of all that came.
  [[nodiscard]] const StreamFacts& facts() const noexcept { return facts_; }
  /// Why the parser was stopped, `read` being what its reader says.
  [[nodiscard]] Error why_stopped(const Error& read) const {
    return filter_.error().value_or(read);
  }

 private:
  /// The data were saved now, if their RDB does not say when.
  static FilterStream::Clock from_now() {
    const std::int64_t now_ms = unix_now_ms();
    return {.now_ms = now_ms, .saved_ms = now_ms};
  }

  FilterStream filter_;
  FactsTap facts_;
  rdb::Parser parser_;
};

}  // namespace sluice::engine
