#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "rdb/error.h"
#include "rdb/handler.h"
#include "rdb/program_run.h"
#include "rdb/token_reader.h"
#include "rdb/value_survey.h"
#include "rdb/value_type.h"
#include "rdb/writer.h"

namespace sluice::rdb {

/// Writes a stream in an older encoding. The nodes, which hold the entries, are the same in all of
/// them: token after token is passed on, but for those that the older one does not have.
///
/// Pending entries that no consumer owns get a consumer, since without an owner older servers do
/// not load them, and left out they would never be delivered again.
///
/// Memory: a kilobyte.
class StreamRewriter {
 public:
  /// `survey` is of the same value, and `writer`: both must stay alive until end().
  void begin(const RecordHeader& record, const Header& source, const ValueType& as,
             const ValueSurvey& survey, Writer& writer);
  [[nodiscard]] Result<void> feed(std::span<const std::byte> part);
  [[nodiscard]] Result<void> end();

 private:
  Step run();
  Step run_op();
  Step run_count(Part part);
  Step run_len(Part part);
  Step run_fixed(Part part, std::size_t size);
  Step run_string(Part part);
  void write_string_head();
  [[nodiscard]] bool keeps(Part part) const noexcept;
  /// How many pending ids of the group being read belong to nobody in the older encoding.
  [[nodiscard]] std::uint64_t orphans() const noexcept;
  void write_owner(std::uint64_t ids);
  [[nodiscard]] Result<void> failure(Errc code, std::string detail);

  const ValueType* as_ = nullptr;
  const ValueSurvey* survey_ = nullptr;
  Writer* writer_ = nullptr;
  std::uint64_t index_ = 0;
  std::uint64_t db_ = 0;
  TokenReader tokens_;
  ProgramRun run_;
  bool in_string_ = false;
  std::uint64_t string_left_ = 0;
  std::uint64_t group_ = 0;    // counted from 0
  std::size_t nacked_at_ = 0;  // in the survey's nacked_groups(): the next one
};

}  // namespace sluice::rdb
