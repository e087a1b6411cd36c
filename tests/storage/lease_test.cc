// Who may take a backup from its writer, and that a writer which lost it cannot commit.

#include "storage/lease.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <thread>

#include "storage/repository.h"
#include "tests/storage/chain_fixture.h"
#include "tests/storage/child.h"
#include "tests/storage/scratch.h"

namespace sluice::storage {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

class Leases : public Chains {
 protected:
  [[nodiscard]] Head head_of(const BackupKey& key) const {
    const auto head = repository_->shared_layout()->head(key);
    EXPECT_OK(head);
    EXPECT_TRUE(head->has_value());
    return head->value_or(Head{});
  }

  /// Has HEAD say that another machine writes the backup, and until when.
  void claim_for_another_machine(const BackupKey& key, std::uint64_t until_ms) {
    Head next = head_of(key);
    next.owner = {.host = "elsewhere", .pid = 1, .boot_id = "another"};
    next.lease_until_ms = until_ms;
    ASSERT_OK(swap_head(*repository_->shared_layout(), head_of(key), next));
  }

  /// A running backup whose writer is dead.
  BackupKey leave_running() {
    const int status = in_child([&] {
      auto writer = repository_->begin_backup("a");
      if (!writer || !(*writer)->append_chunk(random_bytes(1000, 1), {})) return 1;
      ::_exit(42);
    });
    EXPECT_EQ(status, 42);
    const auto ids = repository_->shared_layout()->backup_ids("a");
    return {.instance = "a", .id = to_string(ids->back())};
  }
};

TEST_F(Leases, AreRenewedWhileTheWriterLives) {
  lease_term_ = 300ms;
  repository_ = open();
  auto writer = repository_->begin_backup("a");
  ASSERT_OK(writer);
  const Head before = head_of((*writer)->key());
  std::this_thread::sleep_for(1s);
  const Head after = head_of((*writer)->key());
  EXPECT_GT(after.generation, before.generation);
  EXPECT_GT(after.lease_until_ms, before.lease_until_ms);
  EXPECT_EQ(after.state, HeadState::running);
  ASSERT_OK((*writer)->append_chunk(random_bytes(1000, 1), {}));
  ASSERT_OK((*writer)->commit("{}"));
  EXPECT_EQ(head_of((*writer)->key()).lease_until_ms, 0u);
}

TEST_F(Leases, ASwapOfAHeadThatWasReplacedIsRefused) {
  auto writer = repository_->begin_backup("a");
  ASSERT_OK(writer);
  const Head first = head_of((*writer)->key());
  Head second = first;
  ASSERT_OK(swap_head(*repository_->shared_layout(), first, second));
  EXPECT_EQ(second.generation, first.generation + 1);
  Head third = first;
  EXPECT_EQ(swap_head(*repository_->shared_layout(), first, third).error().code, Errc::changed);
}

// Mutation: judge_writer() that does not fence once the lease is over.
TEST_F(Leases, A10_AWriterStoppedPastItsLeaseIsFencedAndCannotCommit) {
  lease_term_ = 200ms;
  repository_ = open();
  const pid_t child = ::fork();
  if (child == 0) {
    auto writer = repository_->begin_backup("a");
    if (!writer || !(*writer)->append_chunk(random_bytes(100'000, 1), {})) ::_exit(1);
    ::raise(SIGSTOP);
    const auto committed = (*writer)->commit("{}");
    if (committed) ::_exit(2);
    if (committed.error().code != Errc::fenced) ::_exit(3);
    if (!(*writer)->abandon()) ::_exit(4);
    ::_exit(42);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, WUNTRACED), child);
  ASSERT_TRUE(WIFSTOPPED(status));
  std::this_thread::sleep_for(500ms);
  auto next = repository_->begin_backup("a");  // holds no lock of the other, but its lease is over
  ASSERT_OK(next);
  EXPECT_EQ((*next)->cleared().backups.size(), 1u);
  ASSERT_OK((*next)->append_chunk(random_bytes(100'000, 2), {}));
  ::kill(child, SIGCONT);
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(WEXITSTATUS(status), 42);
  const auto committed = (*next)->commit("{}");
  ASSERT_OK(committed);
  EXPECT_EQ(repository_->list()->size(), 1u);
  EXPECT_EQ(pack_count(), 1u) << "the other took away what it had published";
}

// Mutation: swap_head() that does not look at what HEAD says.
TEST_F(Leases, A10_AFencedWriterCannotCommitThoughAllItsFilesAreThere) {
  auto writer = repository_->begin_backup("a");
  ASSERT_OK(writer);
  ASSERT_OK((*writer)->append_chunk(random_bytes(100'000, 1), {}));
  const auto fenced = fence(*repository_->shared_layout(), head_of((*writer)->key()));
  ASSERT_OK(fenced);
  EXPECT_TRUE(*fenced);
  const auto committed = (*writer)->commit("{}");
  ASSERT_FALSE(committed);
  EXPECT_EQ(committed.error().code, Errc::fenced);
  EXPECT_TRUE(repository_->list()->empty());
  ASSERT_OK((*writer)->abandon());
  EXPECT_EQ(pack_count(), 0u);
}

TEST_F(Leases, AStoppedWriterWhoseLeaseRunsIsLeftAlone) {
  const pid_t child = ::fork();
  if (child == 0) {
    auto writer = repository_->begin_backup("a");
    ::raise(SIGSTOP);
    if (!writer || !(*writer)->append_chunk(random_bytes(1000, 1), {})) ::_exit(1);
    ::_exit((*writer)->commit("{}") ? 42 : 2);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, WUNTRACED), child);
  EXPECT_EQ(repository_->begin_backup("a").error().code, Errc::busy);
  ::kill(child, SIGCONT);
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(WEXITSTATUS(status), 42);
  EXPECT_EQ(repository_->list()->size(), 1u);
}

// Mutation: judge_writer() that goes by the lock alone.
TEST_F(Leases, E3_AWriterOnAnotherMachineIsNotJudgedByALockThatMayNotReachHere) {
  const BackupKey key = leave_running();
  claim_for_another_machine(key, lease_end_ms(1h));
  auto writer = repository_->begin_backup("b");
  ASSERT_OK(writer);
  EXPECT_TRUE((*writer)->cleared().backups.empty());
  EXPECT_EQ(head_of(key).state, HeadState::running);
  ASSERT_OK((*writer)->abandon());
  auto same = repository_->begin_backup("a");  // nobody holds it up, though: it may be long dead
  ASSERT_OK(same);
  EXPECT_TRUE((*same)->cleared().backups.empty());
}

TEST_F(Leases, AWriterOnAnotherMachineIsFencedOnceItsLeaseIsOver) {
  const BackupKey key = leave_running();
  claim_for_another_machine(key, 1);
  auto writer = repository_->begin_backup("b");
  ASSERT_OK(writer);
  EXPECT_EQ((*writer)->cleared().backups, std::vector{key});
  EXPECT_EQ(pack_count(), 0u);
}

// Mutation: needed_packs() that does not look at the parent's manifest digest.
TEST_F(Leases, AChildThatReadAnotherManifestOfItsParentKeepsEverything) {
  const auto full = take(some_chunks(20, 2000));
  ASSERT_OK(full);
  const auto parent = take(changed(some_chunks(20, 2000), 3, 1), *full);
  ASSERT_OK(parent);
  auto child = repository_->begin_backup("b", {.parent = *parent});
  ASSERT_OK(child);
  Head other = head_of((*child)->key());
  other.parent_manifest_digest = format::Digest{std::byte{1}};
  ASSERT_OK(swap_head(*repository_->shared_layout(), head_of((*child)->key()), other));
  const auto doomed = take(some_chunks(5, 3000), {}, "c");
  ASSERT_OK(doomed);
  const auto removed = repository_->remove_backup(*doomed);
  ASSERT_OK(removed);
  EXPECT_EQ(removed->packs, 0u);
  ASSERT_TRUE(removed->kept_because.has_value());
  EXPECT_EQ(removed->kept_because->code, Errc::busy);
}

TEST_F(Leases, AStalledChildDoesNotKeepItsParentForEver) {
  const auto parent = take(some_chunks(20, 2000));
  ASSERT_OK(parent);
  lease_term_ = 200ms;
  repository_ = open();
  const pid_t child = ::fork();
  if (child == 0) {
    auto writer = repository_->begin_backup("b", {.parent = *parent});
    ::raise(SIGSTOP);
    ::_exit(writer && (*writer)->commit("{}").error().code == Errc::fenced ? 42 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, WUNTRACED), child);
  EXPECT_EQ(repository_->remove_backup(*parent).error().code, Errc::busy);
  std::this_thread::sleep_for(400ms);
  EXPECT_OK(repository_->remove_backup(*parent));
  ::kill(child, SIGCONT);
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(WEXITSTATUS(status), 42);
  EXPECT_EQ(pack_count(), 0u);
}

}  // namespace
}  // namespace sluice::storage
