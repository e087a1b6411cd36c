#include "sluice/history.h"

#include <vector>

#include "backups.h"

namespace sluice::engine {
namespace {

class HistoryTest : public BackupsTest {
 protected:
  std::vector<KeyState> history_of(const std::string& key, std::optional<std::uint64_t> db = {}) {
    HistoryOptions options;
    options.repository = repository();
    options.instance = "test";
    options.key = key;
    options.db = db;
    const auto states = history(options, {});
    EXPECT_TRUE(states.has_value()) << (states ? "" : states.error().message);
    return states.value_or(std::vector<KeyState>());
  }
};

/// "absent" or "db type bytes expiry", a star before it when it changed.
std::string text_of(const KeyState& state) {
  const std::string star = state.changed ? "* " : "";
  if (state.error) return star + "error";
  if (!state.present) return star + "absent";
  return star + std::to_string(state.db) + " " + state.type + " " +
         std::to_string(state.value_bytes) + " " + std::to_string(state.expire_at_ms.value_or(0));
}

std::vector<std::string> texts_of(const std::vector<KeyState>& states) {
  std::vector<std::string> texts;
  for (const KeyState& state : states) texts.push_back(text_of(state));
  return texts;
}

using Texts = std::vector<std::string>;

TEST_F(HistoryTest, TellsWhereAKeyChanged) {
  MadeKeys keys;
  for (int i = 0; i < 5000; ++i)
    keys[{1, "key:" + std::to_string(i)}].value = std::string(100, 'v');
  take(rdb_of(keys));
  keys[{1, "k"}] = {.value = "one"};
  take(rdb_of(keys));
  keys[{1, "key:17"}].value = "another";
  take(rdb_of(keys), BackupLayout::stream);
  take(rdb_of(keys));
  keys[{1, "k"}].expire_at_ms = 2'000'000'000'000;
  take(rdb_of(keys));
  take(rdb_of(keys));
  keys[{0, "k"}] = {.value = "seven b"};
  const std::string last = take(rdb_of(keys));
  const auto states = history_of("k");
  // A length of four bytes and one of them in front of the text.
  EXPECT_EQ(texts_of(states),
            (Texts{"* absent", "* 1 string 8 0", "1 string 8 0", "1 string 8 0",
                   "* 1 string 8 2000000000000", "1 string 8 2000000000000", "* 0 string 12 0"}));
  EXPECT_EQ(states.back().id, last);
  EXPECT_EQ(texts_of(history_of("k", 0)).back(), "* 0 string 12 0");
  EXPECT_EQ(texts_of(history_of("k", 1)).back(), "1 string 8 2000000000000");
  EXPECT_EQ(texts_of(history_of("nothing")),
            (Texts{"* absent", "absent", "absent", "absent", "absent", "absent", "absent"}));
}

TEST_F(HistoryTest, GoesOnBehindABackupThatCannotBeRead) {
  take(rdb_of({{{0, "k"}, {.value = "v"}}}));
  const std::string damaged = take(rdb_of({{{0, "k"}, {.value = "w"}}}));
  take(rdb_of({{{0, "k"}, {.value = "v"}}}));
  for (const char* name : {"manifest", "manifest.copy"}) {
    std::ofstream(folder_ / "repository/instances/test" / damaged / name) << "nonsense";
  }
  EXPECT_EQ(texts_of(history_of("k")), (Texts{"* 0 string 6 0", "error", "0 string 6 0"}));
}

TEST_F(HistoryTest, NoBackupsIsAnError) {
  take(rdb_of({{{0, "k"}, {.value = "v"}}}));
  HistoryOptions options;
  options.repository = repository();
  options.instance = "other";
  options.key = "k";
  const auto states = history(options, {});
  ASSERT_FALSE(states.has_value());
  EXPECT_EQ(states.error().code, "not_found");
}

}  // namespace
}  // namespace sluice::engine
