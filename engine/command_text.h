#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "engine/output_buffer.h"
#include "engine/spool.h"
#include "rdb/value_handler.h"

namespace sluice::engine {

/// Commands as RESP arrays of bulk strings, written as they come.
/// Source: "Redis serialization protocol specification".
class CommandText {
 public:
  explicit CommandText(OutputBuffer& out) : out_(out) {}

  void begin(std::uint64_t argc) { head('*', argc); }

  void arg(std::span<const std::byte> bytes) {
    begin_arg(bytes.size());
    out_.append(bytes);
    end_arg();
  }
  void arg(std::string_view text) { arg(std::as_bytes(std::span(text))); }
  void arg_number(std::uint64_t number);
  void arg_number(std::int64_t number);
  void arg_real(double real);
  void arg_id(rdb::StreamId id);
  void arg_kept(Spool& spool, std::uint64_t offset, std::uint64_t size);

  /// An argument in parts.
  void begin_arg(std::uint64_t size) { head('$', size); }
  void arg_part(std::span<const std::byte> bytes) { out_.append(bytes); }
  void end_arg() { out_.append("\r\n"); }
  /// A text as an argument, as its parts come.
  void arg_text(const rdb::Text& part) {
    if (part.first) begin_arg(part.size);
    arg_part(part.bytes);
    if (part.last) end_arg();
  }

  [[nodiscard]] OutputBuffer& out() noexcept { return out_; }

 private:
  void head(char kind, std::uint64_t number) {
    out_.append(kind);
    out_.append_number(number);
    out_.append("\r\n");
  }

  OutputBuffer& out_;
};

}  // namespace sluice::engine
