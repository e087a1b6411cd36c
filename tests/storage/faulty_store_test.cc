#include "faulty_store.h"

#include <gtest/gtest.h>

#include "memory_store.h"
#include "scratch.h"

namespace sluice::storage {
namespace {

/// What the injected faults are, so that a test which relies on one knows that it happened.
class FaultyStoreTest : public testing::Test {
 protected:
  std::size_t listed() { return store_.list("")->size(); }

  MemoryStore memory_;
  FaultyStore store_{memory_};
};

TEST_F(FaultyStoreTest, OnlyTheChosenCallFails) {
  store_.inject(StoreCall::put_if_absent, 2, StoreFault::refused);
  EXPECT_OK(store_.put_if_absent("a", "1"));
  EXPECT_FALSE(store_.put_if_absent("b", "1"));
  EXPECT_OK(store_.put_if_absent("c", "1"));
  EXPECT_EQ(store_.calls(StoreCall::put_if_absent), 3);
  EXPECT_EQ(listed(), 2U);
}

TEST_F(FaultyStoreTest, ALostResponseWasDone) {
  store_.inject(StoreCall::put_if_absent, 1, StoreFault::lost_response);
  store_.inject(StoreCall::move, 1, StoreFault::lost_response);
  store_.inject(StoreCall::remove, 1, StoreFault::lost_response);
  EXPECT_FALSE(store_.put_if_absent("a", "1"));
  EXPECT_FALSE(store_.move("a", "b"));
  EXPECT_EQ(memory_.get("b", 10)->bytes, "1");
  EXPECT_FALSE(store_.remove("b"));
  EXPECT_EQ(listed(), 0U);
}

TEST_F(FaultyStoreTest, ATornWriteLeavesAPart) {
  store_.inject(StoreCall::put_if_absent, 1, StoreFault::torn);
  EXPECT_FALSE(store_.put_if_absent("a", "1234"));
  EXPECT_EQ(memory_.get("a", 10)->bytes, "12");
}

TEST_F(FaultyStoreTest, ConditionsAreIgnored) {
  ASSERT_OK(store_.put_if_absent("a", "1"));
  store_.inject(StoreCall::put_if_absent, FaultyStore::every, StoreFault::condition_ignored);
  EXPECT_OK(store_.put_if_absent("a", "2"));
  store_.inject(StoreCall::put_if_match, 1, StoreFault::condition_ignored);
  EXPECT_OK(store_.put_if_match("a", "3", "another"));
  EXPECT_EQ(memory_.get("a", 10)->bytes, "3");
}

TEST_F(FaultyStoreTest, ListingsLie) {
  for (const std::string_view name : {"a", "b", "c", "d", "e", "f"})
    ASSERT_OK(store_.put_if_absent(name, "1"));
  store_.inject(StoreCall::list, 1, StoreFault::truncated);
  EXPECT_EQ(listed(), 4U);
  store_.inject(StoreCall::list, 1, StoreFault::repeated);
  EXPECT_EQ(listed(), 10U);
  store_.inject(StoreCall::list, 1, StoreFault::empty);
  EXPECT_EQ(listed(), 0U);
  store_.inject(StoreCall::list, 1, StoreFault::refused);
  EXPECT_FALSE(store_.list(""));
  EXPECT_EQ(listed(), 6U);
}

}  // namespace
}  // namespace sluice::storage
