#include "engine/restore_state.h"

#include <gtest/gtest.h>

namespace sluice::engine {
namespace {

constexpr std::int64_t start_ms = 1'760'000'000'000;

RestoreState full_state() {
  RestoreState state{.target = "redis://10.0.0.1:6379",
                     .backup = "20261125T090000000Z-0123abcd",
                     .instance = "shop",
                     .keys = 1000,
                     .server = "f00d",
                     .options = R"({"mode":"auto"})",
                     .started_at_ms = start_ms - 5,
                     .records = 700,
                     .sent_end = 1ULL << 40,
                     .so_far = {}};
  state.so_far.start_ms = start_ms;
  RestoreResult& counts = state.so_far.counts;
  counts.by_type["hash"] = {
      .read = 9, .written = 4, .filtered = 0, .skipped = 2, .expired = 1, .failed = 2};
  counts.functions = 2;
  counts.functions_failed = 1;
  counts.failures = {{.db = 3, .key = "a\\x00", .message = "ERR \"no\""}};
  counts.failure_count = 5;
  counts.losses = {{.of = "key",
                    .db = 0,
                    .name = "h",
                    .type = "hash",
                    .what = {"field_expiries"},
                    .message = "m"}};
  counts.loss_count = 7;
  state.so_far.written.emplace(DigestWindows::window_count);
  state.so_far.written->front() = {.sum = {.low = 1, .high = ~0ULL}, .terms = 1};
  state.so_far.written->back() = {.sum = {.low = ~0ULL, .high = 2}, .terms = ~0ULL};
  state.so_far.written_gap = "why";
  return state;
}

TEST(RestoreState, IsReadAsItWasWritten) {
  const RestoreState state = full_state();
  const std::string text = encode(state);
  const auto read = decode_restore_state(text);
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(encode(*read), text);
  EXPECT_EQ(read->records, 700U);
  EXPECT_EQ(read->started_at_ms, start_ms - 5);
  EXPECT_EQ(read->so_far.start_ms, start_ms);
  EXPECT_EQ(read->so_far.counts.by_type.at("hash"), state.so_far.counts.by_type.at("hash"));
  EXPECT_EQ(read->so_far.counts.losses.at(0).what, std::vector<std::string>{"field_expiries"});
  EXPECT_EQ(read->so_far.written, state.so_far.written);
  EXPECT_EQ(read->so_far.written_gap, "why");
}

TEST(RestoreState, KeepsThatNothingIsKnownOfWhatWasWritten) {
  RestoreState state = full_state();
  state.so_far.written.reset();
  EXPECT_FALSE(decode_restore_state(encode(state))->so_far.written.has_value());
}

TEST(RestoreState, FitsItsNoteWhateverFailed) {
  RestoreState state = full_state();
  for (int i = 0; i < 1000; ++i) {
    state.so_far.counts.failures.push_back(
        {.db = 0, .key = std::string(500, 'k'), .message = std::string(100, 'm')});
    state.so_far.counts.losses.push_back(state.so_far.counts.losses.front());
  }
  for (auto& window : *state.so_far.written)
    window = {.sum = {.low = ~0ULL, .high = ~0ULL}, .terms = 1'000'000'000};
  EXPECT_LT(encode(state).size(), 63U << 10);
  EXPECT_GT(decode_restore_state(encode(state))->so_far.counts.failures.size(), 5U);
  EXPECT_EQ(decode_restore_state(encode(state))->so_far.counts.failure_count, 5U);
}

TEST(RestoreState, RefusesWhatIsNone) {
  std::string text = encode(full_state());
  EXPECT_FALSE(decode_restore_state("").has_value());
  EXPECT_FALSE(decode_restore_state("{}").has_value());
  const std::size_t sums = text.find("\"sums\":{\"") + 8;
  text[sums] = '9';  // no such window, or what is no number
  text[sums + 1] = '9';
  EXPECT_FALSE(decode_restore_state(text).has_value());
}

TEST(RestoreState, OptionsThatChooseOtherKeysAreOthers) {
  RestoreOptions options;
  const std::string plain = options_text(options);
  options.connections = 9;
  options.verify = Proof::never;
  EXPECT_EQ(options_text(options), plain);
  options.filter.keys.except.slots = {{.first = 1, .last = 2}};
  EXPECT_NE(options_text(options), plain);
}

}  // namespace
}  // namespace sluice::engine
