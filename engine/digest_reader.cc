#include "engine/digest_reader.h"

namespace sluice::engine {

void DigestReader::begin(const rdb::RecordHeader& record, const rdb::Header& header) {
  decodable_ = true;
  sum_before_ = digest_.value();
  digest_.begin(record);
  reader_.begin(record, header);
}

void DigestReader::add(std::span<const std::byte> part) {
  if (!decodable_) return;
  if (const auto fed = reader_.feed(part); !fed) fail(fed.error());
}

bool DigestReader::end() {
  if (!decodable_) return false;
  if (const auto ended = reader_.end(); !ended) {
    fail(ended.error());
    return false;
  }
  digest_.end();
  return true;
}

std::optional<rdb::Digest128> DigestReader::end_record() {
  if (!end()) return std::nullopt;
  rdb::Digest128 terms = digest_.value();
  return terms -= sum_before_;
}

void DigestReader::fail(const rdb::Error& error) {
  decodable_ = false;
  ++undecodable_;
  if (first_problem_.empty()) first_problem_ = rdb::to_string(error);
}

std::optional<std::string> DigestReader::digest() const {
  if (undecodable_ > 0) return std::nullopt;
  return rdb::to_string(digest_.value());
}

}  // namespace sluice::engine
