#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "engine/output_buffer.h"

namespace sluice::engine {

/// An OutputBuffer whose bytes end in a string.
class OutputText {
 public:
  OutputBuffer buffer{OutputBuffer::room_max, [this](std::span<const std::byte> bytes) {
                        text_.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
                        return true;
                      }};

  const std::string& text() {
    buffer.flush();
    return text_;
  }

 private:
  std::string text_;
};

}  // namespace sluice::engine
