#include "storage/feed_note.h"

#include <gtest/gtest.h>

#include "storage/repository.h"
#include "tests/storage/scratch.h"

namespace sluice::storage {
namespace {

class FeedNoteTest : public testing::Test {
 protected:
  FeedNoteTest() {
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

TEST_F(FeedNoteTest, IsReadAsItWasWrittenAndGoneOnceCleared) {
  auto note = FeedNote::open(layout(), "10.0.0.1-6379");
  ASSERT_OK(note);
  EXPECT_EQ(*note->read(), std::nullopt);
  ASSERT_OK(note->write("one"));
  ASSERT_OK(note->write("two"));
  EXPECT_EQ(*note->read(), "two");
  EXPECT_EQ(*read_feed_note(layout(), "10.0.0.1-6379"), "two");
  EXPECT_EQ(*list_feed_notes(layout()), std::vector<std::string>{"10.0.0.1-6379"});
  ASSERT_OK(note->clear());
  EXPECT_EQ(*note->read(), std::nullopt);
  EXPECT_TRUE(list_feed_notes(layout())->empty());
}

TEST_F(FeedNoteTest, IsHeldByOneAtATime) {
  {
    auto note = FeedNote::open(layout(), "a");
    ASSERT_OK(note);
    EXPECT_EQ(FeedNote::open(layout(), "a").error().code, Errc::busy);
    EXPECT_OK(FeedNote::open(layout(), "b"));
    ASSERT_OK(note->write("text"));
  }
  auto again = FeedNote::open(layout(), "a");
  ASSERT_OK(again);
  EXPECT_EQ(*again->read(), "text");
}

TEST_F(FeedNoteTest, LeavesNothingBehindWhenThereIsNoNote) {
  EXPECT_TRUE(list_feed_notes(layout())->empty());
  EXPECT_EQ(*read_feed_note(layout(), "a"), std::nullopt);
  {
    ASSERT_OK(FeedNote::open(layout(), "a"));
  }
  EXPECT_TRUE(std::filesystem::is_empty(scratch_.path() / "repository" / "feeds"));
}

TEST_F(FeedNoteTest, SaysThatItIsDamaged) {
  {
    auto note = FeedNote::open(layout(), "a");
    ASSERT_OK(note);
    ASSERT_OK(note->write("text"));
  }
  const auto path = scratch_.path() / "repository" / "feeds" / "a";
  std::filesystem::resize_file(path, std::filesystem::file_size(path) - 1);
  EXPECT_FALSE(read_feed_note(layout(), "a").has_value());
}

TEST_F(FeedNoteTest, RefusesOtherNames) {
  for (const char* name : {"", ".", "..", "a/b", "a b", ".a", "a.lock"}) {
    EXPECT_EQ(FeedNote::open(layout(), name).error().code, Errc::bad_name) << name;
  }
}

}  // namespace
}  // namespace sluice::storage
