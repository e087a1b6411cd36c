#include "storage/store_probe.h"

#include <gtest/gtest.h>

#include "faulty_store.h"
#include "memory_store.h"
#include "scratch.h"
#include "storage/directory_store.h"

namespace sluice::storage {
namespace {

class StoreProbe : public testing::Test {
 protected:
  void expect_unfit() {
    const auto found = probe_conditional_writes(store_);
    ASSERT_FALSE(found.has_value());
    EXPECT_EQ(found.error().code, std::errc::operation_not_supported) << to_string(found.error());
    EXPECT_TRUE(memory_.list("")->empty());
  }

  MemoryStore memory_;
  FaultyStore store_{memory_};
};

TEST_F(StoreProbe, AcceptsStoresThatKeepTheirWord) {
  EXPECT_OK(probe_conditional_writes(store_));
  EXPECT_TRUE(memory_.list("")->empty());
  const ScratchDirectory scratch;
  DirectoryStore directory(*open_directory(scratch.path().string()));
  EXPECT_OK(probe_conditional_writes(directory));
  EXPECT_TRUE(directory.list("")->empty());
}

/// Mutation: the second put_if_absent() of probe().
TEST_F(StoreProbe, FindsAStoreThatPutsOverWhatIsThere) {
  store_.inject(StoreCall::put_if_absent, 2, StoreFault::condition_ignored);
  expect_unfit();
}

/// Mutation: the second put_if_match() of probe().
TEST_F(StoreProbe, FindsAStoreThatIgnoresVersions) {
  store_.inject(StoreCall::put_if_match, 2, StoreFault::condition_ignored);
  expect_unfit();
}

TEST_F(StoreProbe, FindsAStoreThatListsLater) {
  store_.inject(StoreCall::list, 1, StoreFault::empty);
  expect_unfit();
}

TEST_F(StoreProbe, ToldErrorsAreTheStores) {
  for (const StoreCall call : {StoreCall::put_if_absent, StoreCall::put_if_match, StoreCall::get,
                               StoreCall::list, StoreCall::remove}) {
    store_.inject(call, 1, StoreFault::lost_response);
    const auto found = probe_conditional_writes(store_);
    ASSERT_FALSE(found.has_value()) << static_cast<int>(call);
    EXPECT_EQ(found.error().code, std::errc::io_error) << to_string(found.error());
    EXPECT_TRUE(memory_.list("")->empty());
  }
}

}  // namespace
}  // namespace sluice::storage
