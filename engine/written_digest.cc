#include "engine/written_digest.h"

#include <utility>

namespace sluice::engine {

void WrittenDigest::begin(const rdb::RecordHeader& record, const rdb::Header& header) {
  current_ = {};
  reader_.begin(record, header);
}

WrittenDigest::Sent WrittenDigest::taken() {
  current_.decoded = reader_.end();
  if (!current_.decoded) {
    const std::lock_guard lock(mutex_);
    problem_ = reader_.first_problem();
  }
  return std::exchange(current_, {});
}

void WrittenDigest::not_sent() { answered(std::exchange(current_, {}), false); }

void WrittenDigest::answered(const Sent& record, bool written) {
  const std::lock_guard lock(mutex_);
  if (!written) {
    // Its fields were too many to be kept until the answer came, and cannot be taken back.
    if (record.has_fields) gap_ = "a hash with fields that expire was not written";
  } else if (!record.decoded) {
    gap_ = "a value that was written cannot be decoded: " + problem_;
  } else {
    windows_.add(windows_.window_of(record.term.gone_at_ms), record.term.digest);
  }
}

void WrittenDigest::on_field_term(const rdb::DigestTerm& term) {
  const std::lock_guard lock(mutex_);
  windows_.on_field_term(term);
  current_.has_fields = true;
}

}  // namespace sluice::engine
