// Parser, part 2: running the program of a value type.

#include "rdb/parser.h"

namespace sluice::rdb {

void Parser::begin_program(const Program& program) noexcept {
  run_.begin(program);
  sub_step_ = 0;
  module_state_ = ModuleState::opcode;
}

Step Parser::run_program() {
  while (true) {
    run_whole_tokens();
    if (run_.op() == Op::end) return Step::ok;
    if (const Step ran = run_op(run_.op()); ran != Step::ok) return ran;
  }
}

// Goes on as far as tokens are common and all there: most of a stream is read here. Whatever it
// leaves, a cut, an error, a rare op, is for run_op().
void Parser::run_whole_tokens() noexcept {
  if (!tokens_.idle() || sub_step_ != 0) return;
  const std::byte* at = tokens_.at();
  const std::byte* const end = tokens_.end();
  StringHead head;
  std::uint64_t number = 0;
  while (true) {
    const Op op = run_.op();
    const std::byte* after = nullptr;
    if (op == Op::str) {  // first, being the most common: a switch is a jump that is hard to guess
      if (read_string_head(at, end, head)) after = at + head.head_bytes + head.stored_bytes;
    } else if (op == Op::end) {
      break;
    } else if (op == Op::loop) {
      run_.enter_loop();
      continue;
    } else if (op == Op::next) {
      run_.end_round();
      continue;
    } else if (op == Op::count || op == Op::len) {
      after = read_len(at, end, number);
    } else if (op == Op::fixed8) {
      if (end - at >= 8) after = at + 8;
    } else if (op == Op::fixed16) {
      if (end - at >= 16) after = at + 16;
    }
    if (after == nullptr) break;
    if (op == Op::count) run_.push_count(number);
    at = after;
    run_.next();
  }
  tokens_.move_to(at);
}

Step Parser::run_op(Op op) {
  Step ran = Step::ok;
  std::uint64_t number = 0;
  switch (op) {
    case Op::loop: run_.enter_loop(); return Step::ok;
    case Op::next: run_.end_round(); return Step::ok;
    case Op::str: ran = tokens_.skip_string(); break;
    case Op::len: ran = tokens_.take_len(number); break;
    case Op::fixed4: ran = tokens_.skip(4); break;
    case Op::fixed8: ran = tokens_.skip(8); break;
    case Op::fixed16: ran = tokens_.skip(16); break;
    case Op::ascii_double: ran = run_ascii_double(); break;
    case Op::count:
      ran = tokens_.take_len(number);
      if (ran == Step::ok) run_.push_count(number);
      break;
    case Op::container: ran = run_container(); break;
    case Op::flagged_len: ran = run_flagged_len(); break;
    case Op::array_value: ran = run_array_value(); break;
    case Op::module_items: ran = run_module_items(); break;
    case Op::end: break;
  }
  if (ran == Step::ok) run_.next();
  return ran;
}

// rdbLoadDoubleValue(): 253, 254 and 255 stand for nan, +inf and -inf.
Step Parser::run_ascii_double() {
  if (sub_step_ == 0) {
    std::uint8_t size = 0;
    if (const Step taken = tokens_.take_byte(size); taken != Step::ok) return taken;
    if (size >= 253) return Step::ok;
    sub_tag_ = size;
    sub_step_ = 1;
  }
  const Step skipped = tokens_.skip(sub_tag_);
  if (skipped == Step::ok) sub_step_ = 0;
  return skipped;
}

Step Parser::run_container() {
  std::uint64_t container = 0;
  if (const Step taken = tokens_.take_len(container); taken != Step::ok) return taken;
  if (container == 1 || container == 2) return Step::ok;
  return fail(Errc::bad_value, "quicklist node container " + std::to_string(container) +
                                   ", expected 1 (plain) or 2 (packed)");
}

Step Parser::run_flagged_len() {
  std::uint64_t number = 0;
  if (sub_step_ == 0) {
    if (const Step taken = tokens_.take_len(number); taken != Step::ok) return taken;
    if (number == 0) return Step::ok;
    if (number > 1) return fail(Errc::bad_value, "array flag is neither 0 nor 1");
    sub_step_ = 1;
  }
  const Step taken = tokens_.take_len(number);
  if (taken == Step::ok) sub_step_ = 0;
  return taken;
}

Step Parser::run_array_value() {
  if (sub_step_ == 0) {
    if (const Step taken = tokens_.take_len(sub_tag_); taken != Step::ok) return taken;
    if (sub_tag_ > 3) return fail(Errc::bad_value, "array tag " + std::to_string(sub_tag_));
    sub_step_ = 1;
  }
  const bool is_number = sub_tag_ == 1 || sub_tag_ == 2;
  const Step skipped = is_number ? tokens_.skip(8) : tokens_.skip_string();
  if (skipped == Step::ok) sub_step_ = 0;
  return skipped;
}

// The framing of module types: moduleTypeLoad() and rdbLoadCheckModuleValue().
Step Parser::run_module_items() {
  while (true) {
    Step ran = Step::ok;
    std::uint64_t number = 0;
    switch (module_state_) {
      case ModuleState::opcode:
        ran = tokens_.take_len(module_opcode_);
        if (ran == Step::ok && module_opcode_ == 0) return Step::ok;
        if (ran == Step::ok) ran = begin_module_item();
        if (ran != Step::ok) return ran;
        continue;
      case ModuleState::number: ran = tokens_.take_len(number); break;
      case ModuleState::bytes4: ran = tokens_.skip(4); break;
      case ModuleState::bytes8: ran = tokens_.skip(8); break;
      case ModuleState::string: ran = tokens_.skip_string(); break;
    }
    if (ran != Step::ok) return ran;
    module_state_ = ModuleState::opcode;
  }
}

Step Parser::begin_module_item() {
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
