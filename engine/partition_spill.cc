#include "engine/partition_spill.h"

#include <array>
#include <span>
#include <utility>

#include "engine/partition_shelf.h"

namespace sluice::engine {
namespace {

constexpr std::uint64_t extent_bytes = 1 << 20;  // without the last block; small, to sample from

}  // namespace

void PartitionSpill::push(Partition& partition) {
  if (partition.full == nullptr) return;
  const auto bytes = static_cast<std::size_t>(partition.memory_bytes);
  {
    const std::scoped_lock lock(mutex_);
    if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
    jobs_.push_back({.partition = &partition, .blocks = partition.full, .bytes = bytes});
    pending_bytes_ += bytes;
  }
  partition.full = nullptr;
  partition.memory_bytes = 0;
  pushed_.notify_one();
}

bool PartitionSpill::wait_for_one() {
  std::unique_lock lock(mutex_);
  if (pending_bytes_ == 0) return false;
  const std::uint64_t before = jobs_done_;
  written_.wait(lock, [&] { return jobs_done_ != before; });
  return true;
}

void PartitionSpill::finish() {
  std::unique_lock lock(mutex_);
  written_.wait(lock, [this] { return pending_bytes_ == 0; });
}

void PartitionSpill::stop() noexcept {
  {
    const std::scoped_lock lock(mutex_);
    stop_ = true;
  }
  pushed_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void PartitionSpill::run() noexcept {
  std::unique_lock lock(mutex_);
  while (true) {
    pushed_.wait(lock, [this] { return stop_ || !jobs_.empty(); });
    if (jobs_.empty()) return;
    const Job job = jobs_.front();
    jobs_.pop_front();
    const bool is_wanted = !stop_ && !failed_;
    lock.unlock();
    if (is_wanted) {
      if (auto written = write(job); !written) fail(std::move(written.error()));
    }
    pool_.give(job.blocks);
    lock.lock();
    pending_bytes_ -= job.bytes;
    ++jobs_done_;
    written_.notify_all();
  }
}

Result<void> PartitionSpill::write(const Job& job) const {
  std::array<std::span<const std::byte>, ExtentFile::parts_max> parts;
  std::size_t count = 0;
  std::uint64_t bytes = 0;
  for (const Block* block = job.blocks; block != nullptr; block = block->next) {
    parts[count++] = {block->data(), block->used};
    bytes += block->used;
    if (count < parts.size() && bytes < extent_bytes && block->next != nullptr) continue;
    auto extent = file_.write(job.partition->extent, std::span(parts).first(count));
    if (!extent) return std::unexpected(std::move(extent.error()));
    job.partition->extent = *extent;
    job.partition->extent_bytes += extent->bytes;
    ++job.partition->extents;
    count = 0;
    bytes = 0;
  }
  return {};
}

void PartitionSpill::fail(Error error) noexcept {
  error_ = std::move(error);
  failed_.store(true, std::memory_order_release);
}

}  // namespace sluice::engine
