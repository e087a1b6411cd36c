#include "storage/directory_store.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <atomic>
#include <chrono>
#include <optional>
#include <thread>

#include "child.h"
#include "scratch.h"
#include "storage/file_lock.h"

namespace sluice::storage {
namespace {

namespace fs = std::filesystem;

class DirectoryStoreTest : public testing::Test {
 protected:
  static DirectoryStore open(const fs::path& path) {
    auto root = open_directory(path.string());
    EXPECT_OK(root);
    return DirectoryStore(*std::move(root));
  }
  [[nodiscard]] fs::path file(std::string_view name) const { return scratch_.path() / name; }
  static unsigned mode_of(const fs::path& path) {
    struct stat status{};
    EXPECT_EQ(::stat(path.c_str(), &status), 0);
    return status.st_mode & 07777U;
  }

  ScratchDirectory scratch_;
  DirectoryStore store_ = open(scratch_.path());
};

TEST_F(DirectoryStoreTest, FilesAndDirectoriesHaveTheirModes) {
  const mode_t before = ::umask(0);
  const auto version = store_.put_if_absent("a/b", "x");
  ASSERT_OK(version);
  EXPECT_EQ(mode_of(file("a")), 0700U);
  EXPECT_EQ(mode_of(file("a/b")), 0400U);
  ASSERT_OK(store_.put_if_match("a/b", "y", *version));
  EXPECT_EQ(mode_of(file("a/b")), 0400U);
  ::umask(before);
}

TEST_F(DirectoryStoreTest, LeavesNothingBesideAnObject) {
  const auto version = store_.put_if_absent("a/b", "x");
  ASSERT_OK(version);
  ASSERT_OK(store_.put_if_match("a/b", "y", *version));
  EXPECT_FALSE(store_.put_if_absent("a/b", "x"));
  EXPECT_FALSE(store_.put_if_match("a/b", "z", *version));
  ASSERT_OK(store_.move("a/b", "a/c"));
  EXPECT_EQ(files_below(scratch_.path()), std::vector<fs::path>{file("a/c")});
}

TEST_F(DirectoryStoreTest, UpdatesOfSeveralProcessesAreNotLost) {
  ASSERT_OK(store_.put_if_absent("count", "0"));
  const auto count_up = [this](int times) {
    DirectoryStore own = open(scratch_.path());
    while (times > 0) {
      const auto object = own.get("count", 100);
      if (!object) return 1;
      const auto put =
          own.put_if_match("count", std::to_string(std::stoi(object->bytes) + 1), object->version);
      if (put) --times;
      if (!put && put.error().code != Errc::changed) return 1;
    }
    return 0;
  };
  std::vector<pid_t> children;
  for (int i = 0; i < 3; ++i) {
    const pid_t child = ::fork();
    if (child == 0) ::_exit(count_up(30));
    children.push_back(child);
  }
  for (const pid_t child : children) {
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
  }
  const auto object = store_.get("count", 100);
  ASSERT_OK(object);
  EXPECT_EQ(object->bytes, "90");
}

TEST_F(DirectoryStoreTest, WhatADeadWriterLeftIsNoObstacle) {
  const auto version = store_.put_if_absent("a/HEAD", "x");
  ASSERT_OK(version);
  write_file(file("a/.new-HEAD"), bytes_of("half"));
  const auto listed = store_.list("");
  ASSERT_OK(listed);
  ASSERT_EQ(listed->size(), 1U);
  EXPECT_EQ(listed->front().name, "a/HEAD");
  ASSERT_OK(store_.put_if_match("a/HEAD", "y", *version));
  EXPECT_EQ(files_below(scratch_.path()), std::vector<fs::path>{file("a/HEAD")});
}

TEST_F(DirectoryStoreTest, LeavesOutWhatNoRepositoryNames) {
  ASSERT_OK(store_.put_if_absent("packs/p", "x"));
  fs::create_directory(file("lost+found"));
  write_file(file("packs/.nfs0000000000a1b2c3"), bytes_of("held"));
  write_file(file("packs/with space"), bytes_of("x"));
  fs::create_directory(file(".snapshot"));
  const auto listed = store_.list("");
  ASSERT_OK(listed);
  ASSERT_EQ(listed->size(), 1U);
}

/// Mutation: O_NOFOLLOW of open_directory() and open_for_reading(), AT_SYMLINK_NOFOLLOW of
/// listings.
TEST_F(DirectoryStoreTest, I7_SymbolicLinksAreRefusedByName) {
  const ScratchDirectory elsewhere;
  write_file(elsewhere.path() / "secret", bytes_of("secret"));
  ASSERT_OK(store_.put_if_absent("good/a", "x"));
  fs::create_symlink(elsewhere.path(), file("packs"));
  fs::create_symlink(elsewhere.path() / "secret", file("good/link"));
  const auto expect_named = [](const auto& result, std::string_view path) {
    ASSERT_FALSE(result.has_value());
    EXPECT_EQ(result.error().code, Errc::corrupt) << to_string(result.error());
    EXPECT_NE(result.error().detail.find(path), std::string::npos) << to_string(result.error());
  };
  for (const std::string_view name : {"packs/secret", "good/link"}) {
    const std::string_view link = name == "good/link" ? name : "packs";
    expect_named(store_.get(name, 100), link);
    expect_named(store_.get_range(name, 0, 1), link);
    expect_named(store_.put_if_match(name, "y", "v"), link);
    expect_named(store_.move(name, "b"), link);
    expect_named(store_.remove(name), link);
    expect_named(store_.size_of(name), link);
  }
  expect_named(store_.put_if_absent("packs/b", "y"), "packs");
  expect_named(store_.move("good/a", "packs/b"), "packs");
  expect_named(store_.list(""), "good/link");
  expect_named(store_.list("packs/"), "packs");
  EXPECT_EQ(store_.put_if_absent("good/link", "y").error().code, Errc::exists);
  EXPECT_EQ(read_file(elsewhere.path() / "secret"), bytes_of("secret"));
  EXPECT_EQ(files_below(elsewhere.path()).size(), 1U);
}

/// What was waited for may have been replaced meanwhile, and who replaced it may hold what is there
/// now. Mutation: is_of() in lock_object().
TEST_F(DirectoryStoreTest, ALockOfWhatWasReplacedIsNone) {
  const auto version = store_.put_if_absent("a", "x");
  ASSERT_OK(version);
  const auto root = open_directory(scratch_.path().string());
  ASSERT_OK(root);
  std::optional first = *FileLock::acquire_existing(*root, "a", std::chrono::milliseconds(0));
  std::atomic<bool> done = false;
  std::jthread waiting([&] {
    EXPECT_OK(store_.put_if_match("a", "y", *version));
    done = true;
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  ASSERT_OK(replace_text(*root, "a", "x"));
  std::optional second = *FileLock::acquire_existing(*root, "a", std::chrono::milliseconds(0));
  first.reset();
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  EXPECT_FALSE(done);
  second.reset();
  waiting.join();
  EXPECT_EQ(store_.get("a", 10)->bytes, "y");
}

TEST_F(DirectoryStoreTest, AHeldObjectIsWaitedFor) {
  const auto version = store_.put_if_absent("a", "x");
  ASSERT_OK(version);
  const auto root = open_directory(scratch_.path().string());
  ASSERT_OK(root);
  auto held = FileLock::acquire_existing(*root, "a", std::chrono::milliseconds(0));
  ASSERT_OK(held);
  std::jthread holder([lock = std::move(*held)]() mutable {
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    const FileLock released = std::move(lock);
  });
  const auto start = std::chrono::steady_clock::now();
  ASSERT_OK(store_.put_if_match("a", "y", *version));
  EXPECT_GE(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(100));
}

}  // namespace
}  // namespace sluice::storage
