#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
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

/// A program with the jumps of its loops worked out.
struct Program {
  static constexpr std::size_t ops_max = 64;

  std::array<Op, ops_max> ops{};
  std::array<std::uint8_t, ops_max> jump{};  ///< loop: past its next. next: its body's first op.

  constexpr Program() = default;
  /// Evaluated by the compiler, which refuses what is too long, too deep or not closed: the parser
  /// need not check.
  consteval Program(std::initializer_list<Op> list) {
    std::array<std::uint8_t, loop_depth_max> open{};
    std::size_t depth = 0;
    std::uint8_t at = 0;
    for (const Op op : list) {
      ops[at] = op;
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
