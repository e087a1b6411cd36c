// ValueReader, part 4: arrays and modules, whose elements say themselves what they are.

#include <array>
#include <bit>
#include <limits>
#include <utility>

#include "rdb/value_reader_impl.h"

namespace sluice::rdb {
namespace {

constexpr std::uint64_t array_small_bytes_max = 7;

}  // namespace

Step ValueReader::Impl::take_array_index(std::uint64_t index) {
  if (index == std::numeric_limits<std::uint64_t>::max()) {
    return fail(Errc::bad_value, "an array index of 2^64 - 1");
  }
  const std::array bytes = std::bit_cast<std::array<std::byte, 8>>(index);
  if (options_.strict && !is_new(seen_, DuplicateSet::hash(bytes))) {
    return fail(Errc::duplicate_element, "array index " + std::to_string(index));
  }
  return number(Role::array_index, index);
}

Step ValueReader::Impl::run_flagged_len() {
  std::uint64_t value = 0;
  if (const Step taken = tokens_.take_len(value); taken != Step::ok) return taken;
  if (sub_step_ == 1) {
    sub_step_ = 0;
    return number(Role::array_insert_index, value);
  }
  if (value == 0) return Step::ok;
  if (value > 1) return fail(Errc::bad_value, "array flag is neither 0 nor 1");
  sub_step_ = 1;
  return run_flagged_len();
}

Step ValueReader::Impl::run_array_value() {
  if (sub_step_ == 0) {
    if (const Step taken = tokens_.take_len(sub_tag_); taken != Step::ok) return taken;
    if (sub_tag_ > 3) return fail(Errc::bad_value, "array tag " + std::to_string(sub_tag_));
    sub_step_ = 1;
  }
  Step ran = Step::ok;
  if (sub_tag_ == 0 || sub_tag_ == 3) {
    ran = run_string(Part::array_text);
  } else {
    std::span<const std::byte> token;
    ran = tokens_.take_bytes(8, token);
    if (ran != Step::ok) return ran;
    const std::uint64_t bits = little_endian(token.data(), 8);
    ran = sub_tag_ == 1 ? number(Role::array_integer, bits)
                        : told(handler_.on_real(Role::array_real, std::bit_cast<double>(bits)));
  }
  if (ran != Step::ok) return ran;
  if (options_.strict && sub_tag_ == 3 && plain_bytes_ > array_small_bytes_max) {
    return fail(Errc::bad_value,
                "a small array string of " + std::to_string(plain_bytes_) + " bytes");
  }
  sub_step_ = 0;
  ++elements_;
  return Step::ok;
}

// The framing of module types: moduleTypeLoad() and rdbLoadCheckModuleValue().
Step ValueReader::Impl::run_module_items() {
  while (true) {
    if (module_state_ == ModuleState::opcode) {
      const Step taken = tokens_.take_len(module_opcode_);
      if (taken != Step::ok) return taken;
      if (module_opcode_ == 0) return Step::ok;
      if (module_opcode_ > 5) {
        return fail(Errc::bad_value, "module opcode " + std::to_string(module_opcode_));
      }
      constexpr std::array states{ModuleState::opcode, ModuleState::number, ModuleState::number,
                                  ModuleState::bytes4, ModuleState::bytes8, ModuleState::string};
      module_state_ = states[module_opcode_];
    }
    if (const Step ran = run_module_item(); ran != Step::ok) return ran;
    module_state_ = ModuleState::opcode;
  }
}

Step ValueReader::Impl::run_module_item() {
  std::span<const std::byte> token;
  std::uint64_t value = 0;
  Step ran = Step::ok;
  switch (module_state_) {
    case ModuleState::opcode: return Step::ok;
    case ModuleState::number:
      ran = tokens_.take_len(value);
      if (ran != Step::ok) return ran;
      return number(module_opcode_ == 1 ? Role::module_signed : Role::module_unsigned, value);
    case ModuleState::bytes4: {
      ran = tokens_.take_bytes(4, token);
      if (ran != Step::ok) return ran;
      const auto bits = static_cast<std::uint32_t>(little_endian(token.data(), 4));
      return told(handler_.on_real(Role::module_float, double{std::bit_cast<float>(bits)}));
    }
    case ModuleState::bytes8:
      ran = tokens_.take_bytes(8, token);
      if (ran != Step::ok) return ran;
      return told(handler_.on_real(Role::module_double,
                                   std::bit_cast<double>(little_endian(token.data(), 8))));
    case ModuleState::string: return run_string(Part::module_text);
  }
  std::unreachable();
}

}  // namespace sluice::rdb
