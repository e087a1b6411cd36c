#pragma once

#include <cstddef>

#include "engine/json_text.h"
#include "engine/output_buffer.h"
#include "engine/spool.h"
#include "rdb/value_handler.h"

namespace sluice::engine {

/// Writes byte strings as JSON in the order in which they come. One that comes in parts is kept
/// until it is known whether it is UTF-8: to its end when it is, to its first wrong byte when not.
class DirectText {
 public:
  DirectText(OutputBuffer& out, std::size_t memory_bytes)
      : out_(out), kept_(memory_bytes), base64_(out) {}

  void add(const rdb::Text& part) {
    if (part.first && part.last) {
      append_json_text(out_, part.bytes);
    } else {
      add_part(part);
    }
  }

  [[nodiscard]] const std::optional<Error>& error() const noexcept { return kept_.error(); }

 private:
  void add_part(const rdb::Text& part);
  void begin_base64();

  OutputBuffer& out_;
  Spool kept_;
  Utf8Checker checker_;
  Base64Writer base64_;
  bool is_base64_ = false;
};

}  // namespace sluice::engine
