#include "storage/target_note.h"

#include <gtest/gtest.h>

#include "storage/repository.h"
#include "tests/storage/scratch.h"

namespace sluice::storage {
namespace {

class TargetNoteTest : public testing::Test {
 protected:
  TargetNoteTest() {
    OpenOptions options;
    options.create_if_missing = true;
    auto opened = Repository::open(scratch_.path() / "repository", options);
    EXPECT_OK(opened);
    repository_ = *std::move(opened);
  }
  [[nodiscard]] const Layout& layout() const { return *repository_->shared_layout(); }

  ScratchDirectory scratch_;
  std::unique_ptr<Repository> repository_;
};

TEST_F(TargetNoteTest, IsReadAsItWasWrittenAndGoneOnceCleared) {
  auto note = TargetNote::open(layout(), name::feeds, "10.0.0.1-6379");
  ASSERT_OK(note);
  EXPECT_EQ(*note->read(), std::nullopt);
  ASSERT_OK(note->write("one"));
  ASSERT_OK(note->write("two"));
  EXPECT_EQ(*note->read(), "two");
  EXPECT_EQ(*read_target_note(layout(), name::feeds, "10.0.0.1-6379"), "two");
  EXPECT_EQ(*list_target_notes(layout(), name::feeds), std::vector<std::string>{"10.0.0.1-6379"});
  ASSERT_OK(note->clear());
  EXPECT_EQ(*note->read(), std::nullopt);
  EXPECT_TRUE(list_target_notes(layout(), name::feeds)->empty());
}

TEST_F(TargetNoteTest, IsHeldByOneAtATime) {
  {
    auto note = TargetNote::open(layout(), name::feeds, "a");
    ASSERT_OK(note);
    EXPECT_EQ(TargetNote::open(layout(), name::feeds, "a").error().code, Errc::busy);
    EXPECT_OK(TargetNote::open(layout(), name::feeds, "b"));
    ASSERT_OK(note->write("text"));
  }
  auto again = TargetNote::open(layout(), name::feeds, "a");
  ASSERT_OK(again);
  EXPECT_EQ(*again->read(), "text");
}

TEST_F(TargetNoteTest, LeavesNothingBehindWhenThereIsNoNote) {
  EXPECT_TRUE(list_target_notes(layout(), name::feeds)->empty());
  EXPECT_EQ(*read_target_note(layout(), name::feeds, "a"), std::nullopt);
  {
    ASSERT_OK(TargetNote::open(layout(), name::feeds, "a"));
  }
  EXPECT_TRUE(std::filesystem::is_empty(scratch_.path() / "repository" / "feeds"));
}

TEST_F(TargetNoteTest, SaysThatItIsDamaged) {
  {
    auto note = TargetNote::open(layout(), name::feeds, "a");
    ASSERT_OK(note);
    ASSERT_OK(note->write("text"));
  }
  const auto path = scratch_.path() / "repository" / "feeds" / "a";
  std::filesystem::resize_file(path, std::filesystem::file_size(path) - 1);
  EXPECT_FALSE(read_target_note(layout(), name::feeds, "a").has_value());
}

TEST_F(TargetNoteTest, ShelvesAreApart) {
  auto note = TargetNote::open(layout(), name::feeds, "a");
  ASSERT_OK(note);
  ASSERT_OK(note->write("one"));
  EXPECT_EQ(*read_target_note(layout(), name::restores, "a"), std::nullopt);
  EXPECT_OK(TargetNote::open(layout(), name::restores, "a"));
}

TEST_F(TargetNoteTest, RefusesOtherNames) {
  for (const char* name : {"", ".", "..", "a/b", "a b", ".a", "a.lock"}) {
    EXPECT_EQ(TargetNote::open(layout(), name::feeds, name).error().code, Errc::bad_name) << name;
  }
}

}  // namespace
}  // namespace sluice::storage
