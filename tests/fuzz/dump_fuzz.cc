// Property: the DUMP payload of a record carries a checksum that fits, and put back into a stream,
// with the key after the type byte, it gives the same record again.

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <span>
#include <string>

#include "rdb/crc64.h"
#include "rdb/dump.h"
#include "rdb/parser.h"

namespace {

using sluice::rdb::DumpPayload;
using sluice::rdb::Handler;
using sluice::rdb::Header;
using sluice::rdb::Parser;
using sluice::rdb::RecordHeader;

std::string text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::span<const std::byte> bytes(const std::string& text) { return std::as_bytes(std::span(text)); }

/// A record as it was parsed, its value in one piece.
struct Record {
  const sluice::rdb::ValueType* type = nullptr;
  std::string key;
  std::string key_meta;
  std::string value;

  friend bool operator==(const Record&, const Record&) = default;
};

class LastRecord final : public Handler {
 public:
  bool on_record_begin(const RecordHeader& header) override {
    record = {header.type, text(header.key), text(header.key_meta), {}};
    return true;
  }
  bool on_value_part(std::span<const std::byte> part) override {
    record.value += text(part);
    return true;
  }

  Record record;
};

void check_round_trip(const std::string& magic, const Record& record, const std::string& payload) {
  std::uint64_t stored = 0;
  std::memcpy(&stored, payload.data() + payload.size() - 8, sizeof stored);
  const auto covered = bytes(payload).first(payload.size() - 8);
  if (stored != sluice::rdb::crc64_by_table(0, covered)) std::abort();

  const std::size_t head = record.key_meta.size() + 1;
  std::string length("\x80\0\0\0\0", 5);  // the 32-bit form
  for (int i = 0; i < 4; ++i) {
    length[static_cast<std::size_t>(4 - i)] = static_cast<char>(record.key.size() >> (8 * i));
  }
  const std::string stream = magic + payload.substr(0, head) + length + record.key +
                             payload.substr(head, payload.size() - head - 10) + '\xff' +
                             std::string(8, '\0');
  LastRecord again;
  Parser parser(again);
  if (!parser.feed(bytes(stream)) || parser.records() != 1) std::abort();
  if (again.record != record) std::abort();
}

class Dumper final : public Handler {
 public:
  explicit Dumper(std::string magic) : magic_(std::move(magic)) {}

  bool on_record_begin(const RecordHeader& header) override {
    auto begun = DumpPayload::begin(header);
    if (!begun && header.type->in_dump) std::abort();
    payload_.reset();
    if (!begun) return true;
    payload_ = std::move(*begun);
    out_ = text(payload_->head());
    record_ = {header.type, text(header.key), text(header.key_meta), {}};
    return true;
  }
  bool on_value_part(std::span<const std::byte> part) override {
    if (!payload_) return true;
    payload_->add(part);
    out_ += text(part);
    record_.value += text(part);
    return true;
  }
  bool on_record_end(std::uint64_t) override {
    if (!payload_) return true;
    out_ += text(payload_->footer());
    if (out_.size() != payload_->size(record_.value.size())) std::abort();
    check_round_trip(magic_, record_, out_);
    return true;
  }

 private:
  std::string magic_;
  std::optional<DumpPayload> payload_;
  std::string out_;
  Record record_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto input = std::as_bytes(std::span(data, size));
  if (size < 9) return 0;
  Dumper dumper(text(input.first(9)));
  Parser parser(dumper);
  for (std::size_t from = 0; from < size && !parser.done(); from += 50) {
    if (!parser.feed(input.subspan(from, std::min<std::size_t>(50, size - from)))) return 0;
  }
  return 0;
}
