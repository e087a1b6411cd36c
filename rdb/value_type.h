#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string_view>

namespace sluice::rdb {

/// Who wrote the stream, as far as the meaning of its numbers goes: decided by the magic.
enum class Dialect : std::uint8_t {
  redis,   ///< "REDISnnnn"; also Valkey up to 8.1 and the forks, which write Redis' numbers.
  valkey,  ///< "VALKEYnnn", version 80 and above.
};

/// What a client sees, whatever the encoding. The names are the server's own TYPE answers.
enum class LogicalType : std::uint8_t { string, list, set, zset, hash, stream, module, array };
inline constexpr std::size_t logical_type_count = 8;
[[nodiscard]] std::string_view to_string(LogicalType type) noexcept;

/// One step of reading a serialised value. A value type is a short program of these; the parser
/// runs it, so that adding a type is adding a row to the table in value_type.cc.
enum class Op : std::uint8_t {
  end,           ///< The value is complete.
  len,           ///< One LEN.
  str,           ///< One STR in any form.
  fixed4,        ///< Four bytes.
  fixed8,        ///< Eight bytes: f64, i64 or a time in milliseconds.
  fixed16,       ///< Sixteen bytes: a raw stream id.
  ascii_double,  ///< u8 length (253..255 stand for nan, inf, -inf), then that many characters.
  count,         ///< One LEN, which the next `loop` repeats by.
  loop,          ///< Runs up to its `next` as often as `count` said; nests.
  next,          ///< End of a loop's body.
  container,     ///< LEN of a quicklist node: 1 plain, 2 packed.
  flagged_len,   ///< LEN 0, or LEN 1 and then another LEN.
  array_value,   ///< LEN tag and what it announces: string, integer, float or small string.
  module_items,  ///< Module opcodes and their payloads up to opcode 0.
};

/// Deepest nesting of loops in any program; the ids of a stream's consumers need three.
inline constexpr std::size_t loop_depth_max = 4;

/// What the token of a step is to the one who reads the value; the framing does not ask.
enum class Part : std::uint8_t {
  none,
  elements,  ///< count: of the value; zero is an empty value.
  string,    ///< str: a text, as the Role of the same name.
  element,
  member,
  field,
  value,
  ziplist,         ///< str: of list elements.
  quicklist_node,  ///< str: one plain element or a listpack, as the container before it said.
  set_listpack,    ///< str: members.
  intset,          ///< str: members.
  hash_zipmap,     ///< str: field and value in turn.
  hash_ziplist,
  hash_listpack,
  zset_ziplist,  ///< str: member and score in turn.
  zset_listpack,
  hash_expiry_listpack,  ///< str: field, value, expiry in turn.
  score,                 ///< fixed8 or ascii_double.
  min_expiry,            ///< fixed8: what relative_expiry counts from; 0 where nothing expires.
  expiry_before,         ///< len: absolute, of the field that follows; 0 for none.
  relative_expiry,       ///< len: one more than the distance from min_expiry; 0 for none.
  expiry_after,          ///< fixed8: absolute, of the field before; -1 for none.
  node_id,               ///< str: 16 bytes, the id that the entries of a stream node count from.
  node,                  ///< str: listpack of a stream node.
  length,
  last_ms,  ///< len; the sequence number follows. So with the other ids.
  last_seq,
  first_ms,
  first_seq,
  deleted_ms,
  deleted_seq,
  added,
  group,
  group_ms,
  group_seq,
  group_read,
  pending_id,  ///< fixed16.
  pending_time,
  pending_count,
  consumer,
  consumer_seen,
  consumer_active,
  consumer_pending,
  groups,      ///< count: what precedes it is complete.
  consumers,   ///< count: of the group.
  group_done,  ///< next: the group is complete.
  nacks,       ///< count: of nacked.
  nacked,
  seconds,
  items,
  producers,  ///< count.
  producer,
  producer_items,  ///< count: of the producer before it.
  item,
  item_ms,
  item_seq,
  items_added,
  items_duplicate,
  module,       ///< len: id of the module type.
  array_index,  ///< len: of the element that follows.
  array_text,   ///< str.
  module_text,  ///< str.
};

/// One step, and what its token is.
struct Instruction {
  Op op = Op::end;
  Part part = Part::none;
  constexpr Instruction() = default;
  constexpr Instruction(Op the_op) : op(the_op) {}
  constexpr Instruction(Op the_op, Part the_part) : op(the_op), part(the_part) {}
};

/// A program with the jumps of its loops worked out.
struct Program {
  static constexpr std::size_t ops_max = 64;

  std::array<Op, ops_max> ops{};
  std::array<std::uint8_t, ops_max> jump{};  ///< loop: past its next. next: its body's first op.
  std::array<Part, ops_max> parts{};

  constexpr Program() = default;
  consteval Program(std::initializer_list<Instruction> list) { build({list.begin(), list.end()}); }
  /// One program of several pieces.
  template <std::size_t... sizes>
  [[nodiscard]] static consteval Program join(const std::array<Instruction, sizes>&... pieces) {
    std::array<Instruction, (sizes + ...)> all{};
    auto at = all.begin();
    ((at = std::ranges::copy(pieces, at).out), ...);
    Program program;
    program.build(all);
    return program;
  }

 private:
  /// Evaluated by the compiler, which refuses what is too long, too deep or not closed: readers
  /// need not check.
  consteval void build(std::span<const Instruction> list) {
    std::array<std::uint8_t, loop_depth_max> open{};
    std::size_t depth = 0;
    std::uint8_t at = 0;
    for (const auto& [op, part] : list) {
      ops[at] = op;
      parts[at] = part;
      if (op == Op::loop) open[depth++] = at;
      if (op == Op::next) {
        const std::uint8_t loop = open[--depth];
        jump[loop] = static_cast<std::uint8_t>(at + 1);
        jump[at] = static_cast<std::uint8_t>(loop + 1);
      }
      ++at;
    }
    if (depth != 0) throw "a loop without its next";
    ops[at] = Op::end;
  }
};

/// One row of the type table.
struct ValueType {
  std::uint8_t number = 0;  ///< The type byte.
  std::string_view name;    ///< The servers' own name, without RDB_TYPE_, in lower case.
  LogicalType logical{};    ///< What a client sees.
  std::uint16_t since = 0;  ///< First RDB version that has it.
  bool in_dump = true;      ///< May stand in a DUMP payload; so may all that are read today.
  Program program;
};

/// The row for a type byte, or null when the dialect has no such type.
///
/// Source: Redis src/rdb.h, Valkey src/rdb.h. 22 and 23 differ between the dialects.
[[nodiscard]] const ValueType* find_value_type(Dialect dialect, std::uint8_t number) noexcept;

}  // namespace sluice::rdb
