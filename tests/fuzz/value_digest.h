#pragma once

#include <bit>
#include <cstdint>
#include <span>

#include "rdb/crc64.h"
#include "rdb/value_handler.h"

namespace sluice::rdb::fuzz {

/// All events of values folded into one number, in which the cuts of texts leave no trace. A text
/// that does not end does not count: how much of it comes before an error depends on the cuts.
class ValueDigest final : public ValueHandler {
 public:
  bool on_text(Role role, const Text& text) override {
    if (text.first != !in_text_) __builtin_abort();
    if (text.first) {
      before_ = digest;
      left_ = text.size;
      add(role, text.size);
    }
    // All bytes without a last: LZF that goes on, and will be refused.
    if (text.bytes.size() > left_ || (text.last && text.bytes.size() < left_)) __builtin_abort();
    left_ -= text.bytes.size();
    in_text_ = !text.last;
    digest = crc64_by_table(digest, text.bytes);
    return true;
  }
  bool on_number(Role role, std::uint64_t number) override { return add(role, number); }
  bool on_real(Role role, double real) override {
    return add(role, std::bit_cast<std::uint64_t>(real));
  }
  bool on_stream_id(Role role, StreamId id) override {
    return add(role, id.ms) && add(role, id.seq);
  }

  /// The value has ended, or was refused.
  void end() {
    if (in_text_) digest = before_;
    in_text_ = false;
  }

  std::uint64_t digest = 0;

 private:
  bool add(Role role, std::uint64_t number) {
    const std::uint64_t fields[] = {static_cast<std::uint64_t>(role), number};
    digest = crc64_by_table(digest, std::as_bytes(std::span(fields)));
    return true;
  }

  std::uint64_t before_ = 0;
  bool in_text_ = false;
  std::uint64_t left_ = 0;
};

}  // namespace sluice::rdb::fuzz
