// Throughput of the partition store: 1.3 million records of 360 bytes (keys of 18 bytes that share
// nine, values of 320), in no order, as a hash table gives them.
//
//   add                 to partitions in memory
//   add_parts           the same, values in two parts
//   add_by_slot         the same, sorted by slot too
//   add_spilling        with a budget of 64 MiB
//   take                sorting what is in memory, looking at each key
//   take_spilled        sorting what is in scratch
//   take_split          one partition that has to be split first
//   add_tiny, take_tiny keys of 8 bytes, values of 8: what a record costs
//   find                the partition of a key, of 1024

#include <benchmark/benchmark.h>

#include <array>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "engine/partition_map.h"
#include "engine/partition_store.h"

namespace {

using sluice::engine::Fence;
using sluice::engine::PartitionMap;
using sluice::engine::PartitionOptions;
using sluice::engine::PartitionStore;
using sluice::engine::Record;
using sluice::engine::SortedBatch;

constexpr std::size_t records = 1'300'000;
constexpr std::size_t value_bytes = 320;
constexpr std::size_t all_in_memory = std::size_t{1} << 30;

/// Keys that are all different, in no order.
class Keys {
 public:
  std::span<const std::byte> next() {
    number_ = (number_ + 618'033'989) % 1'000'000'007;
    std::to_chars(text_.data() + 9, text_.data() + text_.size(),
                  100'000'000 + number_ % 900'000'000);
    return std::as_bytes(std::span(text_));
  }

 private:
  std::uint64_t number_ = 1;
  std::array<char, 18> text_ = {'u', 's', 'e', 'r', ':', 's', 'e', 's', ':'};
};

Record record_of(std::size_t bytes) {
  static const std::vector<std::byte> value(value_bytes, std::byte{'v'});
  Record record;
  record.value = std::span(value).first(bytes);
  return record;
}

PartitionOptions options_for(std::size_t memory_bytes) {
  PartitionOptions options;
  options.memory_bytes = memory_bytes;
  options.expected_bytes = 467 << 20;
  return options;
}

std::unique_ptr<PartitionStore> filled(const PartitionOptions& options,
                                       std::vector<Fence> fences = {}) {
  auto store = std::make_unique<PartitionStore>(options, std::move(fences));
  Record record = record_of(value_bytes);
  Keys keys;
  for (std::size_t i = 0; i < records; ++i) {
    record.key = keys.next();
    store->add(0, record);
  }
  if (!store->finish()) store.reset();
  return store;
}

/// After each turn: all turns so far have done the same.
void count(benchmark::State& state, const PartitionStore& store, std::int64_t turns) {
  state.SetBytesProcessed(static_cast<std::int64_t>(store.stats().bytes) * turns);
  state.SetItemsProcessed(static_cast<std::int64_t>(store.stats().records) * turns);
}

void add_with(benchmark::State& state, const PartitionOptions& options) {
  std::int64_t turns = 0;
  for (auto _ : state) {
    auto store = filled(options);
    state.PauseTiming();
    count(state, *store, ++turns);
    store.reset();
    state.ResumeTiming();
  }
}

void add(benchmark::State& state) { add_with(state, options_for(all_in_memory)); }
BENCHMARK(add)->Unit(benchmark::kMillisecond);

void add_by_slot(benchmark::State& state) {
  auto options = options_for(all_in_memory);
  options.by_slot = true;
  add_with(state, options);
}
BENCHMARK(add_by_slot)->Unit(benchmark::kMillisecond);

void add_spilling(benchmark::State& state) { add_with(state, options_for(64 << 20)); }
BENCHMARK(add_spilling)->Unit(benchmark::kMillisecond);

void add_parts(benchmark::State& state) {
  const Record value = record_of(value_bytes);
  std::int64_t turns = 0;
  for (auto _ : state) {
    PartitionStore store(options_for(all_in_memory));
    Record record;
    Keys keys;
    for (std::size_t i = 0; i < records; ++i) {
      record.key = keys.next();
      store.begin(0, record);
      store.append(value.value.first(i % value_bytes));
      store.append(value.value.subspan(i % value_bytes));
      store.end();
    }
    benchmark::DoNotOptimize(store.finish());
    state.PauseTiming();
    count(state, store, ++turns);
    state.ResumeTiming();
  }
}
BENCHMARK(add_parts)->Unit(benchmark::kMillisecond);

void add_tiny(benchmark::State& state) {
  std::int64_t turns = 0;
  for (auto _ : state) {
    PartitionStore store(options_for(all_in_memory));
    Record record = record_of(8);
    for (std::uint64_t i = 0; i < records; ++i) {
      const std::uint64_t key = i * 0x9e3779b97f4a7c15;
      record.key = std::as_bytes(std::span(&key, 1));
      store.add(0, record);
    }
    benchmark::DoNotOptimize(store.finish());
    state.PauseTiming();
    count(state, store, ++turns);
    state.ResumeTiming();
  }
}
BENCHMARK(add_tiny)->Unit(benchmark::kMillisecond);

void take_all(benchmark::State& state, PartitionStore& store) {
  std::size_t key_bytes = 0;
  for (std::size_t i = 0; i < store.partitions(); ++i) {
    const auto taken = store.take(i, [&](const SortedBatch& batch) -> sluice::Result<void> {
      for (std::size_t at = 0; at < batch.size(); ++at) key_bytes += batch.label(at).size();
      return {};
    });
    if (!taken) state.SkipWithError(taken.error().message.c_str());
  }
  benchmark::DoNotOptimize(key_bytes);
}

void take_with(benchmark::State& state, const PartitionOptions& options,
               const std::vector<Fence>& fences = {}) {
  std::int64_t turns = 0;
  for (auto _ : state) {
    state.PauseTiming();
    auto store = filled(options, fences);
    state.ResumeTiming();
    take_all(state, *store);
    state.PauseTiming();
    count(state, *store, ++turns);
    store.reset();
    state.ResumeTiming();
  }
}

void take(benchmark::State& state) { take_with(state, options_for(all_in_memory)); }
BENCHMARK(take)->Unit(benchmark::kMillisecond);

void take_spilled(benchmark::State& state) { take_with(state, options_for(64 << 20)); }
BENCHMARK(take_spilled)->Unit(benchmark::kMillisecond);

void take_split(benchmark::State& state) {
  take_with(state, options_for(64 << 20), {{.db = 0, .label = {std::byte{'a'}}}});
}
BENCHMARK(take_split)->Unit(benchmark::kMillisecond);

void take_tiny(benchmark::State& state) {
  std::int64_t turns = 0;
  for (auto _ : state) {
    state.PauseTiming();
    PartitionStore store(options_for(all_in_memory));
    Record record = record_of(8);
    for (std::uint64_t i = 0; i < records; ++i) {
      const std::uint64_t key = i * 0x9e3779b97f4a7c15;
      record.key = std::as_bytes(std::span(&key, 1));
      store.add(0, record);
    }
    if (!store.finish()) state.SkipWithError("cannot finish");
    state.ResumeTiming();
    take_all(state, store);
    state.PauseTiming();
    count(state, store, ++turns);
    state.ResumeTiming();
  }
}
BENCHMARK(take_tiny)->Unit(benchmark::kMillisecond);

void find(benchmark::State& state) {
  std::vector<std::vector<std::byte>> borders;
  for (int i = 1; i < 1024; ++i) {
    const std::string text = "user:ses:" + std::to_string(100'000'000 + i * 878'906);
    const auto bytes = std::as_bytes(std::span(text));
    borders.emplace_back(bytes.begin(), bytes.end());
  }
  const PartitionMap map(std::move(borders));
  Keys keys;
  for (auto _ : state) benchmark::DoNotOptimize(map.find(keys.next()));
}
BENCHMARK(find);

}  // namespace
