#include "engine/record_finder.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/run_digest.h"
#include "engine/slot_loads.h"

namespace sluice::engine {

void RecordFinder::take_label(std::span<const std::byte> key) {
  label_.clear();
  if (by_slot_) {
    bool has_tag = false;
    const std::uint16_t slot = key_slot(key, has_tag);
    label_ = {static_cast<std::byte>(slot >> 8), static_cast<std::byte>(slot & 0xff)};
    static_assert(RunContext::slot_bytes == 2);
  }
  label_.insert(label_.end(), key.begin(), key.end());
}

Result<std::optional<RecordFinder::Found>> RecordFinder::find(std::span<const std::byte> key,
                                                              std::optional<std::uint64_t> db) {
  take_label(key);
  if (db) return find_in(*db);
  for (const std::uint64_t some : map_.databases()) {
    auto found = find_in(some);
    if (!found || *found) return found;
  }
  return std::nullopt;
}

std::optional<std::uint32_t> RecordFinder::run_for(std::span<const std::byte> key,
                                                   std::uint64_t db) {
  take_label(key);
  return map_.find_run(db, label_);
}

Result<std::optional<RecordFinder::Found>> RecordFinder::find_in(std::uint64_t db) {
  const auto last = map_.find_run(db, label_);
  if (!last) return std::nullopt;
  const std::uint32_t first = map_.runs_of(db).first;
  Found found{.db = db, .run = *last, .record = {}};
  while (true) {
    const auto here = find_in_run(found.run, found.record);
    if (!here) return std::unexpected(here.error());
    if (*here) return found;
    // The first key of this run may be greater all the same if its label does not tell all of it.
    const Label label = map_.label(found.run);
    const bool may_be_before = is_cut(label) && label_.size() > label.size() &&
                               std::ranges::equal(label, std::span(label_).first(label.size()));
    if (!may_be_before || found.run == first) return std::nullopt;
    --found.run;
  }
}

Result<bool> RecordFinder::find_in_run(std::uint32_t run, Record& record) {
  reader_.reset();
  const auto raw = chunks_.read(run);
  if (!raw) return std::unexpected(raw.error());
  raw_.assign(raw->begin(), raw->end());  // fragments will be read by the same reader
  auto opened = RunReader::open(raw_, fmt::format("run {}", run));
  if (!opened) return std::unexpected(opened.error());
  reader_ = *std::move(opened);
  return reader_->find(label_, record);
}

}  // namespace sluice::engine
