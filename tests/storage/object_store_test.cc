#include "storage/object_store.h"

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <thread>

#include "faulty_store.h"
#include "memory_store.h"
#include "scratch.h"
#include "storage/directory_store.h"

namespace sluice::storage {
namespace {

/// A kind of store, and how to have an empty one.
struct Kind {
  std::string name;
  std::function<std::unique_ptr<ObjectStore>(const std::filesystem::path& scratch)> make;
};

void PrintTo(const Kind& kind, std::ostream* out) { *out << kind.name; }

class ObjectStoreContract : public testing::TestWithParam<Kind> {
 protected:
  ObjectStore& store() { return *store_; }
  std::vector<std::string> names(std::string_view prefix) {
    const auto entries = store().list(prefix);
    EXPECT_OK(entries);
    std::vector<std::string> names;
    if (!entries) return names;
    for (const ObjectStore::Entry& entry : *entries) names.push_back(entry.name);
    return names;
  }
  std::string bytes_of(std::string_view name) {
    const auto object = store().get(name, 1 << 20);
    EXPECT_OK(object);
    return object ? object->bytes : "";
  }
  ObjectStore::Version put(std::string_view name, std::string_view bytes) {
    const auto version = store().put_if_absent(name, bytes);
    EXPECT_OK(version);
    return version ? *version : "";
  }

  ScratchDirectory scratch_;
  std::unique_ptr<ObjectStore> store_ = GetParam().make(scratch_.path());
};

template <class Value>
void expect_refused(const Result<Value>& result, Errc code) {
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code, code) << to_string(result.error());
}

TEST_P(ObjectStoreContract, GivesBackWhatWasPut) {
  const auto version = put("instances/a/HEAD", "one");
  const auto object = store().get("instances/a/HEAD", 3);
  ASSERT_OK(object);
  EXPECT_EQ(object->bytes, "one");
  EXPECT_EQ(object->version, version);
  put("empty", "");
  EXPECT_EQ(bytes_of("empty"), "");
}

TEST_P(ObjectStoreContract, MissingIsToldApartFromFailing) {
  put("a/b", "x");
  for (const std::string_view name : {"a/c", "b/c", "c", "a/b/c"}) {
    expect_refused(store().get(name, 10), Errc::not_found);
    expect_refused(store().get_range(name, 0, 1), Errc::not_found);
    const auto size = store().size_of(name);
    ASSERT_OK(size);
    EXPECT_FALSE(size->has_value());
    EXPECT_OK(store().remove(name));
    expect_refused(store().move(name, "d"), Errc::not_found);
    expect_refused(store().put_if_match(name, "y", "v"), Errc::changed);
  }
  EXPECT_EQ(names(""), std::vector<std::string>{"a/b"});
}

TEST_P(ObjectStoreContract, LimitsWhatItReads) {
  put("a", "12345");
  expect_refused(store().get("a", 4), Errc::limit_exceeded);
  const auto size = store().size_of("a");
  ASSERT_OK(size);
  EXPECT_EQ(*size, 5U);
}

TEST_P(ObjectStoreContract, RangesAreExactOrRefused) {
  put("a", "0123456789");
  const auto middle = store().get_range("a", 3, 4);
  ASSERT_OK(middle);
  EXPECT_EQ(*middle, "3456");
  const auto none = store().get_range("a", 10, 0);
  ASSERT_OK(none);
  EXPECT_EQ(*none, "");
  expect_refused(store().get_range("a", 3, 8), Errc::truncated);
  expect_refused(store().get_range("a", 11, 0), Errc::truncated);
  expect_refused(store().get_range("a", 3, UINT64_MAX), Errc::truncated);
}

TEST_P(ObjectStoreContract, NeverPutsOverAnother) {
  put("a", "first");
  expect_refused(store().put_if_absent("a", "second"), Errc::exists);
  EXPECT_EQ(bytes_of("a"), "first");
}

TEST_P(ObjectStoreContract, ReplacesOnlyTheVersionThatIsThere) {
  const auto first = put("a", "1");
  const auto second = store().put_if_match("a", "22", first);
  ASSERT_OK(second);
  EXPECT_NE(*second, first);
  EXPECT_EQ(bytes_of("a"), "22");
  expect_refused(store().put_if_match("a", "333", first), Errc::changed);
  EXPECT_EQ(bytes_of("a"), "22");
  const auto object = store().get("a", 10);
  ASSERT_OK(object);
  EXPECT_EQ(object->version, *second);
}

TEST_P(ObjectStoreContract, ListsByPrefixInOrder) {
  put("packs/01/b", "22");
  put("packs/00/a", "1");
  put("packs-2/x", "");
  put("top", "");
  EXPECT_EQ(names("packs/"), (std::vector<std::string>{"packs/00/a", "packs/01/b"}));
  EXPECT_EQ(names("packs/01/"), std::vector<std::string>{"packs/01/b"});
  EXPECT_EQ(names(""), (std::vector<std::string>{"packs-2/x", "packs/00/a", "packs/01/b", "top"}));
  EXPECT_TRUE(names("trash/").empty());
  EXPECT_TRUE(names("top/").empty());
  const auto entries = store().list("packs/");
  ASSERT_OK(entries);
  EXPECT_EQ((*entries)[1].bytes, 2U);
}

TEST_P(ObjectStoreContract, RemovesForGood) {
  put("a/b", "x");
  ASSERT_OK(store().remove("a/b"));
  expect_refused(store().get("a/b", 10), Errc::not_found);
  EXPECT_TRUE(names("").empty());
  ASSERT_OK(store().remove("a/b"));
  put("a/b", "again");
  EXPECT_EQ(bytes_of("a/b"), "again");
}

TEST_P(ObjectStoreContract, MovesWithoutReplacing) {
  put("packs/00/p", "pack");
  ASSERT_OK(store().move("packs/00/p", "trash/plan/p"));
  EXPECT_EQ(names(""), std::vector<std::string>{"trash/plan/p"});
  EXPECT_EQ(bytes_of("trash/plan/p"), "pack");
  put("packs/00/p", "other");
  expect_refused(store().move("trash/plan/p", "packs/00/p"), Errc::exists);
  EXPECT_EQ(bytes_of("packs/00/p"), "other");
  EXPECT_EQ(bytes_of("trash/plan/p"), "pack");
}

TEST_P(ObjectStoreContract, I4_RefusesNamesThatLeadElsewhere) {
  const std::string too_long(256, 'a');
  for (const std::string_view name :
       {std::string_view(""), std::string_view("/"), std::string_view("/etc/passwd"),
        std::string_view(".."), std::string_view("../x"), std::string_view("a/../../x"),
        std::string_view("a/./b"), std::string_view("a//b"), std::string_view("a/"),
        std::string_view(".new-a"), std::string_view("a/.b"), std::string_view("a b"),
        std::string_view("a\\b"), std::string_view("a\0b", 3), std::string_view("caf\xc3\xa9"),
        std::string_view(too_long)}) {
    expect_refused(store().get(name, 10), Errc::bad_name);
    expect_refused(store().get_range(name, 0, 1), Errc::bad_name);
    expect_refused(store().size_of(name), Errc::bad_name);
    expect_refused(store().put_if_absent(name, "x"), Errc::bad_name);
    expect_refused(store().put_if_match(name, "x", "v"), Errc::bad_name);
    expect_refused(store().remove(name), Errc::bad_name);
    put("good", "x");
    expect_refused(store().move("good", name), Errc::bad_name);
    expect_refused(store().move(name, "better"), Errc::bad_name);
    ASSERT_OK(store().remove("good"));
  }
  for (const std::string_view prefix : {"a", "../", "/", "a/../", "a//", ".new-/"})
    expect_refused(store().list(prefix), Errc::bad_name);
  EXPECT_TRUE(names("").empty());
}

TEST_P(ObjectStoreContract, OneOfManyCreates) {
  std::atomic<int> made = 0;
  {
    std::vector<std::jthread> writers;
    for (int i = 0; i < 4; ++i) {
      writers.emplace_back([this, &made, i] {
        for (int object = 0; object < 25; ++object) {
          const auto put = store().put_if_absent("a/" + std::to_string(object),
                                                 std::string(1000, static_cast<char>('0' + i)));
          if (put) ++made;
          EXPECT_TRUE(put || put.error().code == Errc::exists);
        }
      });
    }
  }
  EXPECT_EQ(made, 25);
  for (const std::string& name : names("a/")) {
    const std::string bytes = bytes_of(name);
    EXPECT_EQ(bytes, std::string(1000, bytes[0]));
  }
}

/// Adds one to the number in "count" until `times` were its own. Both readers and writers of what
/// it replaces.
void count_up(ObjectStore& store, int times) {
  while (times > 0) {
    const auto object = store.get("count", 100);
    if (!object) return;
    const std::string next = std::to_string(std::stoi(object->bytes) + 1);
    const auto put = store.put_if_match("count", next, object->version);
    if (put) --times;
    if (!put && put.error().code != Errc::changed) return;
  }
}

TEST_P(ObjectStoreContract, NoUpdateIsLost) {
  put("count", "0");
  {
    std::vector<std::jthread> writers;
    for (int i = 0; i < 3; ++i) writers.emplace_back([this] { count_up(store(), 30); });
  }
  EXPECT_EQ(bytes_of("count"), "90");
}

TEST_P(ObjectStoreContract, WhatIsReplacedIsListedAllTheTime) {
  put("a/count", "0");
  std::atomic<bool> stop = false;
  std::jthread writer([this, &stop] {
    for (int i = 0; !stop; ++i) {
      const auto object = store().get("a/count", 100);
      if (object) (void)store().put_if_match("a/count", std::to_string(i), object->version);
    }
  });
  for (int i = 0; i < 300; ++i) EXPECT_EQ(names("a/"), std::vector<std::string>{"a/count"});
  stop = true;
}

/// A lease and its removal: who is told that he has changed HEAD has not brought it back.
TEST_P(ObjectStoreContract, AChangeDoesNotUndoAMove) {
  for (int round = 0; round < 40; ++round) {
    const std::string head = "i" + std::to_string(round) + "/HEAD";
    const auto version = put(head, "running");
    Result<ObjectStore::Version> changed;
    std::jthread writer([this, &head, &version, &changed] {
      changed = store().put_if_match(head, "committed", version);
    });
    const auto moved = store().move(head, head + ".removed");
    writer.join();
    ASSERT_OK(moved);
    EXPECT_EQ(names("i" + std::to_string(round) + "/"),
              std::vector<std::string>{head + ".removed"});
    EXPECT_EQ(bytes_of(head + ".removed"), changed ? "committed" : "running");
  }
}

std::unique_ptr<ObjectStore> in_directory(const std::filesystem::path& scratch) {
  auto root = open_directory(scratch.string());
  return root ? std::make_unique<DirectoryStore>(*std::move(root)) : nullptr;
}

/// What tests of others put around a store is one, too, while nothing goes wrong.
std::unique_ptr<ObjectStore> decorated(const std::filesystem::path& /*scratch*/) {
  static std::vector<std::unique_ptr<MemoryStore>> below;
  below.push_back(std::make_unique<MemoryStore>());
  return std::make_unique<FaultyStore>(*below.back());
}

INSTANTIATE_TEST_SUITE_P(
    Store, ObjectStoreContract,
    testing::Values(Kind{"directory", in_directory}, Kind{"faulty", decorated},
                    Kind{"memory", [](const auto&) { return std::make_unique<MemoryStore>(); }}),
    [](const auto& kind) { return kind.param.name; });

}  // namespace
}  // namespace sluice::storage
