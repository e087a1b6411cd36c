// Parser, part 2: running the program of a value type.

#include <cassert>

#include "rdb/parser.h"

namespace sluice::rdb {

void Parser::begin_program(const Program& program) noexcept {
  program_ = &program;
  pc_ = 0;
  depth_ = 0;
  sub_step_ = 0;
  module_state_ = ModuleState::opcode;
}

Parser::Step Parser::run_program() {
  while (program_->ops[pc_] != Op::end) {
    if (const Step ran = run_op(program_->ops[pc_]); ran != Step::ok) return ran;
  }
  return Step::ok;
}

Parser::Step Parser::run_op(Op op) {
  Step ran = Step::ok;
  std::uint64_t number = 0;
  switch (op) {
    case Op::loop: return run_loop();
    case Op::next: return run_next();
    case Op::str: ran = skip_string(); break;
    case Op::len: ran = take_len(number); break;
    case Op::fixed4: ran = skip(4); break;
    case Op::fixed8: ran = skip(8); break;
    case Op::fixed16: ran = skip(16); break;
    case Op::ascii_double: ran = run_ascii_double(); break;
    case Op::count:
      ran = take_len(number);
      if (ran == Step::ok) {
        assert(depth_ < counts_.size());
        counts_[depth_++] = number;
      }
      break;
    case Op::container: ran = run_container(); break;
    case Op::flagged_len: ran = run_flagged_len(); break;
    case Op::array_value: ran = run_array_value(); break;
    case Op::module_items: ran = run_module_items(); break;
    case Op::end: break;
  }
  if (ran == Step::ok) ++pc_;
  return ran;
}

Parser::Step Parser::run_loop() {
  if (counts_[depth_ - 1] > 0) {
    ++pc_;
  } else {
    --depth_;
    pc_ = program_->jump[pc_];
  }
  return Step::ok;
}

Parser::Step Parser::run_next() {
  if (--counts_[depth_ - 1] > 0) {
    pc_ = program_->jump[pc_];
  } else {
    --depth_;
    ++pc_;
  }
  return Step::ok;
}

// rdbLoadDoubleValue(): 253, 254 and 255 stand for nan, +inf and -inf.
Parser::Step Parser::run_ascii_double() {
  if (sub_step_ == 0) {
    std::uint8_t size = 0;
    if (const Step taken = take_byte(size); taken != Step::ok) return taken;
    if (size >= 253) return Step::ok;
    sub_tag_ = size;
    sub_step_ = 1;
  }
  const Step skipped = skip(sub_tag_);
  if (skipped == Step::ok) sub_step_ = 0;
  return skipped;
}

Parser::Step Parser::run_container() {
  std::uint64_t container = 0;
  if (const Step taken = take_len(container); taken != Step::ok) return taken;
  if (container == 1 || container == 2) return Step::ok;
  return fail(Errc::bad_value, "quicklist node container " + std::to_string(container) +
                                   ", expected 1 (plain) or 2 (packed)");
}

Parser::Step Parser::run_flagged_len() {
  std::uint64_t number = 0;
  if (sub_step_ == 0) {
    if (const Step taken = take_len(number); taken != Step::ok) return taken;
    if (number == 0) return Step::ok;
    if (number > 1) return fail(Errc::bad_value, "array flag is neither 0 nor 1");
    sub_step_ = 1;
  }
  const Step taken = take_len(number);
  if (taken == Step::ok) sub_step_ = 0;
  return taken;
}

Parser::Step Parser::run_array_value() {
  if (sub_step_ == 0) {
    if (const Step taken = take_len(sub_tag_); taken != Step::ok) return taken;
    if (sub_tag_ > 3) return fail(Errc::bad_value, "array tag " + std::to_string(sub_tag_));
    sub_step_ = 1;
  }
  const bool is_number = sub_tag_ == 1 || sub_tag_ == 2;
  const Step skipped = is_number ? skip(8) : skip_string();
  if (skipped == Step::ok) sub_step_ = 0;
  return skipped;
}

// The framing of module types: moduleTypeLoad() and rdbLoadCheckModuleValue().
Parser::Step Parser::run_module_items() {
  while (true) {
    Step ran = Step::ok;
    std::uint64_t number = 0;
    switch (module_state_) {
      case ModuleState::opcode:
        ran = take_len(module_opcode_);
        if (ran == Step::ok && module_opcode_ == 0) return Step::ok;
        if (ran == Step::ok) ran = begin_module_item();
        if (ran != Step::ok) return ran;
        continue;
      case ModuleState::number: ran = take_len(number); break;
      case ModuleState::bytes4: ran = skip(4); break;
      case ModuleState::bytes8: ran = skip(8); break;
      case ModuleState::string: ran = skip_string(); break;
    }
    if (ran != Step::ok) return ran;
    module_state_ = ModuleState::opcode;
  }
}

Parser::Step Parser::begin_module_item() {
  switch (module_opcode_) {
    case 1:                                                        // SINT
    case 2: module_state_ = ModuleState::number; return Step::ok;  // UINT
    case 3: module_state_ = ModuleState::bytes4; return Step::ok;  // FLOAT
    case 4: module_state_ = ModuleState::bytes8; return Step::ok;  // DOUBLE
    case 5: module_state_ = ModuleState::string; return Step::ok;  // STRING
    default: break;
  }
  return fail(Errc::bad_value, "module opcode " + std::to_string(module_opcode_));
}

}  // namespace sluice::rdb
