// Parser, part 4: refusing a type or opcode that is not read, with the key that it stands before.

#include <algorithm>
#include <utility>

#include "rdb/escape.h"
#include "rdb/parser.h"
#include "rdb/refusal.h"

namespace sluice::rdb {

Step Parser::refuse(std::uint8_t number) {
  Refusal refusal = refuse_number(header_, writer_, number);
  (void)fail(refusal.code, std::move(refusal.detail));
  if (refusal.key == Refusal::Key::none) return Step::fail;
  // Its key stands where that of every type does, or that of every mask: the message names it.
  constexpr std::uint8_t mask_bytes = 4;
  refused_bytes_ = refusal.key == Refusal::Key::after_mask ? mask_bytes : 0;
  in_refused_mask_ = refused_bytes_ > 0;
  refusal_ = std::move(error_);
  state_ = State::refused_key;
  return Step::ok;
}

// The second bit of a key mask says that four bytes of flags follow; then comes the type.
Step Parser::skip_refused_bytes() {
  std::span<const std::byte> token;
  while (refused_bytes_ > 0) {
    if (const Step taken = tokens_.take_bytes(refused_bytes_, token); taken != Step::ok) {
      return taken;
    }
    const bool flags = (token[0] & std::byte{2}) != std::byte{0};
    refused_bytes_ = in_refused_mask_ ? (flags ? 5 : 1) : 0;
    in_refused_mask_ = false;
  }
  return Step::ok;
}

Step Parser::step_refused_key() {
  if (const Step skipped = skip_refused_bytes(); skipped != Step::ok) return skipped;
  constexpr std::uint64_t bytes_max = 4096;  // if this is damage, what looks like a length may lie
  std::span<const std::byte> key;
  const Step taken = tokens_.take_text(key, std::min(bytes_max, limits_.key_bytes_max));
  if (taken == Step::more) return taken;
  if (taken == Step::ok) refusal_.key = escape(key, key_head_.size());
  return fail_with_refusal();
}

Step Parser::fail_with_refusal() {
  state_ = State::failed;
  error_ = std::move(refusal_);
  return Step::fail;
}

}  // namespace sluice::rdb
