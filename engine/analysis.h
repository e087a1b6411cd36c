#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>

#include "engine/histogram.h"
#include "engine/prefix_tree.h"
#include "engine/slot_loads.h"
#include "engine/top_keys.h"
#include "engine/value_check.h"
#include "engine/value_measure.h"
#include "sluice/analyze.h"

namespace sluice::engine {

/// Listens to one RDB and adds up what AnalyzeResult tells.
class Analysis final : public ValueCheck {
 public:
  /// `measure` has to live as long and is used by nobody else. Expiries are told from `now_ms`
  /// unless the stream has a ctime.
  Analysis(ValueMeasure& measure, const AnalyzeOptions& options, std::int64_t now_ms);

  /// What the stream told; `source`, `bytes` and `seconds` are for the caller. Leaves nothing.
  [[nodiscard]] AnalyzeResult take_result();

  bool on_aux(std::span<const std::byte> key, std::span<const std::byte> value) override;
  bool on_function(std::span<const std::byte> source) override;
  bool on_record_begin(const rdb::RecordHeader& record) override;
  bool on_record_end(std::uint64_t offset) override;

 private:
  struct Record {
    std::uint64_t offset = 0;
    std::uint64_t value_offset = 0;
    std::uint64_t db = 0;
    const rdb::ValueType* type = nullptr;
    std::optional<std::int64_t> expire_at_ms;
    std::optional<std::uint64_t> lru_idle_s;
    std::optional<std::uint8_t> lfu_freq;
    std::uint32_t prefix = 0;
    std::uint16_t slot = 0;
    bool has_tag = false;
    std::size_t key_bytes = 0;  ///< As much of the key as `key_head_` has.
  };
  struct TypeAmount {
    const rdb::ValueType* type = nullptr;
    Amount amount;
  };
  struct Database {
    Amount amount;
    std::uint64_t expiring = 0;
  };

  [[nodiscard]] Amount amount_of(std::uint64_t end_offset) const;
  void add_to_groups(const Amount& amount);
  void add_to_histograms(const Amount& amount);
  void add_to_top(const Amount& amount);
  [[nodiscard]] LargeKey describe(const Amount& amount) const;
  void take_groups(AnalyzeResult& result);

  ValueMeasure& measure_;
  AnalyzeOptions options_;
  std::int64_t at_ms_;
  std::optional<std::uint64_t> used_memory_;
  std::uint64_t unreadable_ = 0;
  std::uint64_t function_bytes_ = 0;

  Record record_;
  std::array<std::byte, 129> key_head_{};  // one more than is shown, to tell that there is more

  Amount total_;
  std::array<TypeAmount, 256> encodings_{};  // by type byte
  std::map<std::uint64_t, Database> databases_;
  Database* database_ = nullptr;  // of the record
  std::uint64_t database_index_ = 0;
  std::map<std::string, Amount> modules_;
  std::uint64_t expired_ = 0;
  std::uint64_t expiring_ = 0;
  std::uint64_t expiring_fields_ = 0;
  RangeHistogram expiries_;
  RangeHistogram idle_;
  RangeHistogram frequency_;
  SizeHistogram serialized_sizes_;
  SizeHistogram element_counts_;
  TopKeys by_serialized_;
  TopKeys by_elements_;
  TopKeys by_memory_;
  PrefixTree prefixes_;
  SlotLoads slots_;
};

}  // namespace sluice::engine
