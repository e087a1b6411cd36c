#include "corpus_reader.h"

#include "recorder.h"

namespace sluice::rdb::testing {

StreamReading::StreamReading(ReadOptions options)
    : reader_(values_, options), sink_(*this), parser_(sink_) {}

void StreamReading::feed(std::string_view piece) {
  const auto taken = parser_.feed(bytes(piece));
  if (!taken) frame_error = taken.error();
  if (taken) bytes_left = piece.size() - *taken;
}

void StreamReading::finish(std::uint64_t left) {
  bytes_left += left;
  if (const auto finished = parser_.finish(); !finished && !frame_error) {
    frame_error = finished.error();
  }
}

void StreamReading::judge(const Result<void>& read) {
  if (read || refused_) return;
  refused_ = true;
  value_errors.push_back(read.error());
}

bool StreamReading::Sink::on_header(const Header& header) {
  owner_.header_ = header;
  return owner_.frame_.on_header(header);
}
bool StreamReading::Sink::on_aux(std::span<const std::byte> key, std::span<const std::byte> value) {
  return owner_.frame_.on_aux(key, value);
}
bool StreamReading::Sink::on_database(std::uint64_t db) { return owner_.frame_.on_database(db); }
bool StreamReading::Sink::on_database_size(std::uint64_t keys, std::uint64_t expires) {
  return owner_.frame_.on_database_size(keys, expires);
}
bool StreamReading::Sink::on_function(std::span<const std::byte> source) {
  return owner_.frame_.on_function(source);
}
bool StreamReading::Sink::on_module_aux(std::uint64_t module_id, std::uint64_t when) {
  return owner_.frame_.on_module_aux(module_id, when);
}
bool StreamReading::Sink::on_record_begin(const RecordHeader& record) {
  owner_.refused_ = false;
  owner_.values_.end();
  return owner_.frame_.on_record_begin(record);
}
std::size_t StreamReading::Sink::take_value(const RecordHeader& record,
                                            std::span<const std::byte> bytes) {
  const std::size_t taken = owner_.reader_.begin_with(record, owner_.header_, bytes);
  owner_.done_ = taken > 0;
  owner_.ahead_ = taken == 0 && !bytes.empty();
  return taken;
}
bool StreamReading::Sink::on_value_part(std::span<const std::byte> part) {
  const auto unread = owner_.ahead_ ? std::span<const std::byte>() : part;
  owner_.ahead_ = false;
  if (!owner_.refused_) owner_.judge(owner_.reader_.feed(unread));
  return true;  // the bytes of values are judged by what they mean
}
bool StreamReading::Sink::on_record_end(std::uint64_t offset) {
  if (!owner_.done_) owner_.judge(owner_.reader_.end());
  owner_.values_.end();
  owner_.value_digests.push_back(owner_.values_.digest);
  return owner_.frame_.on_record_end(offset);
}
bool StreamReading::Sink::on_end(const Trailer& trailer) {
  owner_.checksum_ok_ = trailer.checksum == Trailer::Checksum::ok;
  return true;  // the CRC64 says nothing of the meaning
}

}  // namespace sluice::rdb::testing
