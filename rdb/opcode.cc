#include "rdb/opcode.h"

#include <algorithm>

namespace sluice::rdb {
namespace {

using K = OpcodeKind;
using F = Field;
using enum Op;

constexpr std::array common_opcodes{
    Opcode{255, "eof", K::eof, false, {}, {}},
    Opcode{254, "selectdb", K::select_db, false, {F::number}, {}},
    Opcode{253, "expiretime", K::expire_s, true, {F::bytes4}, {}},
    Opcode{252, "expiretime_ms", K::expire_ms, true, {F::bytes8}, {}},
    Opcode{251, "resizedb", K::resize_db, false, {F::number, F::number}, {}},
    Opcode{250, "aux", K::aux, false, {F::text, F::text}, {}},
    Opcode{249, "freq", K::freq, true, {F::byte}, {}},
    Opcode{248, "idle", K::idle, true, {F::number}, {}},
    Opcode{247,
           "module_aux",
           K::module_aux,
           false,
           {F::number, F::number, F::number},
           Program{module_items}},
    Opcode{245, "function2", K::function, false, {F::text}, {}},
    Opcode{244, "slot_info", K::slot_info, false, {F::number, F::number, F::number}, {}},
};

constexpr Opcode redis_key_meta{243,  "key_meta", K::key_meta,
                                true, {},         Program{count, loop, fixed4, module_items, next}};

constexpr Opcode valkey_slot_import{243,   "slot_import", K::slot_import,
                                    false, {F::text},     Program{count, loop, len, len, next}};

}  // namespace

const Opcode* find_opcode(Dialect dialect, std::uint8_t number) noexcept {
  if (number == 243) return dialect == Dialect::redis ? &redis_key_meta : &valkey_slot_import;
  const auto* found = std::ranges::find(common_opcodes, number, &Opcode::number);
  return found == common_opcodes.end() ? nullptr : found;
}

}  // namespace sluice::rdb
