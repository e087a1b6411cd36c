#include "logical_log.h"

#include <algorithm>
#include <bit>

#include "rdb/parser.h"
#include "recorder.h"

namespace sluice::rdb::testing {
namespace {

std::string copy(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

class LogicalReader final : public Handler, public ValueHandler {
 public:
  explicit LogicalReader(Logical& out) : out_(out), reader_(*this) {}

  bool on_header(const Header& header) override {
    header_ = header;
    return true;
  }
  bool on_aux(std::span<const std::byte> key, std::span<const std::byte> value) override {
    out_.aux.emplace_back(copy(key), copy(value));
    return true;
  }
  bool on_function(std::span<const std::byte> source) override {
    out_.functions.push_back(copy(source));
    return true;
  }
  bool on_record_begin(const RecordHeader& record) override {
    key_ = &out_.keys[{record.db, copy(record.key)}];
    *key_ = {.type = record.type,
             .expire_at_ms = record.expire_at_ms,
             .lru_idle_s = record.lru_idle_s,
             .lfu_freq = record.lfu_freq,
             .key_meta = copy(record.key_meta),
             .elements = {}};
    reader_.begin(record, header_);
    return true;
  }
  bool on_value_part(std::span<const std::byte> part) override { return judge(reader_.feed(part)); }
  bool on_record_end(std::uint64_t) override {
    const auto logical = key_->type->logical;
    const bool has_order = logical == LogicalType::list || logical == LogicalType::stream;
    if (!judge(reader_.end())) return false;
    if (!has_order) std::ranges::sort(key_->elements);
    return true;
  }

  bool on_text(Role role, const Text& text) override {
    if (text.first) piece(role, {});
    key_->elements.back().back().text += copy(text.bytes);
    return true;
  }
  bool on_number(Role role, std::uint64_t number) override {
    return piece(role, std::to_string(std::bit_cast<std::int64_t>(number)));
  }
  bool on_real(Role role, double value) override {
    return piece(role, std::to_string(std::bit_cast<std::uint64_t>(value)));
  }
  bool on_stream_id(Role role, StreamId id) override {
    return piece(role, std::to_string(id.ms) + '-' + std::to_string(id.seq));
  }

 private:
  bool piece(Role role, std::string text) {
    const bool belongs = role == Role::value || role == Role::field_expiry || role == Role::score;
    if (!belongs || key_->elements.empty()) key_->elements.emplace_back();
    key_->elements.back().push_back({role, std::move(text)});
    return true;
  }
  bool judge(const Result<void>& read) {
    if (!read) out_.error = read.error();
    return read.has_value();
  }

  Logical& out_;
  ValueReader reader_;
  Header header_;
  LogicalKey* key_ = nullptr;
};

}  // namespace

Logical read_logical(std::string_view stream) {
  Logical logical;
  LogicalReader reader(logical);
  Parser parser(reader);
  const auto taken = parser.feed(bytes(stream));
  if (!taken && !logical.error) logical.error = taken.error();
  if (taken) {
    if (const auto finished = parser.finish(); !finished) logical.error = finished.error();
  }
  return logical;
}

}  // namespace sluice::rdb::testing
