#include "engine/resp_format.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "engine/errors.h"

namespace sluice::engine {
namespace {

using rdb::LogicalType;

constexpr std::uint64_t string_chunk_bytes = 1 << 20;  // of SET and APPEND
constexpr std::uint64_t batch_max = ArgumentBatch::bytes_max;

std::string_view verb_of(LogicalType type) {
  switch (type) {
    case LogicalType::string: return "SET";
    case LogicalType::list: return "RPUSH";
    case LogicalType::set: return "SADD";
    case LogicalType::zset: return "ZADD";
    case LogicalType::hash: return "HSET";
    case LogicalType::stream: return "XADD";
    case LogicalType::module: return "RESTORE";
    case LogicalType::array: return "ARSET";
  }
  return {};
}

}  // namespace

void ArgumentBatch::text(const rdb::Text& part) {
  if (part.first) {
    std::array<char, 24> size;
    char* const end = std::to_chars(size.data(), size.data() + size.size(), part.size).ptr;
    bytes_ += '$';
    bytes_.append(size.data(), end);
    bytes_ += "\r\n";
  }
  bytes_.append(reinterpret_cast<const char*>(part.bytes.data()), part.bytes.size());
  if (!part.last) return;
  bytes_ += "\r\n";
  ++count_;
}

RespFormat::RespFormat(OutputBuffer& out, const Options& options)
    : out_(out),
      selects_(options.selects),
      target_(options.target),
      commands_(out),
      stream_(commands_, options.limits, options.for_older),
      head_(options.limits.spool_bytes),
      expiries_(options.limits.spool_bytes),
      expiry_out_(OutputBuffer::room_max,
                  [this](std::span<const std::byte> bytes) {
                    expiries_.append(bytes);
                    return true;
                  }),
      expiry_commands_(expiry_out_),
      payload_bytes_(options.limits.spool_bytes) {}

void RespFormat::begin_command(std::uint64_t argc, std::string_view verb) {
  commands_.begin(argc);
  commands_.arg(verb);
  commands_.arg(key_);
}

void RespFormat::on_function(std::span<const std::byte> source) {
  commands_.begin(4);
  for (const std::string_view word : {"FUNCTION", "LOAD", "REPLACE"}) commands_.arg(word);
  commands_.arg(source);
}

ExportFormat::Want RespFormat::begin(const rdb::RecordHeader& record) {
  if (selects_ && db_ != record.db) {
    db_ = record.db;
    commands_.begin(2);
    commands_.arg("SELECT");
    commands_.arg_number(*db_);
  }
  key_.assign(record.key.begin(), record.key.end());
  type_ = record.type->logical;
  verb_ = verb_of(type_);
  expire_at_ms_ = record.expire_at_ms;
  array_insert_index_.reset();
  if (type_ == LogicalType::stream) stream_.begin(key_, *record.type);
  if (type_ != LogicalType::module) return Want::events;

  auto payload = rdb::DumpPayload::begin(record);
  if (!payload) {
    error_ = from_rdb(payload.error(), "export");
    return Want::nothing;
  }
  payload_ = std::move(*payload);
  payload_bytes_.clear();
  payload_bytes_.append(payload_->head());
  return Want::bytes;
}

void RespFormat::on_bytes(std::span<const std::byte> part) {
  payload_->add(part);
  payload_bytes_.append(part);
}

/// A string goes in parts, an element as one argument.
bool RespFormat::fits(rdb::Role role, std::uint64_t size) {
  if (!target_) return true;
  const bool is_string = role == rdb::Role::string;
  const TargetLimits limits = is_string ? target_->for_parts() : *target_;
  if (size <= limits.argument_bytes_max()) return true;
  error_ = Error{.stage = Stage::engine,
                 .code = "text_too_long",
                 .message = fmt::format("{} of {} bytes, the target accepts {}: {}",
                                        is_string ? "a string" : "an element", size,
                                        limits.argument_bytes_max(), limits.remedy(size))};
  return false;
}

bool RespFormat::on_text(rdb::Role role, const rdb::Text& text) {
  if (text.first && !fits(role, text.size)) return false;
  switch (role) {
    case rdb::Role::string: add_string(text); break;
    case rdb::Role::element: add_element(text); break;
    case rdb::Role::member:
      if (type_ == LogicalType::set) {
        add_element(text);
        break;
      }
      [[fallthrough]];
    case rdb::Role::field:
      if (text.first) head_.clear();
      head_.append(text.bytes);
      break;
    case rdb::Role::value: add_value(text); break;
    case rdb::Role::array_text: add_array_text(text); break;
    case rdb::Role::entry_field:
    case rdb::Role::entry_value:
    case rdb::Role::group:
    case rdb::Role::consumer: stream_.on_text(role, text); break;
    default: break;  // producers: see RespStream
  }
  return out_.ok();
}

bool RespFormat::on_number(rdb::Role role, std::uint64_t number) {
  if (role == rdb::Role::field_expiry) {
    add_field_expiry(number);
  } else if (role == rdb::Role::array_index) {
    array_index_ = number;
  } else if (role == rdb::Role::array_insert_index) {
    array_insert_index_ = number;
  } else if (role == rdb::Role::array_integer) {
    begin_command(4, verb_);
    commands_.arg_number(array_index_);
    commands_.arg_number(static_cast<std::int64_t>(number));
  } else {
    stream_.on_number(role, number);
  }
  return out_.ok();
}

bool RespFormat::on_real(rdb::Role role, double real) {
  if (role == rdb::Role::score) {
    add_score(real);
  } else if (role == rdb::Role::array_real) {
    begin_command(4, verb_);
    commands_.arg_number(array_index_);
    commands_.arg_real(real);
  }
  return out_.ok();
}

bool RespFormat::on_stream_id(rdb::Role role, rdb::StreamId id) {
  stream_.on_stream_id(role, id);
  return out_.ok();
}

/// Writes what is gathered.
void RespFormat::flush() {
  if (batch_.count() > 0) {
    begin_command(2 + batch_.count(), verb_);
    out_.append(batch_.bytes());
    batch_.clear();
  }
  expiry_out_.flush();
  if (expiries_.size() == 0) return;
  expiries_.for_each_piece(0, expiries_.size(), [&](auto piece) {
    out_.append(piece);
    return true;
  });
  expiries_.clear();
}

/// A long string is set in parts: a server takes 512 MiB at once at most, and more bytes at once
/// are a burden to it long before.
void RespFormat::add_string(const rdb::Text& text) {
  if (text.size <= string_chunk_bytes) {
    if (text.first) begin_command(3, "SET");
    commands_.arg_text(text);
    return;
  }
  if (text.first) string_left_ = text.size;
  for (auto bytes = text.bytes; !bytes.empty();) {
    if (chunk_left_ == 0) {
      begin_command(3, string_left_ == text.size ? "SET" : "APPEND");
      chunk_left_ = std::min(string_left_, string_chunk_bytes);
      commands_.begin_arg(chunk_left_);
    }
    const auto size = std::min<std::uint64_t>(bytes.size(), chunk_left_);
    commands_.arg_part(bytes.first(static_cast<std::size_t>(size)));
    bytes = bytes.subspan(static_cast<std::size_t>(size));
    string_left_ -= size;
    chunk_left_ -= size;
    if (chunk_left_ == 0) commands_.end_arg();
  }
}

void RespFormat::add_element(const rdb::Text& text) {
  if (text.size > batch_max) {
    if (text.first) {
      flush();
      begin_command(3, verb_);
    }
    commands_.arg_text(text);
    return;
  }
  if (text.first && batch_.full()) flush();
  batch_.text(text);
}

void RespFormat::add_value(const rdb::Text& text) {
  if (text.size > batch_max || head_.size() > batch_max) {
    if (text.first) {
      flush();
      begin_command(4, verb_);
      commands_.arg_kept(head_, 0, head_.size());
    }
    commands_.arg_text(text);
    return;
  }
  if (text.first) {
    if (batch_.full()) flush();
    batch_.arg(head_.piece(0, head_.size()));
  }
  batch_.text(text);
}

void RespFormat::add_score(double score) {
  if (head_.size() > batch_max) {
    flush();
    begin_command(4, verb_);
    commands_.arg_real(score);
    commands_.arg_kept(head_, 0, head_.size());
    return;
  }
  if (batch_.full()) flush();
  std::array<char, 32> text;
  const char* const end = std::to_chars(text.data(), text.data() + text.size(), score).ptr;
  batch_.arg(std::as_bytes(std::span(text.data(), static_cast<std::size_t>(end - text.data()))));
  batch_.arg(head_.piece(0, head_.size()));
}

void RespFormat::add_field_expiry(std::uint64_t at_ms) {
  CommandText& to = expiry_commands_;
  to.begin(6);
  to.arg("HPEXPIREAT");
  to.arg(key_);
  to.arg_number(static_cast<std::int64_t>(at_ms));
  to.arg("FIELDS");
  to.arg("1");
  to.arg_kept(head_, 0, head_.size());
}

/// By the description of the command (Redis 8.8), not tried.
void RespFormat::add_array_text(const rdb::Text& text) {
  if (text.first) {
    begin_command(4, verb_);
    commands_.arg_number(array_index_);
  }
  commands_.arg_text(text);
}

void RespFormat::restore() {
  payload_bytes_.append(payload_->footer());
  begin_command(expire_at_ms_ ? 5 : 4, "RESTORE");
  commands_.arg_number(expire_at_ms_.value_or(0));
  commands_.arg_kept(payload_bytes_, 0, payload_bytes_.size());
  if (expire_at_ms_) commands_.arg("ABSTTL");
}

void RespFormat::end(std::uint64_t /*value_bytes*/) {
  if (type_ == LogicalType::module) return restore();
  if (type_ == LogicalType::stream) stream_.end();
  flush();
  if (array_insert_index_) {
    begin_command(3, "ARSEEK");
    commands_.arg_number(*array_insert_index_ + 1);
  }
  if (expire_at_ms_) {
    begin_command(3, "PEXPIREAT");
    commands_.arg_number(*expire_at_ms_);
  }
}

std::optional<Error> RespFormat::error() const {
  if (error_) return error_;
  for (const Spool* spool : {&head_, &expiries_, &payload_bytes_}) {
    if (spool->error()) return spool->error();
  }
  return type_ == LogicalType::stream ? stream_.error() : std::nullopt;  // there are many to ask
}

}  // namespace sluice::engine
