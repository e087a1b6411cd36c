#pragma once

#include <array>
#include <cassert>
#include <cstddef>
#include <cstdint>

#include "rdb/value_type.h"

namespace sluice::rdb {

/// Where in a Program a reader is: all that has to be kept between two feeds.
class ProgramRun {
 public:
  void begin(const Program& program) noexcept {
    program_ = &program;
    pc_ = 0;
    depth_ = 0;
  }
  [[nodiscard]] Op op() const noexcept { return program_->ops[pc_]; }
  [[nodiscard]] Part part() const noexcept { return program_->parts[pc_]; }
  void next() noexcept { ++pc_; }

  /// Op::count was read.
  void push_count(std::uint64_t count) noexcept {
    assert(depth_ < counts_.size());
    counts_[depth_++] = count;
  }
  /// Op::loop: into its body, or past its end.
  void enter_loop() noexcept {
    if (counts_[depth_ - 1] > 0) {
      ++pc_;
    } else {
      --depth_;
      pc_ = program_->jump[pc_];
    }
  }
  /// Op::next: back to the body, or out.
  void end_round() noexcept {
    if (--counts_[depth_ - 1] > 0) {
      pc_ = program_->jump[pc_];
    } else {
      --depth_;
      ++pc_;
    }
  }

 private:
  const Program* program_ = nullptr;
  std::size_t pc_ = 0;
  std::array<std::uint64_t, loop_depth_max> counts_{};
  std::size_t depth_ = 0;
};

}  // namespace sluice::rdb
