#include "engine/written_digest.h"

#include <cassert>

namespace sluice::engine {

void WrittenDigest::begin(const rdb::RecordHeader& record, const rdb::Header& header) {
  current_ = {};
  reader_.begin(record, header);
}

void WrittenDigest::sent() {
  current_.decoded = reader_.end();
  sent_.push_back(current_);
  current_ = {};
}

void WrittenDigest::not_sent() { take_back(current_); }

void WrittenDigest::answered(bool written) {
  assert(!sent_.empty());
  const Sent& record = sent_.front();
  if (!written) {
    take_back(record);
  } else if (!record.decoded) {
    gap_ = "a value that was written cannot be decoded: " + reader_.first_problem();
  } else {
    windows_.add(windows_.window_of(record.term.gone_at_ms), record.term.digest);
  }
  sent_.pop_front();
}

void WrittenDigest::on_field_term(const rdb::DigestTerm& term) {
  windows_.on_field_term(term);
  current_.has_fields = true;
}

// Its fields were too many to be kept until the answer came, and cannot be taken back.
void WrittenDigest::take_back(const Sent& record) {
  if (record.has_fields) gap_ = "a hash with fields that expire was not written";
}

}  // namespace sluice::engine
