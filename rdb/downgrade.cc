#include "rdb/downgrade.h"

#include <array>
#include <optional>
#include <utility>

namespace sluice::rdb {
namespace {

/// A type by dialect and number.
struct Name {
  Dialect dialect{};
  std::uint8_t number = 0;
};
constexpr Name redis(std::uint8_t number) { return {Dialect::redis, number}; }
constexpr Name valkey(std::uint8_t number) { return {Dialect::valkey, number}; }

/// A type, and what its values may be written as instead, the closest first. Common types go by
/// Redis' dialect. What is not here has no other form.
struct Row {
  Name from;
  std::array<Name, 4> to;
  std::uint8_t size = 0;
};

constexpr std::array rows{
    Row{redis(0), {redis(0)}, 1},
    Row{redis(1), {redis(1)}, 1},
    Row{redis(2), {redis(2)}, 1},
    Row{redis(3), {redis(3)}, 1},
    Row{redis(4), {redis(4)}, 1},
    Row{redis(5), {redis(5), redis(3)}, 2},
    Row{redis(9), {redis(4)}, 1},
    Row{redis(10), {redis(1)}, 1},
    Row{redis(11), {redis(2)}, 1},
    Row{redis(12), {redis(5), redis(3)}, 2},
    Row{redis(13), {redis(4)}, 1},
    Row{redis(14), {redis(1)}, 1},
    Row{redis(16), {redis(4)}, 1},
    Row{redis(17), {redis(5), redis(3)}, 2},
    Row{redis(18), {redis(1)}, 1},
    Row{redis(19), {redis(15)}, 1},
    Row{redis(20), {redis(2)}, 1},
    Row{redis(21), {redis(19), redis(15)}, 2},
    Row{redis(22), {valkey(22), redis(4)}, 2},
    Row{redis(23), {valkey(22), redis(4)}, 2},
    Row{redis(24), {valkey(22), redis(4)}, 2},
    Row{redis(25), {valkey(22), redis(4)}, 2},
    Row{redis(26), {redis(21), redis(19), redis(15)}, 3},
    Row{redis(27), {redis(26), redis(21), redis(19), redis(15)}, 4},
    Row{valkey(22), {redis(24), redis(4)}, 2},
};

/// The row of a type in the target's own dialect, if a stream of the target's version has it.
const ValueType* find_in(const Header& target, Name name) noexcept {
  const ValueType* const type = find_value_type(target.dialect, name.number);
  if (type == nullptr || type->since > target.version) return nullptr;
  return find_value_type(name.dialect, name.number)->name == type->name ? type : nullptr;
}

/// Types of one kind are the same number in both dialects, and one row.
bool is_row_of(const Row& row, const ValueType& type) noexcept {
  const ValueType* const own = find_value_type(row.from.dialect, type.number);
  return row.from.number == type.number && own != nullptr && own->name == type.name;
}

const Row* find_row(const ValueType& type) noexcept {
  for (const Row& row : rows) {
    if (is_row_of(row, type)) return &row;
  }
  return nullptr;
}

}  // namespace

std::string_view to_string(Loss loss) noexcept {
  switch (loss) {
    case Loss::value: return "the value";
    case Loss::key_meta: return "what modules attached to the key";
    case Loss::field_expiries: return "field expiries";
    case Loss::idempotency: return "idempotent producers";
    case Loss::nack_zone: return "pending entries without a consumer";
    case Loss::stream_history: return "what was ever added, deleted and read";
    case Loss::active_times: return "active times of consumers";
  }
  return "unknown";
}

bool is_writable(const Header& target) noexcept {
  if (target.dialect == Dialect::valkey) return target.version == 80;
  return target.version >= 6 && target.version <= 14;
}

Fit fit(const ValueType& type, const Header& source, const Header& target) noexcept {
  const bool crosses = (source.version < 8) != (target.version < 8);
  const ValueType* const same = find_in(target, {source.dialect, type.number});
  if (same != nullptr && !crosses) return {.way = Fit::Way::verbatim, .type = same};
  const Row* const row = find_row(type);
  // No server wrote a stream before it could count to 2^64.
  if (row == nullptr || (crosses && type.logical == LogicalType::stream)) return {};
  for (const Name& to : std::span(row->to).first(row->size)) {
    const ValueType* const found = find_in(target, to);
    if (found != nullptr) return {.way = Fit::Way::transcode, .type = found};
  }
  return {};
}

}  // namespace sluice::rdb
