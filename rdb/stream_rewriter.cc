#include "rdb/stream_rewriter.h"

#include <bit>
#include <utility>

namespace sluice::rdb {

void StreamRewriter::begin(const RecordHeader& record, const Header& source, const ValueType& as,
                           const ValueSurvey& survey, Writer& writer) {
  as_ = &as;
  survey_ = &survey;
  writer_ = &writer;
  index_ = record.index;
  db_ = record.db;
  tokens_.restart(record.value_offset, source.version);
  run_.begin(record.type->program);
  in_string_ = false;
  group_ = nacked_at_ = 0;
}

Result<void> StreamRewriter::feed(std::span<const std::byte> part) {
  tokens_.open(part);
  const Step ran = run();
  const std::size_t left = tokens_.left();
  tokens_.close();
  if (ran == Step::fail) return failure(tokens_.code(), tokens_.take_detail());
  if (ran == Step::ok && left > 0) return failure(Errc::bad_value, "bytes after its end");
  return {};
}

Result<void> StreamRewriter::end() {
  if (run_.op() == Op::end) return {};
  return failure(Errc::truncated, "inside a value");
}

Result<void> StreamRewriter::failure(Errc code, std::string detail) {
  return std::unexpected(Error{.code = code,
                               .offset = tokens_.token_offset(),
                               .record = index_,
                               .db = db_,
                               .key = {},
                               .detail = std::move(detail)});
}

Step StreamRewriter::run() {
  while (run_.op() != Op::end) {
    if (const Step ran = run_op(); ran != Step::ok) return ran;
  }
  return Step::ok;
}

Step StreamRewriter::run_op() {
  const Part part = run_.part();
  Step ran = Step::ok;
  switch (run_.op()) {
    case Op::loop: run_.enter_loop(); return Step::ok;
    case Op::next:
      if (part == Part::group_done) {
        if (orphans() > 0) ++nacked_at_;
        ++group_;
      }
      run_.end_round();
      return Step::ok;
    case Op::count: ran = run_count(part); break;
    case Op::len: ran = run_len(part); break;
    case Op::str: ran = run_string(part); break;
    case Op::fixed8: ran = run_fixed(part, 8); break;
    case Op::fixed16: ran = run_fixed(part, 16); break;
    case Op::end:
    case Op::fixed4:
    case Op::ascii_double:
    case Op::container:
    case Op::flagged_len:
    case Op::array_value:
    case Op::module_items: std::unreachable();  // no stream has them
  }
  if (ran == Step::ok) run_.next();
  return ran;
}

Step StreamRewriter::run_count(Part part) {
  std::uint64_t count = 0;
  if (const Step taken = tokens_.take_len(count); taken != Step::ok) return taken;
  run_.push_count(count);
  if (part == Part::consumers && orphans() > 0) ++count;
  if (keeps(part)) {
    writer_->len(count);
  } else if (part == Part::nacks && count > 0) {
    write_owner(count);
  }
  return Step::ok;
}

Step StreamRewriter::run_len(Part part) {
  std::uint64_t number = 0;
  const Step taken = tokens_.take_len(number);
  if (taken == Step::ok && keeps(part)) writer_->len(number);
  return taken;
}

Step StreamRewriter::run_fixed(Part part, std::size_t size) {
  std::span<const std::byte> token;
  const Step taken = tokens_.take_bytes(size, token);
  if (taken == Step::ok && keeps(part)) writer_->raw(token);
  return taken;
}

Step StreamRewriter::run_string(Part part) {
  if (!in_string_) {
    if (const Step taken = tokens_.take_string_head(); taken != Step::ok) return taken;
    in_string_ = true;
    string_left_ = tokens_.stored_bytes();
    if (keeps(part)) write_string_head();
  }
  const std::span<const std::byte> bytes = tokens_.take_part(string_left_);
  if (keeps(part)) writer_->raw(bytes);
  if (string_left_ > 0) return Step::more;
  in_string_ = false;
  tokens_.string_taken();
  return Step::ok;
}

void StreamRewriter::write_string_head() {
  switch (tokens_.form()) {
    case StringForm::raw: writer_->len(tokens_.stored_bytes()); return;
    case StringForm::integer:  // 1, 2 or 4 bytes
      writer_->byte(static_cast<std::uint8_t>(0xC0 | std::bit_width(tokens_.stored_bytes() >> 1)));
      return;
    case StringForm::lzf:
      writer_->byte(0xC3);
      writer_->len(tokens_.stored_bytes());
      writer_->len(tokens_.plain_bytes());
      return;
  }
}

bool StreamRewriter::keeps(Part part) const noexcept {
  switch (part) {
    case Part::first_ms:
    case Part::first_seq:
    case Part::deleted_ms:
    case Part::deleted_seq:
    case Part::added:
    case Part::group_read: return as_->since >= 10;
    case Part::consumer_active: return as_->since >= 11;
    case Part::seconds:
    case Part::items:
    case Part::producers:
    case Part::producer:
    case Part::producer_items:
    case Part::item:
    case Part::item_ms:
    case Part::item_seq:
    case Part::items_added:
    case Part::items_duplicate: return as_->since >= 13;
    case Part::nacks: return as_->since >= 14;
    default: return true;  // nacked: else of the owner that stands in for the zone
  }
}

std::uint64_t StreamRewriter::orphans() const noexcept {
  const auto& groups = survey_->nacked_groups();
  const bool has = nacked_at_ < groups.size() && groups[nacked_at_].group == group_;
  return has && !keeps(Part::nacks) ? groups[nacked_at_].ids : 0;
}

/// The ids follow.
void StreamRewriter::write_owner(std::uint64_t ids) {
  constexpr std::uint64_t seen_time = 0;
  constexpr std::uint64_t never = UINT64_MAX;
  const std::string name = survey_->free_consumer_name();
  writer_->string(std::as_bytes(std::span(name)));
  writer_->fixed8(seen_time);
  if (keeps(Part::consumer_active)) writer_->fixed8(never);
  writer_->len(ids);
}

}  // namespace sluice::rdb
