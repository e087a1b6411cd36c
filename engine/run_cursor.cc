#include "engine/run_cursor.h"

#include <algorithm>
#include <utility>

#include "engine/canonical_rdb.h"
#include "engine/errors.h"

namespace sluice::engine {

RunCursor::RunCursor(const storage::Repository& repository, const OpenBackup& backup,
                     const CanonicalMap& map, ChunkRange runs, std::vector<bool> passed)
    : repository_(repository),
      backup_(backup),
      map_(map),
      runs_(runs),
      passed_(std::move(passed)),
      at_(runs.first) {}

bool RunCursor::is_passed(std::uint32_t ordinal) const {
  const std::uint32_t position = ordinal - runs_.first;
  return position < passed_.size() && passed_[position];
}

/// Has the reader go on with the runs from here to the next that will be passed over.
Result<void> RunCursor::read_ahead() {
  std::uint32_t end = at_ + 1;
  while (end < runs_.end && !is_passed(end)) ++end;
  ahead_ = {.first = at_, .end = end};
  if (reader_) {
    reader_->reset(ahead_.first, ahead_.size());
    return {};
  }
  auto reader =
      storage::ChunkReader::open(repository_, backup_.stored, ahead_.first, ahead_.size());
  if (!reader) return std::unexpected(from_storage(reader.error()));
  reader_ = *std::move(reader);
  return {};
}

Result<void> RunCursor::read() {
  if (ahead_.size() == 0 || ahead_.first != at_) {
    if (auto ready = read_ahead(); !ready) return ready;
  }
  const auto chunk = reader_->next();
  if (!chunk) return std::unexpected(from_storage(chunk.error()));
  const auto where = [this] { return describe_run(backup_, map_, at_); };
  const auto corrupt = [&](const char* what) {
    return std::unexpected(
        Error{.stage = Stage::storage, .code = "corrupt", .message = where() + ": " + what});
  };
  if (!*chunk) return corrupt("it is not there");
  ++ahead_.first;
  auto run = RunReader::open((*chunk)->raw, where());
  if (!run) return std::unexpected(run.error());
  if (run->records() != map_.run(at_).records) return corrupt("it holds another number of keys");
  run_ = *std::move(run);
  const Label label = map_.label(at_);
  if (!run_->next(record_) || record_.key.size() < label.size() ||
      !std::ranges::equal(record_.key.first(label.size()), label) ||
      (record_.key.size() > label.size() && !is_cut(label))) {
    return corrupt("it begins with another key");
  }
  return {};
}

void RunCursor::pass() {
  bytes_done_ += backup_.stored.chunks[at_].raw_bytes;
  run_.reset();
  ++at_;
}

void RunCursor::advance() {
  if (!run_->next(record_)) pass();
}

}  // namespace sluice::engine
