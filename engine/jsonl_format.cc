#include "engine/jsonl_format.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "engine/errors.h"
#include "engine/type_name.h"

namespace sluice::engine {
namespace {

using rdb::LogicalType;

void append_score(OutputBuffer& out, double score) {
  out.append('"');
  out.append_number(score);
  out.append('"');
}

}  // namespace

JsonlFormat::JsonlFormat(OutputBuffer& out, Shape shape, const ScratchLimits& limits)
    : out_(out),
      shape_(shape),
      sorter_(limits),
      direct_(out, limits.spool_bytes),
      stream_(out, limits),
      base64_(out) {}

void JsonlFormat::begin_line(const rdb::RecordHeader& record, std::string_view type) {
  if (shape_ == Shape::value) return;
  out_.append(R"({"db":)");
  out_.append_number(record.db);
  out_.append(R"(,"key":)");
  append_json_text(out_, record.key);
  out_.append(R"(,"type":")");
  out_.append(type);
  out_.append('"');
  if (record.expire_at_ms) {
    out_.append(R"(,"pexpireat":)");
    out_.append_number(*record.expire_at_ms);
  }
  out_.append(R"(,"value":)");
}

ExportFormat::Want JsonlFormat::begin(const rdb::RecordHeader& record) {
  type_ = record.type->logical;
  if (type_ == LogicalType::module) {
    auto payload = rdb::DumpPayload::begin(record);
    if (!payload) {
      error_ = from_rdb(payload.error(), "export");
      return Want::nothing;
    }
    payload_ = std::move(*payload);
    module_id_size_ = 0;
    key_.assign(record.key.begin(), record.key.end());
    waiting_ = record;
    waiting_->key = key_;
    return Want::bytes;
  }
  begin_line(record, rdb::to_string(type_));
  begin_value(type_);
  return Want::events;
}

void JsonlFormat::begin_value(LogicalType type) {
  has_element_ = false;
  open_record_ = false;
  open_elements_ = false;
  switch (type) {
    case LogicalType::string: break;
    case LogicalType::list: out_.append('['); break;
    case LogicalType::set:
    case LogicalType::hash: sorter_.clear(); break;
    case LogicalType::zset: sorter_.clear(ScratchSorter::Order::score); break;
    case LogicalType::stream: stream_.begin(); break;
    case LogicalType::array: out_.append('{'); break;
    case LogicalType::module: break;
  }
}

void JsonlFormat::begin_opaque() {
  const auto id = std::span(module_id_).first(module_id_size_);
  begin_line(*waiting_, type_name(LogicalType::module, id));
  waiting_.reset();
  out_.append(R"({"$opaque":")");
  base64_.append(payload_->head());
  base64_.append(id);
}

void JsonlFormat::on_bytes(std::span<const std::byte> part) {
  payload_->add(part);
  if (waiting_) {
    const auto size = std::min(part.size(), module_id_.size() - module_id_size_);
    std::ranges::copy(part.first(size), module_id_.begin() + static_cast<int>(module_id_size_));
    module_id_size_ += size;
    part = part.subspan(size);
    if (module_id_size_ < module_id_.size()) return;
    begin_opaque();
  }
  base64_.append(part);
}

void JsonlFormat::separate() {
  if (has_element_) out_.append(',');
  has_element_ = true;
}

void JsonlFormat::end_record() {
  if (open_record_) sorter_.end();
  open_record_ = false;
}

bool JsonlFormat::on_text(rdb::Role role, const rdb::Text& text) {
  switch (role) {
    case rdb::Role::element:
    case rdb::Role::entry_value:
      if (text.first) separate();
      [[fallthrough]];
    case rdb::Role::string:
    case rdb::Role::array_text: direct_.add(text); break;
    case rdb::Role::entry_field:
      if (text.first) separate();
      direct_.add(text);
      break;
    case rdb::Role::member:
      sorter_.key(text);
      if (text.last && type_ == LogicalType::set) sorter_.end();
      break;
    case rdb::Role::field:
      if (text.first) end_record();
      open_record_ = true;
      sorter_.key(text);
      break;
    case rdb::Role::value: sorter_.value(text); break;
    case rdb::Role::group:
    case rdb::Role::consumer: stream_.on_group_text(role, text); break;
    default: break;  // what producers gave to entries is not part of the form
  }
  return out_.ok();
}

bool JsonlFormat::on_number(rdb::Role role, std::uint64_t number) {
  switch (role) {
    case rdb::Role::field_expiry: sorter_.number(number); break;
    case rdb::Role::array_insert_index:
      out_.append(R"("insert_index":)");
      out_.append_number(number);
      out_.append(',');
      break;
    case rdb::Role::array_index:
      if (!open_elements_) out_.append(R"("elements":[)");
      if (open_elements_) out_.append("],");
      open_elements_ = true;
      out_.append('[');
      out_.append_number(number);
      out_.append(',');
      break;
    case rdb::Role::array_integer:
      out_.append('"');
      out_.append_number(static_cast<std::int64_t>(number));
      out_.append('"');
      break;
    default: stream_.on_number(role, number);
  }
  return out_.ok();
}

bool JsonlFormat::on_real(rdb::Role role, double real) {
  if (role == rdb::Role::score) {
    sorter_.number(std::bit_cast<std::uint64_t>(real));
    sorter_.end();
  } else if (role == rdb::Role::array_real) {
    append_score(out_, real);
  }
  return out_.ok();
}

bool JsonlFormat::on_stream_id(rdb::Role role, rdb::StreamId id) {
  if (role == rdb::Role::entry) has_element_ = false;
  stream_.on_stream_id(role, id);
  return out_.ok();
}

void JsonlFormat::write_field(const ScratchSorter::Field& field) {
  if (field.is_long) {
    append_json_text(out_, sorter_.texts(), field.offset, field.size);
  } else {
    append_json_text(out_, field.bytes);
  }
}

void JsonlFormat::write_sorted() {
  sorter_.sort();
  out_.append('[');
  for (ScratchSorter::Record record; sorter_.next(record);) {
    separate();
    if (type_ != LogicalType::set) out_.append('[');
    write_field(record.key);
    if (type_ == LogicalType::zset) {
      out_.append(',');
      append_score(out_, std::bit_cast<double>(record.number.value_or(0)));
    } else if (type_ == LogicalType::hash) {
      out_.append(',');
      write_field(record.value);
      if (record.number) {
        out_.append(',');
        out_.append_number(static_cast<std::int64_t>(*record.number));
      }
    }
    if (type_ != LogicalType::set) out_.append(']');
  }
  out_.append(']');
}

void JsonlFormat::end_value() {
  switch (type_) {
    case LogicalType::string: break;
    case LogicalType::list: out_.append(']'); break;
    case LogicalType::hash: end_record(); [[fallthrough]];
    case LogicalType::set:
    case LogicalType::zset: write_sorted(); break;
    case LogicalType::stream: stream_.end(); break;
    case LogicalType::array: out_.append(open_elements_ ? "]]}" : R"("elements":[]})"); break;
    case LogicalType::module:
      if (waiting_) begin_opaque();
      base64_.append(payload_->footer());
      base64_.finish();
      out_.append(R"("})");
      break;
  }
}

void JsonlFormat::end(std::uint64_t /*value_bytes*/) {
  end_value();
  out_.append(shape_ == Shape::line ? "}\n" : "\n");
}

std::optional<Error> JsonlFormat::error() const {
  if (error_) return error_;
  if (sorter_.error()) return sorter_.error();
  if (direct_.error()) return direct_.error();
  return type_ == LogicalType::stream ? stream_.error() : std::nullopt;  // there are many to ask
}

}  // namespace sluice::engine
