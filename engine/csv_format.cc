#include "engine/csv_format.h"

#include <limits>
#include <string>

#include "rdb/escape.h"

namespace sluice::engine {
namespace {

using rdb::LogicalType;
using rdb::Role;

/// A field in quotes when it needs them.
void append_field(OutputBuffer& out, const std::string& text) {
  if (!text.empty() && text.find_first_of("\",") == std::string::npos) {
    out.append(text);
    return;
  }
  out.append('"');
  for (const char letter : text) {
    if (letter == '"') out.append('"');
    out.append(letter);
  }
  out.append('"');
}

template <class Number>
void append_optional(OutputBuffer& out, const std::optional<Number>& number) {
  out.append(',');
  if (number) out.append_number(*number);
}

}  // namespace

CsvFormat::CsvFormat(OutputBuffer& out) : out_(out) {
  out_.append("db,key,type,encoding,pexpireat,idle_s,freq,elements,value_bytes\n");
}

ExportFormat::Want CsvFormat::begin(const rdb::RecordHeader& record) {
  out_.append_number(record.db);
  out_.append(',');
  append_field(out_, rdb::escape(record.key, std::numeric_limits<std::size_t>::max()));
  out_.append(',');
  out_.append(rdb::to_string(record.type->logical));
  out_.append(',');
  out_.append(record.type->name);
  append_optional(out_, record.expire_at_ms);
  append_optional(out_, record.lru_idle_s);
  append_optional(out_, record.lfu_freq ? std::optional<unsigned>(*record.lfu_freq) : std::nullopt);
  const LogicalType type = record.type->logical;
  counted_ = type != LogicalType::string && type != LogicalType::module;
  elements_ = 0;
  return counted_ ? Want::events : Want::nothing;
}

bool CsvFormat::on_text(Role /*role*/, const rdb::Text& text) {
  if (text.first) ++elements_;
  return true;
}

bool CsvFormat::on_number(Role role, std::uint64_t number) {
  if (role == Role::stream_length) elements_ = number;
  if (role == Role::array_index) ++elements_;
  return true;
}

void CsvFormat::end(std::uint64_t value_bytes) {
  out_.append(',');
  if (counted_) out_.append_number(elements_);
  out_.append(',');
  out_.append_number(value_bytes);
  out_.append('\n');
}

}  // namespace sluice::engine
