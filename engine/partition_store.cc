#include "engine/partition_store.h"

#include <utility>

#include "engine/partition_sets.h"

namespace sluice::engine {

PartitionStore::PartitionStore(const PartitionOptions& options, std::vector<Fence> fences)
    : sets_(std::make_unique<PartitionSets>(options, std::move(fences), nullptr)) {}
PartitionStore::~PartitionStore() = default;

void PartitionStore::expect(std::uint64_t db, std::uint64_t records) { sets_->expect(db, records); }
void PartitionStore::add(std::uint64_t db, const Record& record) { sets_->add(db, record); }
void PartitionStore::begin(std::uint64_t db, const Record& record) { sets_->begin(db, record); }
void PartitionStore::append(std::span<const std::byte> part) { sets_->append(part); }
std::span<std::byte> PartitionStore::begun_value() noexcept { return sets_->begun_value(); }
void PartitionStore::end() { sets_->end(); }
void PartitionStore::drop() { sets_->drop(); }

Result<void> PartitionStore::finish() { return sets_->finish(); }
const std::optional<Error>& PartitionStore::error() const noexcept { return sets_->error(); }
std::size_t PartitionStore::partitions() const noexcept { return sets_->partitions(); }
const Fence& PartitionStore::lower(std::size_t index) const noexcept { return sets_->lower(index); }
Result<void> PartitionStore::take(std::size_t index, const BatchFunction& batch) {
  return sets_->take(index, batch);
}
PartitionStats PartitionStore::stats() const noexcept { return sets_->stats(); }

}  // namespace sluice::engine
