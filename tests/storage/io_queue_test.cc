#include "storage/io_queue.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <mutex>
#include <thread>

#include "storage/file.h"
#include "tests/storage/faulty_driver.h"
#include "tests/storage/scratch.h"

namespace sluice::storage {
namespace {

constexpr std::size_t block_bytes = 8192;

struct Variant {
  IoBackend backend;
  bool thread_bound;
};

class IoQueueOnEachBackend : public testing::TestWithParam<Variant> {
 protected:
  std::unique_ptr<IoQueue> open_queue(std::shared_ptr<Faults> faults = {}) {
    IoOptions options{.backend = GetParam().backend,
                      .depth = 4,
                      .block_bytes = block_bytes,
                      .thread_bound = GetParam().thread_bound,
                      .decorate = {}};
    if (faults) options.decorate = inject(std::move(faults));
    auto queue = IoQueue::open(options, scratch_.path().string());
    EXPECT_OK(queue);
    return *std::move(queue);
  }

  Fd open_file(const char* name) {
    return Fd(::open((scratch_.path() / name).c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  }

  ScratchDirectory scratch_;
};

INSTANTIATE_TEST_SUITE_P(Io, IoQueueOnEachBackend,
                         testing::Values(Variant{IoBackend::io_uring, false},
                                         Variant{IoBackend::io_uring, true},
                                         Variant{IoBackend::threads, false}),
                         [](const auto& chosen) -> std::string {
                           if (chosen.param.backend == IoBackend::threads) return "threads";
                           return chosen.param.thread_bound ? "io_uring_bound" : "io_uring";
                         });

void prepare(IoBlock& block, IoOp op, const Fd& file, std::uint64_t offset) {
  block.request.op = op;
  block.request.fd = file.get();
  block.request.buffer = block.bytes;
  block.request.offset = offset;
}

/// Writes `blocks` blocks of pattern through the queue and syncs.
void write_pattern(IoQueue& queue, const Fd& file, unsigned blocks) {
  for (unsigned i = 0; i < blocks; ++i) {
    IoBlock* block = queue.take_block();
    while (block == nullptr) {
      Request* over = queue.wait();
      ASSERT_NE(over, nullptr);
      ASSERT_FALSE(over->error) << over->error.message();
      queue.give_block(*over->block);
      block = queue.take_block();
    }
    const auto pattern = random_bytes(block_bytes, i);
    std::ranges::copy(pattern, block->bytes.begin());
    prepare(*block, IoOp::write, file, i * block_bytes);
    queue.submit(block->request);
  }
  while (Request* over = queue.wait()) {
    ASSERT_FALSE(over->error) << over->error.message();
    ASSERT_EQ(over->transferred, block_bytes);
    queue.give_block(*over->block);
  }
  Request sync;
  sync.op = IoOp::sync_data;
  sync.fd = file.get();
  queue.submit(sync);
  ASSERT_EQ(queue.wait(), &sync);
  ASSERT_FALSE(sync.error);
}

void expect_pattern(IoQueue& queue, const Fd& file, unsigned blocks) {
  for (unsigned i = 0; i < blocks; ++i) {
    IoBlock* block = queue.take_block();
    ASSERT_NE(block, nullptr);
    prepare(*block, IoOp::read, file, i * block_bytes);
    queue.submit(block->request);
    ASSERT_EQ(queue.wait(), &block->request);
    ASSERT_FALSE(block->request.error);
    EXPECT_TRUE(std::ranges::equal(block->bytes, random_bytes(block_bytes, i))) << i;
    queue.give_block(*block);
  }
}

TEST_P(IoQueueOnEachBackend, WritesSyncsAndReadsBack) {
  const auto queue = open_queue();
  const bool threads = GetParam().backend == IoBackend::threads;
  EXPECT_EQ(queue->kind(), threads ? IoKind::threads : IoKind::io_uring);
  EXPECT_EQ(queue->fallback_reason(), "");
  const Fd file = open_file("f");
  write_pattern(*queue, file, 50);
  expect_pattern(*queue, file, 50);
}

TEST_P(IoQueueOnEachBackend, ResumesShortTransfersAndRetriesInterruptedOnes) {
  auto faults = std::make_shared<Faults>();
  faults->short_transfers = true;
  faults->interrupt_every = 4;
  const auto queue = open_queue(faults);
  const Fd file = open_file("f");
  write_pattern(*queue, file, 20);
  expect_pattern(*queue, file, 20);
  EXPECT_GT(faults->attempts, 200);
}

// As the threads of a backup do it, one at a time. Each ends with its writes still in flight, and
// what they were given to the kernel by is then gone.
TEST_P(IoQueueOnEachBackend, IsUsedByOneThreadAfterAnother) {
  if (GetParam().thread_bound) return;
  const auto queue = open_queue();
  const Fd file = open_file("f");
  constexpr unsigned threads = 8;
  constexpr unsigned rounds = 25;
  std::mutex mutex;
  unsigned written = 0;
  const auto write_some = [&] {
    for (unsigned i = 0; i < rounds; ++i) {
      const std::lock_guard lock(mutex);
      IoBlock* block = queue->take_block();
      while (block == nullptr) {
        Request* over = queue->wait();
        ASSERT_FALSE(over->error) << over->error.message();
        queue->give_block(*over->block);
        block = queue->take_block();
      }
      std::ranges::copy(random_bytes(block_bytes, written), block->bytes.begin());
      prepare(*block, IoOp::write, file, written * block_bytes);
      ++written;
      queue->submit(block->request);
    }
  };
  {
    std::vector<std::jthread> running;
    for (unsigned i = 0; i < threads; ++i) running.emplace_back(write_some);
  }
  while (Request* over = queue->wait()) {
    EXPECT_FALSE(over->error) << over->error.message();
    queue->give_block(*over->block);
  }
  EXPECT_EQ(written, threads * rounds);
  expect_pattern(*queue, file, written);
}

TEST_P(IoQueueOnEachBackend, ReportsAShortReadAtTheEndOfAFile) {
  const auto queue = open_queue();
  const Fd file = open_file("f");
  ASSERT_EQ(::pwrite(file.get(), "hello", 5, 0), 5);
  IoBlock* block = queue->take_block();
  prepare(*block, IoOp::read, file, 2);
  queue->submit(block->request);
  ASSERT_EQ(queue->wait(), &block->request);
  EXPECT_FALSE(block->request.error);
  EXPECT_EQ(block->request.transferred, 3u);
}

TEST_P(IoQueueOnEachBackend, ReportsTheErrorOfTheSystem) {
  const auto queue = open_queue();
  IoBlock* block = queue->take_block();
  prepare(*block, IoOp::write, Fd(), 0);
  queue->submit(block->request);
  ASSERT_EQ(queue->wait(), &block->request);
  EXPECT_EQ(block->request.error, std::errc::bad_file_descriptor);
}

TEST_P(IoQueueOnEachBackend, GivesUpOnARequestThatIsInterruptedForEver) {
  auto faults = std::make_shared<Faults>();
  faults->interrupt_every = 1;
  const auto queue = open_queue(faults);
  IoBlock* block = queue->take_block();
  prepare(*block, IoOp::write, open_file("f"), 0);
  queue->submit(block->request);
  ASSERT_EQ(queue->wait(), &block->request);
  EXPECT_EQ(block->request.error, std::errc::interrupted);
}

TEST_P(IoQueueOnEachBackend, TakesMoreRequestsThanItCanHaveInFlight) {
  const auto queue = open_queue();
  const Fd file = open_file("f");
  std::vector<Request> syncs(100);
  for (Request& sync : syncs) {
    sync.op = IoOp::sync_all;
    sync.fd = file.get();
    queue->submit(sync);
  }
  EXPECT_EQ(queue->in_flight(), 100u);
  int over = 0;
  while (const Request* request = queue->wait()) {
    EXPECT_FALSE(request->error);
    ++over;
  }
  EXPECT_EQ(over, 100);
}

TEST_P(IoQueueOnEachBackend, HasNoMoreBlocksThanItsDepth) {
  const auto queue = open_queue();
  std::vector<IoBlock*> blocks;
  while (IoBlock* block = queue->take_block()) blocks.push_back(block);
  EXPECT_EQ(blocks.size(), 4u);
  for (IoBlock* block : blocks) {
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(block->bytes.data()) % 4096, 0u);
    queue->give_block(*block);
  }
}

TEST_P(IoQueueOnEachBackend, TellsWhetherItsBlocksArePinned) {
  const auto queue = open_queue();
  if (GetParam().backend == IoBackend::threads) {
    EXPECT_FALSE(queue->registered());
    EXPECT_EQ(queue->registration_problem(), "");
  } else {
    EXPECT_NE(queue->registered(), !queue->registration_problem().empty());
  }
}

TEST_P(IoQueueOnEachBackend, WritesBackWithoutWaiting) {
  const auto queue = open_queue();
  const Fd file = open_file("f");
  write_pattern(*queue, file, 4);
  Request request;
  request.op = IoOp::write_back;
  request.fd = file.get();
  queue->submit(request);
  ASSERT_EQ(queue->wait(), &request);
  EXPECT_FALSE(request.error) << request.error.message();
}

TEST(IoQueue, RefusesOptionsOutOfRange) {
  for (const IoOptions& options :
       {IoOptions{.depth = 1, .decorate = {}}, IoOptions{.depth = 65, .decorate = {}},
        IoOptions{.block_bytes = 100, .decorate = {}}, IoOptions{.block_bytes = 0, .decorate = {}}})
    EXPECT_EQ(IoQueue::open(options, "/tmp").error().code, Errc::limit_exceeded);
}

}  // namespace
}  // namespace sluice::storage
