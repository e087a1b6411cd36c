#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "engine/spool.h"
#include "rdb/value_handler.h"

namespace sluice::engine {

/// How much scratch may be held in memory before it goes to a file.
struct ScratchLimits {
  /// Fields up to this size always come out whole.
  static constexpr std::size_t inline_bytes_min = 64;

  std::size_t sort_bytes = 8 << 20;    ///< Records of one collection.
  std::size_t spool_bytes = 1 << 20;   ///< Bytes kept for later.
  std::size_t inline_bytes = 8 << 10;  ///< Longer texts do not take part in the moving of records.
};

/// Sorts the elements of one collection, whatever its size: in memory up to a budget, above it by
/// sorted runs in a scratch file that are merged.
///
///     sorter.key(text);  sorter.value(text);  sorter.number(n);  sorter.end();   // each record
///     sorter.sort();
///     while (sorter.next(record)) …
///     sorter.clear();
///
/// Keys and values come in the parts that a ValueReader gives. Records with equal keys come out in
/// the order in which they went in.
///
/// Memory:  sort_bytes and as much again while it grows; spool_bytes; 4 MiB when runs are merged.
/// Disk:    what the records take, once more for every 128 runs.
/// Errors:  sticky, as ScratchFile's; next() then ends early.
/// Threads: none; one at a time.
class ScratchSorter {
 public:
  enum class Order : std::uint8_t {
    key,    ///< By the bytes of the key.
    score,  ///< By the number, the bits of a double that is not NaN; equal ones by key.
  };

  /// A key or value: its bytes, or, when it is long, where in texts() it lies.
  struct Field {
    std::span<const std::byte> bytes;
    bool is_long = false;
    std::uint64_t offset = 0;
    std::uint64_t size = 0;
  };
  /// Valid until the next call.
  struct Record {
    Field key;
    Field value;
    std::optional<std::uint64_t> number;
  };

  explicit ScratchSorter(const ScratchLimits& limits, Order order = Order::key);

  void key(const rdb::Text& part) { add(part, current_.key_size, current_.key_is_long); }
  /// After the whole key.
  void value(const rdb::Text& part) { add(part, current_.value_size, current_.value_is_long); }
  void number(std::uint64_t number) {
    current_.number = number;
    current_.has_number = true;
  }
  void end();

  void sort();
  [[nodiscard]] bool next(Record& record);
  void clear(Order order = Order::key);

  /// Where long fields lie.
  [[nodiscard]] Spool& texts() noexcept { return texts_; }
  [[nodiscard]] const std::optional<Error>& error() const noexcept {
    return texts_.error() ? texts_.error() : runs_.error();
  }

 private:
  /// A record; its bytes lie in an arena, the key's first.
  struct Entry {
    std::uint64_t prefix = 0;  // decides most comparisons
    std::uint64_t number = 0;
    std::uint32_t at = 0;
    std::uint32_t key_size = 0;  // in the arena
    std::uint32_t value_size = 0;
    bool has_number = false;
    bool key_is_long = false;
    bool value_is_long = false;
  };
  /// A sorted stretch of the file, and where its merging stands.
  struct Run {
    std::uint64_t at = 0;
    std::uint64_t end = 0;
    std::size_t age = 0;  // equal keys come out oldest first
    std::vector<std::byte> buffer;
    std::size_t from = 0;  // of the next record in the buffer
    Entry entry;           // the record at the front; its bytes lie in the buffer
  };
  struct Key {
    std::span<const std::byte> bytes;
    bool is_long = false;
  };

  void add(const rdb::Text& part, std::uint32_t& size, bool& is_long);
  [[nodiscard]] std::uint64_t prefix_of(const Entry& entry, const std::byte* bytes) const;
  [[nodiscard]] int compare_keys(const Key& a, const Key& b);
  [[nodiscard]] int compare_long(const Key& a, const Key& b);
  [[nodiscard]] int compare(const Entry& a, const std::byte* a_bytes, const Entry& b,
                            const std::byte* b_bytes);
  void sort_in_memory();
  void spill();
  void write(const Entry& entry, const std::byte* bytes);
  void merge(std::size_t first, std::size_t count);
  void open_runs(std::size_t first, std::size_t count);
  [[nodiscard]] bool advance(Run& run);
  void fill(Run& run, std::size_t size);
  [[nodiscard]] bool comes_after(std::size_t a, std::size_t b);
  void push_run(std::size_t run);
  [[nodiscard]] std::optional<std::size_t> pop_run();
  [[nodiscard]] Record to_record(const Entry& entry, const std::byte* bytes) const;

  ScratchLimits limits_;
  Order order_;
  Entry current_;
  std::vector<std::byte> arena_;
  std::vector<Entry> entries_;
  bool sorted_ = true;    // so far, by prefixes alone
  std::size_t next_ = 0;  // entry to come out
  Spool texts_;           // long fields
  Spool runs_{0};
  std::vector<Run> run_list_;
  std::vector<std::size_t> heap_;     // of runs being merged
  std::optional<std::size_t> taken_;  // run whose front was given out
};

}  // namespace sluice::engine
