#include "engine/scratch_sorter.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <utility>

namespace sluice::engine {
namespace {

constexpr std::size_t fan_in = 128;  // runs merged at once
constexpr std::size_t run_buffer_bytes = 32 << 10;
constexpr std::size_t prefix_bytes = 64;  // of a long field, kept with the record
static_assert(prefix_bytes <= ScratchLimits::inline_bytes_min);

/// What stands in the arena for a long field, before its first bytes.
struct Reference {
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
};

Reference reference_of(std::span<const std::byte> field) {
  Reference reference;
  std::memcpy(&reference, field.data(), sizeof reference);
  return reference;
}

/// What stands before a record in a run.
struct RunRecord {
  std::uint64_t number = 0;
  std::uint32_t key_size = 0;
  std::uint32_t value_size = 0;
  std::uint64_t flags = 0;  // as wide as it is so that no byte is without a value
};

/// As many leading bytes as there are in a number that compares as they do. Shorter keys look like
/// keys with zeros behind: equal prefixes say nothing.
std::uint64_t leading(std::span<const std::byte> key) {
  std::uint64_t word = 0;
  if (!key.empty()) std::memcpy(&word, key.data(), std::min(key.size(), sizeof word));
  return std::endian::native == std::endian::little ? std::byteswap(word) : word;
}

/// Maps the bits of a double to a number that compares as it does; both zeros are equal.
std::uint64_t score_rank(std::uint64_t bits) {
  constexpr std::uint64_t sign = std::uint64_t{1} << 63;
  if (bits == sign) bits = 0;
  return (bits & sign) != 0 ? ~bits : bits | sign;
}

/// Reading failed in the middle of a comparison. An order that changes under std::sort is
/// undefined behaviour, so it is left by an exception, which never leaves this file.
struct ReadFailed {};

}  // namespace

ScratchSorter::ScratchSorter(const ScratchLimits& limits, Order order)
    : limits_(limits), order_(order), texts_(limits.spool_bytes) {
  limits_.inline_bytes = std::max(limits_.inline_bytes, ScratchLimits::inline_bytes_min);
}

void ScratchSorter::add(const rdb::Text& part, std::uint32_t& size, bool& is_long) {
  if (part.size <= limits_.inline_bytes) {
    arena_.insert(arena_.end(), part.bytes.begin(), part.bytes.end());
    size += static_cast<std::uint32_t>(part.bytes.size());
    return;
  }
  if (part.first) {
    is_long = true;
    const Reference reference{.offset = texts_.size(), .size = part.size};
    const auto bytes = std::as_bytes(std::span(&reference, 1));
    arena_.insert(arena_.end(), bytes.begin(), bytes.end());
    size = sizeof reference;
  }
  texts_.append(part.bytes);
  const std::size_t kept = size - sizeof(Reference);
  const auto more = part.bytes.first(std::min(part.bytes.size(), prefix_bytes - kept));
  arena_.insert(arena_.end(), more.begin(), more.end());
  size += static_cast<std::uint32_t>(more.size());
}

std::uint64_t ScratchSorter::prefix_of(const Entry& entry, const std::byte* bytes) const {
  if (order_ == Order::score) return score_rank(entry.number);
  const std::span<const std::byte> key(bytes, entry.key_size);
  return leading(entry.key_is_long ? key.subspan(sizeof(Reference)) : key);
}

void ScratchSorter::end() {
  current_.prefix = prefix_of(current_, arena_.data() + current_.at);
  sorted_ = sorted_ && (entries_.empty() || entries_.back().prefix < current_.prefix);
  entries_.push_back(current_);
  current_ = Entry{};
  if (arena_.size() + entries_.size() * sizeof(Entry) > limits_.sort_bytes) spill();
  current_.at = static_cast<std::uint32_t>(arena_.size());
}

int ScratchSorter::compare_keys(const Key& a, const Key& b) {
  if (a.is_long || b.is_long) return compare_long(a, b);
  const std::size_t size = std::min(a.bytes.size(), b.bytes.size());
  const int order = size == 0 ? 0 : std::memcmp(a.bytes.data(), b.bytes.data(), size);
  if (order != 0) return order;
  return (a.bytes.size() > b.bytes.size()) - (a.bytes.size() < b.bytes.size());
}

int ScratchSorter::compare_long(const Key& a, const Key& b) {
  constexpr std::size_t step = 4 << 10;
  std::array<std::byte, step> a_buffer;
  std::array<std::byte, step> b_buffer;
  const auto size_of = [](const Key& key) {
    return key.is_long ? reference_of(key.bytes).size : key.bytes.size();
  };
  const auto load = [&](const Key& key, std::uint64_t at, std::span<std::byte> into) {
    if (!key.is_long) return key.bytes.subspan(static_cast<std::size_t>(at), into.size());
    const auto head = key.bytes.subspan(sizeof(Reference));
    if (at + into.size() <= head.size()) {
      return head.subspan(static_cast<std::size_t>(at), into.size());
    }
    texts_.read(reference_of(key.bytes).offset + at, into);
    if (texts_.error()) throw ReadFailed{};
    return std::span<const std::byte>(into);
  };
  const std::uint64_t a_size = size_of(a);
  const std::uint64_t b_size = size_of(b);
  const std::uint64_t common = std::min(a_size, b_size);
  for (std::uint64_t at = 0; at < common;) {
    const std::uint64_t wanted = at == 0 ? prefix_bytes : step;  // mostly the head decides
    const auto size = static_cast<std::size_t>(std::min(wanted, common - at));
    const auto a_part = load(a, at, std::span(a_buffer).first(size));
    const auto b_part = load(b, at, std::span(b_buffer).first(size));
    const int order = std::memcmp(a_part.data(), b_part.data(), size);
    if (order != 0) return order;
    at += size;
  }
  return (a_size > b_size) - (a_size < b_size);
}

int ScratchSorter::compare(const Entry& a, const std::byte* a_bytes, const Entry& b,
                           const std::byte* b_bytes) {
  if (a.prefix != b.prefix) return a.prefix < b.prefix ? -1 : 1;
  return compare_keys({{a_bytes, a.key_size}, a.key_is_long},
                      {{b_bytes, b.key_size}, b.key_is_long});
}

void ScratchSorter::sort_in_memory() {
  if (sorted_) return;
  const std::byte* const bytes = arena_.data();
  std::ranges::sort(entries_, [&](const Entry& a, const Entry& b) {
    const int order = compare(a, bytes + a.at, b, bytes + b.at);
    return order != 0 ? order < 0 : a.at < b.at;
  });
  sorted_ = true;
}

void ScratchSorter::write(const Entry& entry, const std::byte* bytes) {
  const RunRecord record{.number = entry.number,
                         .key_size = entry.key_size,
                         .value_size = entry.value_size,
                         .flags = (entry.has_number ? 1U : 0U) | (entry.key_is_long ? 2U : 0U) |
                                  (entry.value_is_long ? 4U : 0U)};
  runs_.append_raw(record);
  runs_.append({bytes, std::size_t{entry.key_size} + entry.value_size});
}

void ScratchSorter::spill() {
  try {
    sort_in_memory();
  } catch (const ReadFailed&) {
    entries_.clear();  // error() says why
  }
  const std::uint64_t at = runs_.size();
  for (const Entry& entry : entries_) write(entry, arena_.data() + entry.at);
  Run run;
  run.at = at;
  run.end = runs_.size();
  run.age = run_list_.size();
  run_list_.push_back(std::move(run));
  entries_.clear();
  arena_.clear();
  sorted_ = true;
}

void ScratchSorter::sort() {
  next_ = 0;
  try {
    if (run_list_.empty()) {
      sort_in_memory();
      return;
    }
    if (!entries_.empty()) spill();
    std::size_t first = 0;
    for (; run_list_.size() - first > fan_in; first += fan_in) merge(first, fan_in);
    run_list_.erase(run_list_.begin(), run_list_.begin() + static_cast<std::ptrdiff_t>(first));
    open_runs(0, run_list_.size());
  } catch (const ReadFailed&) {
    run_list_.clear();
    heap_.clear();
    entries_.clear();
  }
}

bool ScratchSorter::next(Record& record) {
  if (error()) return false;
  if (run_list_.empty()) {
    if (next_ == entries_.size()) return false;
    const Entry& entry = entries_[next_++];
    record = to_record(entry, arena_.data() + entry.at);
    return true;
  }
  try {
    if (taken_) {
      Run& run = run_list_[*taken_];
      if (advance(run)) push_run(*taken_);
    }
    taken_ = pop_run();
  } catch (const ReadFailed&) {
    return false;
  }
  if (!taken_ || error()) return false;
  const Run& run = run_list_[*taken_];
  record = to_record(run.entry, run.buffer.data() + run.entry.at);
  return true;
}

ScratchSorter::Record ScratchSorter::to_record(const Entry& entry, const std::byte* bytes) const {
  const auto field = [](std::span<const std::byte> stored, bool is_long) {
    if (!is_long)
      return Field{.bytes = stored, .is_long = false, .offset = 0, .size = stored.size()};
    const Reference reference = reference_of(stored);
    return Field{.bytes = {}, .is_long = true, .offset = reference.offset, .size = reference.size};
  };
  Record record;
  record.key = field({bytes, entry.key_size}, entry.key_is_long);
  record.value = field({bytes + entry.key_size, entry.value_size}, entry.value_is_long);
  if (entry.has_number) record.number = entry.number;
  return record;
}

void ScratchSorter::clear(Order order) {
  order_ = order;
  current_ = Entry{};
  arena_.clear();
  entries_.clear();
  sorted_ = true;
  next_ = 0;
  texts_.clear();
  runs_.clear();
  run_list_.clear();
  heap_.clear();
  taken_.reset();
}

// Runs.

/// Makes one run of `count`, from `first` on; it becomes the last. Their memory is given back.
void ScratchSorter::merge(std::size_t first, std::size_t count) {
  open_runs(first, count);
  Run merged;
  merged.at = runs_.size();
  merged.age = run_list_[first].age;
  while (const auto run = pop_run()) {
    const Entry& entry = run_list_[*run].entry;
    write(entry, run_list_[*run].buffer.data() + entry.at);
    if (advance(run_list_[*run])) push_run(*run);
  }
  merged.end = runs_.size();
  for (std::size_t i = first; i < first + count; ++i) run_list_[i].buffer = {};
  run_list_.push_back(std::move(merged));
}

void ScratchSorter::open_runs(std::size_t first, std::size_t count) {
  heap_.clear();
  taken_.reset();
  for (std::size_t i = first; i < first + count; ++i) {
    if (advance(run_list_[i])) push_run(i);
  }
}

/// Makes at least `size` bytes available from run.from on, as far as the run has them.
void ScratchSorter::fill(Run& run, std::size_t size) {
  const std::size_t there = run.buffer.size() - run.from;
  if (there >= size) return;
  const auto want = std::max(size, run_buffer_bytes) - there;
  const auto more = static_cast<std::size_t>(std::min<std::uint64_t>(want, run.end - run.at));
  run.buffer.erase(run.buffer.begin(), run.buffer.begin() + static_cast<std::ptrdiff_t>(run.from));
  run.from = 0;
  run.buffer.resize(there + more);
  runs_.read(run.at, std::span(run.buffer).subspan(there));
  if (runs_.error()) throw ReadFailed{};
  run.at += more;
}

bool ScratchSorter::advance(Run& run) {
  fill(run, sizeof(RunRecord));
  if (run.buffer.size() == run.from) return false;
  RunRecord record;
  std::memcpy(&record, run.buffer.data() + run.from, sizeof record);
  const std::size_t size = std::size_t{record.key_size} + record.value_size;
  fill(run, sizeof record + size);
  run.entry = Entry{.number = record.number,
                    .at = static_cast<std::uint32_t>(run.from + sizeof record),
                    .key_size = record.key_size,
                    .value_size = record.value_size,
                    .has_number = (record.flags & 1) != 0,
                    .key_is_long = (record.flags & 2) != 0,
                    .value_is_long = (record.flags & 4) != 0};
  run.entry.prefix = prefix_of(run.entry, run.buffer.data() + run.entry.at);
  run.from += sizeof record + size;
  return true;
}

bool ScratchSorter::comes_after(std::size_t a, std::size_t b) {
  const Run& x = run_list_[a];
  const Run& y = run_list_[b];
  const int order =
      compare(x.entry, x.buffer.data() + x.entry.at, y.entry, y.buffer.data() + y.entry.at);
  return order != 0 ? order > 0 : x.age > y.age;
}

void ScratchSorter::push_run(std::size_t run) {
  heap_.push_back(run);
  std::ranges::push_heap(heap_, [&](auto a, auto b) { return comes_after(a, b); });
}

std::optional<std::size_t> ScratchSorter::pop_run() {
  if (heap_.empty()) return std::nullopt;
  std::ranges::pop_heap(heap_, [&](auto a, auto b) { return comes_after(a, b); });
  const std::size_t run = heap_.back();
  heap_.pop_back();
  return run;
}

}  // namespace sluice::engine
