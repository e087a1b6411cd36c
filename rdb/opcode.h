#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "rdb/value_type.h"

namespace sluice::rdb {

enum class OpcodeKind : std::uint8_t {
  eof,
  select_db,
  expire_s,
  expire_ms,
  resize_db,
  aux,
  freq,
  idle,
  module_aux,
  function,
  slot_info,
  key_meta,
  slot_import,
};

/// One field of an opcode's payload, read whole before the opcode is acted on.
enum class Field : std::uint8_t {
  none,
  number,  ///< LEN.
  text,    ///< STR, decoded.
  byte,    ///< u8.
  bytes4,  ///< i32 LE.
  bytes8,  ///< i64 LE.
};

/// One row of the opcode table: its fields in order, then what is only delimited.
struct Opcode {
  std::uint8_t number = 0;
  std::string_view name;  ///< The servers' own name, in lower case.
  OpcodeKind kind{};
  bool before_key = false;  ///< Belongs to the key that follows.
  std::array<Field, 3> fields{};
  Program rest;
};

/// The row for an opcode byte, or null when the dialect has no such opcode.
///
/// Source: Redis src/rdb.h, Valkey src/rdb.h. 243 differs between the dialects.
[[nodiscard]] const Opcode* find_opcode(Dialect dialect, std::uint8_t number) noexcept;

}  // namespace sluice::rdb
