// ValueReader, part 1: running the program of a type. Strings are in value_reader_text.cc, streams
// in value_reader_stream.cc, arrays and modules in value_reader_module.cc.

#include "rdb/value_reader.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <utility>

#include "rdb/escape.h"
#include "rdb/value_reader_impl.h"

namespace sluice::rdb {
ValueReader::ValueReader(ValueHandler& handler, ReadOptions options)
    : impl_(std::make_unique<Impl>(handler, options)) {}
ValueReader::~ValueReader() = default;
void ValueReader::begin(const RecordHeader& record, const Header& header) {
  impl_->begin(record, header);
}
std::size_t ValueReader::begin_with(const RecordHeader& record, const Header& header,
                                    std::span<const std::byte> bytes) {
  return impl_->begin_with(record, header, bytes);
}
Result<void> ValueReader::feed(std::span<const std::byte> part) { return impl_->feed(part); }
Result<void> ValueReader::end() { return impl_->end(); }
std::uint64_t ValueReader::unchecked() const noexcept { return impl_->unchecked(); }

void ValueReader::Impl::begin(const RecordHeader& record, const Header& header) {
  restart(record, header);
  keep_key_head();
}

void ValueReader::Impl::restart(const RecordHeader& record, const Header& header) {
  type_ = record.type;
  index_ = record.index;
  db_ = record.db;
  key_ = record.key;
  key_is_cut_ = false;
  failed_ = false;
  tokens_.restart(record.value_offset, header.version);
  run_.begin(type_->program);
  sub_step_ = 0;
  module_state_ = ModuleState::opcode;
  in_string_ = false;
  elements_ = 0;
  counted_out_ = false;
  position_ = 0;
  expiry_.reset();
  min_expiry_ = 0;
  last_expiry_.reset();
  last_score_.reset();
  seen_.clear();
  if (type_->logical != LogicalType::stream) return;
  if (!stream_) stream_ = std::make_unique<StreamState>();
  stream_->begin();
  stream_->has_history = type_->since >= 10;
  stream_->has_active_time = type_->since >= 11;
}

// For error messages, once the key itself is no longer there. Keys are short: a call of memcpy()
// takes longer than copying them.
void ValueReader::Impl::keep_key_head() noexcept {
  key_is_cut_ = key_.size() > key_head_.size();
  const std::size_t size = std::min(key_.size(), key_head_.size());
  if (size < 8) {
    for (std::size_t i = 0; i < size; ++i) key_head_[i] = key_[i];
  } else {
    for (std::size_t at = 0; at < size - 8; at += 8) {
      std::memcpy(key_head_.data() + at, key_.data() + at, 8);
    }
    std::memcpy(key_head_.data() + size - 8, key_.data() + size - 8, 8);
  }
  key_ = std::span(key_head_).first(size);
}

std::size_t ValueReader::Impl::begin_with(const RecordHeader& record, const Header& header,
                                          std::span<const std::byte> bytes) {
  if (record.type->logical == LogicalType::string) {
    if (const std::size_t passed = pass_unwanted_string(bytes); passed > 0) return passed;
  }
  restart(record, header);
  tokens_.open(bytes);
  const Step ran = run();
  if (ran == Step::ok && end_value() == Step::ok) return tokens_.close();
  tokens_.close();
  keep_key_head();
  return 0;
}

Result<void> ValueReader::Impl::feed(std::span<const std::byte> part) {
  if (failed_) return std::unexpected(error_);
  tokens_.open(part);
  if (run() == Step::ok && tokens_.left() > 0) {
    tokens_.set_token_offset(tokens_.here());
    fail(Errc::bad_value, "bytes after its end");
  }
  tokens_.close();
  if (failed_) return std::unexpected(error_);
  return {};
}

Result<void> ValueReader::Impl::end() {
  if (!failed_ && run_.op() != Op::end) {
    tokens_.set_token_offset(tokens_.here());
    fail(Errc::truncated, "inside a value");
  }
  if (!failed_) end_value();
  if (failed_) return std::unexpected(error_);
  return {};
}

Step ValueReader::Impl::end_value() {
  unchecked_ += counted_out_ ? 1 : 0;
  if (!options_.strict || elements_ > 0) return Step::ok;
  switch (type_->logical) {
    case LogicalType::list:
    case LogicalType::set:
    case LogicalType::zset:
    case LogicalType::hash:
    case LogicalType::array:
      return fail(Errc::empty_value, "a " + std::string(to_string(type_->logical)) + " as " +
                                         std::string(type_->name) + " without elements");
    case LogicalType::string:
    case LogicalType::stream:
    case LogicalType::module: return Step::ok;
  }
  std::unreachable();
}

Step ValueReader::Impl::run() {
  while (true) {
    run_whole_tokens();
    if (failed_) return Step::fail;
    if (run_.op() == Op::end) return Step::ok;
    if (const Step ran = run_op(run_.op()); ran != Step::ok) {
      if (ran == Step::fail && !failed_) fail(tokens_.code(), tokens_.take_detail());
      return ran;
    }
  }
  return Step::ok;
}

Step ValueReader::Impl::run_op(Op op) {
  Step ran = Step::ok;
  const Part part = run_.part();
  switch (op) {
    case Op::loop: run_.enter_loop(); return Step::ok;
    case Op::next:
      if (part == Part::group_done) ran = end_group();
      if (ran == Step::ok) run_.end_round();
      return ran;
    case Op::count: ran = run_count(part); break;
    case Op::str: ran = run_string(part); break;
    case Op::len: ran = run_len(part); break;
    case Op::fixed4: ran = tokens_.skip(4); break;
    case Op::fixed8: ran = run_fixed8(part); break;
    case Op::fixed16: ran = run_fixed16(part); break;
    case Op::ascii_double: ran = run_ascii_double(); break;
    case Op::container: ran = run_container(); break;
    case Op::flagged_len: ran = run_flagged_len(); break;
    case Op::array_value: ran = run_array_value(); break;
    case Op::module_items: ran = run_module_items(); break;
    case Op::end: break;
  }
  if (ran == Step::ok) run_.next();
  return ran;
}

Step ValueReader::Impl::run_count(Part part) {
  std::uint64_t count = 0;
  if (const Step taken = tokens_.take_len(count); taken != Step::ok) return taken;
  run_.push_count(count);
  return part == Part::groups ? take_stream_head() : Step::ok;
}

Step ValueReader::Impl::run_len(Part part) {
  std::uint64_t number = 0;
  const Step taken = tokens_.take_len(number);
  return taken == Step::ok ? take_len(part, number) : taken;
}

Step ValueReader::Impl::take_len(Part part, std::uint64_t value) {
  switch (part) {
    case Part::expiry_before:
      expiry_.reset();
      if (value > expiry_max) return fail(Errc::bad_value, "a field expiry beyond 2^48 ms");
      if (value > 0) expiry_ = value;
      return Step::ok;
    case Part::relative_expiry: return take_relative_expiry(value);
    case Part::module: return number(Role::module_id, value);
    case Part::array_index: return take_array_index(value);
    default: return take_stream_len(part, value);
  }
}

Step ValueReader::Impl::take_relative_expiry(std::uint64_t value) {
  expiry_.reset();
  if (value == 0) return Step::ok;
  if (value > expiry_max || min_expiry_ + value - 1 > expiry_max) {
    return fail(Errc::bad_value, "a field expiry beyond 2^48 ms");
  }
  expiry_ = min_expiry_ + value - 1;
  return Step::ok;
}

Step ValueReader::Impl::run_fixed8(Part part) {
  std::span<const std::byte> token;
  if (const Step taken = tokens_.take_bytes(8, token); taken != Step::ok) return taken;
  const std::uint64_t bits = little_endian(token.data(), 8);
  switch (part) {
    case Part::score: return take_score(std::bit_cast<double>(bits));
    case Part::min_expiry:
      min_expiry_ = bits;
      if (bits > expiry_max + 1)
        return fail(Errc::bad_value, "a least field expiry beyond 2^48 ms");
      return Step::ok;
    case Part::expiry_after: {
      const auto expiry = std::bit_cast<std::int64_t>(bits);
      if (expiry == -1) return Step::ok;
      if (expiry < -1) return fail(Errc::bad_value, "a field expiry of " + std::to_string(expiry));
      return number(Role::field_expiry, bits);
    }
    default: return take_stream_time(part, bits);
  }
}

Step ValueReader::Impl::run_fixed16(Part part) {
  std::span<const std::byte> token;
  if (const Step taken = tokens_.take_bytes(16, token); taken != Step::ok) return taken;
  return take_stream_id(part, stream_id_of(token));
}

Step ValueReader::Impl::take_score(double score) {
  if (std::isnan(score)) return fail(Errc::bad_value, "a score that is not a number");
  return told(handler_.on_real(Role::score, score));
}

// 253, 254 and 255 stand for nan, +inf and -inf.
Step ValueReader::Impl::run_ascii_double() {
  if (sub_step_ == 0) {
    std::uint8_t size = 0;
    if (const Step taken = tokens_.take_byte(size); taken != Step::ok) return taken;
    if (size == 253) return take_score(std::numeric_limits<double>::quiet_NaN());
    if (size == 254) return take_score(std::numeric_limits<double>::infinity());
    if (size == 255) return take_score(-std::numeric_limits<double>::infinity());
    sub_tag_ = size;
    sub_step_ = 1;
    number_text_.size = 0;
  }
  number_text_.add(tokens_.take_part(sub_tag_));
  if (sub_tag_ > 0) return Step::more;
  sub_step_ = 0;
  const auto score = gathered_score();
  return score ? take_score(*score) : fail(Errc::bad_value, "a score that is not a number");
}

// What is too large for a double is infinite, what is too small is zero: as strtod() has it.
std::optional<double> ValueReader::Impl::gathered_score() const {
  const auto* const begin = reinterpret_cast<const char*>(number_text_.bytes.data());
  const char* const end = begin + number_text_.size;
  double score = 0;
  const auto [parsed, ec] = std::from_chars(begin, end, score);
  if (ec == std::errc::invalid_argument || parsed != end) return std::nullopt;
  if (ec == std::errc()) return score;
  return std::strtod(std::string(begin, end).c_str(), nullptr);
}

Step ValueReader::Impl::run_container() {
  std::uint64_t container = 0;
  if (const Step taken = tokens_.take_len(container); taken != Step::ok) return taken;
  packed_node_ = container == 2;
  if (container == 1 || container == 2) return Step::ok;
  return fail(Errc::bad_value, "quicklist node container " + std::to_string(container) +
                                   ", expected 1 (plain) or 2 (packed)");
}

Step ValueReader::Impl::number(Role role, std::uint64_t number) {
  return told(handler_.on_number(role, number));
}

Step ValueReader::Impl::told(bool go_on) { return go_on ? Step::ok : fail(Errc::stopped, {}); }

Step ValueReader::Impl::fail(Errc code, std::string detail) {
  failed_ = true;
  error_ = {.code = code,
            .offset = tokens_.token_offset(),
            .record = index_,
            .db = db_,
            .key = escape(key_, key_head_.size()),
            .detail = std::move(detail)};
  if (key_is_cut_) error_.key += "...";
  return Step::fail;
}

}  // namespace sluice::rdb
