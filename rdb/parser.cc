// Parser, part 3: feeding, and the states between records. Tokens are in token_reader.cc, value
// programs in parser_program.cc.

#include "rdb/parser.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstring>
#include <string_view>
#include <utility>

#include "rdb/crc64.h"
#include "rdb/escape.h"
#include "rdb/refusal.h"

namespace sluice::rdb {
namespace {

std::string_view as_text(std::span<const std::byte> bytes) noexcept {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::string hex(std::uint64_t value) {
  std::array<char, 16> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value, 16).ptr;
  const auto size = static_cast<std::size_t>(end - digits.data());
  return std::string(16 - size, '0') + std::string(digits.data(), size);
}

bool is_metadata(OpcodeKind kind) noexcept {
  return kind == OpcodeKind::aux || kind == OpcodeKind::function || kind == OpcodeKind::module_aux;
}

}  // namespace

Result<std::size_t> Parser::feed(std::span<const std::byte> input) {
  if (state_ == State::failed) return std::unexpected(error_);
  tokens_.open(input);
  crc_from_ = part_from_ = input.data();

  Step stepped = Step::ok;
  while (stepped == Step::ok && state_ != State::done) stepped = step();
  if (stepped == Step::more) stepped = flush_part();
  if (stepped == Step::fail) {
    if (state_ != State::failed) fail(tokens_.code(), tokens_.take_detail());
    return std::unexpected(error_);
  }
  if (!crc_closed_) crc_ = crc64(crc_, {crc_from_, tokens_.at()});
  keep_key_head();
  return tokens_.close();
}

Result<void> Parser::finish() {
  if (state_ == State::failed) return std::unexpected(error_);
  if (state_ == State::done) return {};
  if (state_ == State::refused_key) {
    fail_with_refusal();
    return std::unexpected(error_);
  }
  tokens_.set_token_offset(tokens_.here());
  fail(Errc::truncated, state_ == State::value ? "inside a value" : "before the end of the stream");
  return std::unexpected(error_);
}

Step Parser::step() {
  switch (state_) {
    case State::header: return step_header();
    case State::opcode: return step_opcode();
    case State::fields: return step_fields();
    case State::skim: return step_skim();
    case State::key: return step_key();
    case State::value: return step_value();
    case State::refused_key: return step_refused_key();
    case State::footer: return step_footer();
    case State::done:
    case State::failed: break;
  }
  std::unreachable();  // feed() does not step a finished parser
}

// REDISnnnn or VALKEYnnn; Valkey's own numbers start at 80.
Step Parser::step_header() {
  std::span<const std::byte> token;
  if (const Step taken = tokens_.take_bytes(9, token); taken != Step::ok) return taken;
  const std::string_view text = as_text(token);
  const bool valkey = text.starts_with("VALKEY");
  if (!valkey && !text.starts_with("REDIS")) {
    return fail(Errc::bad_magic, refuse_magic(token));
  }
  const std::string_view digits = text.substr(valkey ? 6 : 5);
  unsigned version = 0;
  const auto [end, ec] = std::from_chars(digits.data(), digits.data() + digits.size(), version);
  if (ec != std::errc() || end != digits.data() + digits.size()) {
    return fail(Errc::bad_magic, "version is not a number: \"" + escape(token) + '"');
  }
  header_ = {.dialect = valkey ? Dialect::valkey : Dialect::redis, .version = version};
  if (version == 0 || (valkey && version < 80)) {
    return fail(Errc::unsupported_version, std::string(text));
  }
  tokens_.set_version(version);
  state_ = State::opcode;
  return told(handler_.on_header(header_));
}

Step Parser::step_opcode() {
  std::uint8_t number = 0;
  if (const Step taken = tokens_.take_byte(number); taken != Step::ok) return taken;
  if (is_taken_by_fork(header_, writer_, number)) return refuse(number);
  if (const ValueType* type = find_value_type(header_.dialect, number)) return begin_record(*type);
  if (const Opcode* opcode = find_opcode(header_.dialect, number)) return begin_opcode(*opcode);
  return refuse(number);
}

Step Parser::begin_opcode(const Opcode& opcode) {
  opcode_ = &opcode;
  field_ = 0;
  text_ = 0;
  for (auto& text : texts_) empty(text);
  if (opcode.before_key && !has_prefix_) {
    has_prefix_ = true;
    pending_.offset = tokens_.token_offset();
  }
  if (opcode.kind == OpcodeKind::key_meta) {
    if (!key_meta_.empty()) return fail(Errc::bad_value, "second KEY_META before one key");
    key_meta_.push_back(std::byte{opcode.number});
    key_meta_offset_ = tokens_.token_offset();
    sink_ = Sink::key_meta;
    part_from_ = tokens_.at();
  }
  state_ = State::fields;
  return is_metadata(opcode.kind) ? begin_metadata(opcode) : Step::ok;
}

// The opcode byte may have been in the window before this one, so it is told apart.
Step Parser::begin_metadata(const Opcode& opcode) {
  sink_ = Sink::metadata;
  part_from_ = tokens_.at();
  const std::array number{std::byte{opcode.number}};
  return told(handler_.on_metadata_part(number));
}

Step Parser::begin_record(const ValueType& type) {
  if (!has_prefix_) pending_.offset = tokens_.token_offset();
  pending_.type = &type;
  state_ = State::key;
  return step_key();
}

Step Parser::step_fields() {
  for (; field_ < opcode_->fields.size() && opcode_->fields[field_] != Field::none; ++field_) {
    const Step taken = take_field(opcode_->fields[field_], numbers_[field_]);
    if (taken != Step::ok) return taken;
  }
  if (opcode_->rest.ops[0] == Op::end) return end_opcode();
  if (opcode_->kind == OpcodeKind::module_aux) {
    if (const Step checked = check_module_aux(); checked != Step::ok) return checked;
  }
  begin_program(opcode_->rest);
  state_ = State::skim;
  return Step::ok;
}

Step Parser::take_field(Field field, std::uint64_t& number) {
  std::span<const std::byte> token;
  Step taken = Step::ok;
  switch (field) {
    case Field::none: return Step::ok;
    case Field::number: return tokens_.take_len(number);
    case Field::text: return take_text_field();
    case Field::byte: {
      std::uint8_t byte = 0;
      taken = tokens_.take_byte(byte);
      number = byte;
      return taken;
    }
    case Field::bytes4: {
      std::int32_t value = 0;
      taken = tokens_.take_bytes(sizeof value, token);
      if (taken == Step::ok) std::memcpy(&value, token.data(), sizeof value);
      number = static_cast<std::uint64_t>(std::int64_t{value});
      return taken;
    }
    case Field::bytes8:
      taken = tokens_.take_bytes(sizeof number, token);
      if (taken == Step::ok) std::memcpy(&number, token.data(), sizeof number);
      return taken;
  }
  std::unreachable();
}

Step Parser::take_text_field() {
  std::span<const std::byte> text;
  const Step taken = tokens_.take_text(text, limits_.metadata_bytes_max);
  if (taken == Step::ok) texts_[text_++].assign(text.begin(), text.end());
  return taken;
}

// `when` is written as a module's unsigned number, whose opcode is 2.
Step Parser::check_module_aux() {
  const std::uint64_t when_opcode = numbers_[1];
  const std::uint64_t when = numbers_[2];
  if (when_opcode == 2 && (when == 1 || when == 2)) return Step::ok;
  return fail(Errc::bad_value, "module aux with opcode " + std::to_string(when_opcode) +
                                   " and position " + std::to_string(when));
}

Step Parser::step_skim() {
  const Step ran = run_program();
  // First what is too long, then what is wrong in it: the verdict must not depend on the cut.
  if (sink_ == Sink::key_meta && tokens_.here() - key_meta_offset_ > limits_.metadata_bytes_max) {
    tokens_.set_token_offset(key_meta_offset_);
    return fail(Errc::too_long,
                "KEY_META above " + std::to_string(limits_.metadata_bytes_max) + " bytes");
  }
  return ran == Step::ok ? end_opcode() : ran;
}

Step Parser::end_opcode() {
  if (const Step flushed = flush_part(); flushed != Step::ok) return flushed;
  sink_ = Sink::none;
  state_ = State::opcode;
  return emit_opcode();
}

Step Parser::emit_opcode() {
  switch (opcode_->kind) {
    case OpcodeKind::select_db: return emit_select_db();
    case OpcodeKind::expire_s:
      pending_.expire_at_ms = std::bit_cast<std::int64_t>(numbers_[0]) * 1000;
      return Step::ok;
    case OpcodeKind::expire_ms:
      pending_.expire_at_ms = std::bit_cast<std::int64_t>(numbers_[0]);
      return Step::ok;
    case OpcodeKind::resize_db: return told(handler_.on_database_size(numbers_[0], numbers_[1]));
    case OpcodeKind::aux: return emit_aux();
    case OpcodeKind::freq:
      pending_.lfu_freq = static_cast<std::uint8_t>(numbers_[0]);
      return Step::ok;
    case OpcodeKind::idle: pending_.lru_idle_s = numbers_[0]; return Step::ok;
    case OpcodeKind::module_aux: return told(handler_.on_module_aux(numbers_[0], numbers_[2]));
    case OpcodeKind::function: return told(handler_.on_function(texts_[0]));
    case OpcodeKind::eof:
      if (has_prefix_) return fail(Errc::bad_value, "stream ends between an expiry and its key");
      crc_ = crc64(crc_, {crc_from_, tokens_.at()});
      crc_closed_ = true;
      state_ = State::footer;
      return header_.version < 5 ? end_stream(0) : Step::ok;
    case OpcodeKind::slot_info:
    case OpcodeKind::key_meta:
    case OpcodeKind::slot_import: return Step::ok;
  }
  std::unreachable();
}

Step Parser::emit_select_db() {
  if (numbers_[0] > limits_.db_index_max) {
    return fail(Errc::bad_value, "DB index " + std::to_string(numbers_[0]) + ", at most " +
                                     std::to_string(limits_.db_index_max) + " is accepted");
  }
  db_ = numbers_[0];
  return told(handler_.on_database(db_));
}

Step Parser::emit_aux() {
  const std::string_view name = as_text(texts_[0]);
  if (name == "keydb-subexpire-key") {
    return fail(Errc::unsupported_dialect,
                "the aux field keydb-subexpire-key says that KeyDB has an expiry for member \"" +
                    escape(texts_[1], key_head_.size()) +
                    "\" of the key before it, which would be lost; save without such expiries");
  }
  const std::string_view writer = writer_of_aux(name);
  if (!writer.empty() && header_.dialect == Dialect::redis) writer_ = writer;
  return told(handler_.on_aux(texts_[0], texts_[1]));
}

Step Parser::step_key() {
  const Step taken = tokens_.take_text(key_, limits_.key_bytes_max);
  if (taken != Step::ok) return taken;
  key_is_cut_ = false;
  in_record_ = true;

  pending_.index = records_;
  pending_.db = db_;
  pending_.key = key_;
  pending_.key_meta = key_meta_;
  pending_.value_offset = tokens_.here();
  if (!handler_.on_record_begin(pending_)) return fail(Errc::stopped);
  const std::size_t read = handler_.take_value(pending_, {tokens_.at(), tokens_.end()});
  if (read > 0) {
    tokens_.move_to(tokens_.at() + read);
    return end_record();
  }
  begin_program(pending_.type->program);
  sink_ = Sink::value;
  part_from_ = tokens_.at();
  state_ = State::value;
  return step_value();
}

Step Parser::step_value() {
  if (const Step ran = run_program(); ran != Step::ok) return ran;
  if (const Step flushed = flush_part(); flushed != Step::ok) return flushed;
  sink_ = Sink::none;
  return end_record();
}

Step Parser::end_record() {
  in_record_ = false;
  if (has_prefix_) {
    has_prefix_ = false;
    pending_ = {};
    empty(key_meta_);
  }
  ++records_;
  state_ = State::opcode;
  return told(handler_.on_record_end(tokens_.here()));
}

// The key of a record that goes on in the next window is needed for error messages only.
void Parser::keep_key_head() noexcept {
  if (!in_record_ || key_.data() == key_head_.data()) return;
  key_is_cut_ = key_.size() > key_head_.size();
  const auto head = key_.first(std::min(key_.size(), key_head_.size()));
  std::ranges::copy(head, key_head_.begin());
  key_ = std::span(key_head_).first(head.size());
}

Step Parser::step_footer() {
  std::span<const std::byte> token;
  if (const Step taken = tokens_.take_bytes(8, token); taken != Step::ok) return taken;
  std::uint64_t stored = 0;
  std::memcpy(&stored, token.data(), sizeof stored);
  return end_stream(stored);
}

Step Parser::end_stream(std::uint64_t stored) {
  if (stored != 0 && stored != crc_) {
    return fail(Errc::checksum_mismatch,
                "the stream says " + hex(stored) + ", its bytes give " + hex(crc_));
  }
  state_ = State::done;
  return told(handler_.on_end({
      .checksum = stored == 0 ? Trailer::Checksum::absent : Trailer::Checksum::ok,
      .crc64 = crc_,
      .bytes = tokens_.here(),
      .records = records_,
  }));
}

// Hands on, or keeps, what of the current construct lies in the window up to here.
Step Parser::flush_part() {
  const std::span<const std::byte> part(part_from_, tokens_.at());
  part_from_ = tokens_.at();
  if (sink_ == Sink::none || part.empty()) return Step::ok;
  if (sink_ == Sink::value) return told(handler_.on_value_part(part));
  if (sink_ == Sink::metadata) return told(handler_.on_metadata_part(part));
  key_meta_.insert(key_meta_.end(), part.begin(), part.end());
  return Step::ok;
}

Step Parser::told(bool go_on) { return go_on ? Step::ok : fail(Errc::stopped); }

Step Parser::fail(Errc code, std::string detail) {
  state_ = State::failed;
  error_ = {.code = code,
            .offset = tokens_.token_offset(),
            .record = records_,
            .db = db_,
            .key = {},
            .detail = std::move(detail)};
  if (in_record_) {
    error_.key = escape(key_, key_head_.size());
    if (key_is_cut_) error_.key += "...";
  }
  return Step::fail;
}

}  // namespace sluice::rdb
