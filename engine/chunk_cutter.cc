#include "engine/chunk_cutter.h"

namespace sluice::engine {

void ChunkCutter::on_border(std::uint64_t offset, std::uint64_t records, std::uint64_t db) {
  cut_long(offset);
  last_border_ = {.offset = offset, .start = {.record = records, .db = db, .inside_record = false}};
  if (offset - begin_.offset >= target_bytes) cut_at(last_border_);
}

void ChunkCutter::on_progress(std::uint64_t offset) { cut_long(offset); }

void ChunkCutter::on_end(std::uint64_t offset) {
  cut_long(offset);
  if (offset > begin_.offset) cut_at({.offset = offset, .start = last_border_.start});
}

void ChunkCutter::cut_long(std::uint64_t offset) {
  while (offset - begin_.offset > max_bytes) {
    if (last_border_.offset >= begin_.offset + min_bytes) {
      cut_at(last_border_);
      continue;
    }
    Border inside{.offset = begin_.offset + max_bytes, .start = last_border_.start};
    inside.start.inside_record = true;
    cut_at(inside);
  }
}

void ChunkCutter::cut_at(const Border& border) {
  complete_.push_back({.begin = begin_.offset, .end = border.offset, .start = begin_.start});
  begin_ = border;
}

}  // namespace sluice::engine
