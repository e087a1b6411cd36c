#include "rdb/digest.h"

#include <algorithm>
#include <bit>
#include <new>
#include <span>

#include "rdb/digest_node.h"
#include "rdb/token_reader.h"

namespace sluice::rdb {
namespace {

constexpr std::string_view version_mark = "s1:";

// Kinds of array elements. An integer is a text: which one a server keeps is its own affair.
constexpr std::uint64_t array_kind_text = 0;
constexpr std::uint64_t array_kind_real = 1;

/// -1 is what servers themselves take for "no expiry".
std::uint64_t expiry_word(std::int64_t expire_at_ms) noexcept {
  return static_cast<std::uint64_t>(expire_at_ms == DigestTerm::never ? -1 : expire_at_ms);
}

std::int64_t expiry_of(const RecordHeader& record) noexcept {
  const std::int64_t expire_at_ms = record.expire_at_ms.value_or(DigestTerm::never);
  return expire_at_ms == -1 ? DigestTerm::never : expire_at_ms;
}

Digest128 record_node(std::uint64_t db, LogicalType type, std::int64_t expire_at_ms,
                      const Digest128& key, const Digest128& value) noexcept {
  return hash_node(Node::record, db, static_cast<std::uint64_t>(type), expiry_word(expire_at_ms),
                   key.low, key.high, value.low, value.high);
}

std::uint64_t score_bits(double score) noexcept {
  return std::bit_cast<std::uint64_t>(score == 0 ? 0.0 : score);  // -0.0 is the same score
}

Digest128 hash_integer(std::uint64_t twos_complement) {
  const std::string text = std::to_string(static_cast<std::int64_t>(twos_complement));
  return hash_text(std::as_bytes(std::span(text)));
}

}  // namespace

std::string to_string(const Digest128& digest) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text(version_mark);
  for (const std::uint64_t word : {digest.high, digest.low}) {
    for (int shift = 60; shift >= 0; shift -= 4) text += digits[word >> shift & 0xf];
  }
  return text;
}

bool is_current_digest(std::string_view text) noexcept { return text.starts_with(version_mark); }

/// The hash of a text that comes in parts; the same as hash_text() of the whole.
class DatasetDigest::LongText {
 public:
  LongText() : state_(XXH3_createState()) {
    if (state_ == nullptr) throw std::bad_alloc();
  }
  LongText(const LongText&) = delete;
  LongText& operator=(const LongText&) = delete;
  ~LongText() { XXH3_freeState(state_); }

  void begin() noexcept { XXH3_128bits_reset(state_); }
  void add(std::span<const std::byte> part) noexcept {
    XXH3_128bits_update(state_, part.data(), part.size());
  }
  [[nodiscard]] Digest128 hash() const noexcept { return from_xxh(XXH3_128bits_digest(state_)); }

 private:
  XXH3_state_t* state_;
};

DatasetDigest::DatasetDigest(DigestTermHandler* terms) : terms_(terms) {}
DatasetDigest::~DatasetDigest() = default;

void DatasetDigest::begin(const RecordHeader& record) {
  record_ = {};
  record_.db = record.db;
  record_.type = record.type->logical;
  record_.key = hash_text(record.key);
  record_.expire_at_ms = expiry_of(record);
  if (record_.type == LogicalType::stream) stream_ = {};
  if (record_.type == LogicalType::module) module_ = {};
}

bool DatasetDigest::on_text(Role role, const Text& text) {
  if (text.first && text.last) {
    on_whole_text(role, hash_text(text.bytes));
    return true;
  }
  if (!long_text_) long_text_ = std::make_unique<LongText>();
  if (text.first) long_text_->begin();
  long_text_->add(text.bytes);
  if (text.last) on_whole_text(role, long_text_->hash());
  return true;
}

void DatasetDigest::on_whole_text(Role role, const Digest128& hash) {
  switch (record_.type) {
    case LogicalType::string: record_.sum = hash; return;
    case LogicalType::list:
      record_.sum += hash_node(Node::list_element, record_.index++, hash.low, hash.high);
      return;
    case LogicalType::set: record_.sum += hash_node(Node::set_member, hash.low, hash.high); return;
    case LogicalType::zset: record_.member = hash; return;
    case LogicalType::hash:
      if (role == Role::value) {
        record_.field.value = hash;
        return;
      }
      end_field();
      record_.field = {.open = true, .name = hash, .value = {}, .expire_at_ms = DigestTerm::never};
      return;
    case LogicalType::stream: stream_.on_text(role, hash); return;
    case LogicalType::module: module_.on_item(ModuleDigest::Kind::text, hash); return;
    case LogicalType::array: add_array_element(array_kind_text, hash); return;
  }
}

bool DatasetDigest::on_number(Role role, std::uint64_t number) {
  if (record_.type == LogicalType::stream) {
    stream_.on_number(role, number);
  } else if (role == Role::field_expiry) {
    record_.field.expire_at_ms = static_cast<std::int64_t>(number);
  } else if (role == Role::array_insert_index) {
    record_.has_insert_index = true;
    record_.insert_index = number;
  } else if (role == Role::array_index) {
    record_.index = number;
  } else if (role == Role::array_integer) {
    add_array_element(array_kind_text, hash_integer(number));
  } else if (role == Role::module_id) {
    module_.on_id(number);
  } else if (role == Role::module_signed || role == Role::module_unsigned) {
    module_.on_item(ModuleDigest::Kind::number, {.low = number, .high = 0});
  }
  return true;
}

bool DatasetDigest::on_real(Role role, double number) {
  const Digest128 bits{.low = std::bit_cast<std::uint64_t>(number), .high = 0};
  if (role == Role::score) {
    record_.sum +=
        hash_node(Node::zset_member, record_.member.low, record_.member.high, score_bits(number));
  } else if (role == Role::array_real) {
    add_array_element(array_kind_real, bits);
  } else if (role == Role::module_float) {
    module_.on_item(ModuleDigest::Kind::f32, bits);
  } else if (role == Role::module_double) {
    module_.on_item(ModuleDigest::Kind::f64, bits);
  }
  return true;
}

bool DatasetDigest::on_stream_id(Role role, StreamId id) {
  stream_.on_id(role, id);
  return true;
}

void DatasetDigest::add_array_element(std::uint64_t kind, const Digest128& value) {
  record_.sum += hash_node(Node::array_element, record_.index, kind, value.low, value.high);
}

// A field with an expiry is a term of its own, since it can go while its key stays.
void DatasetDigest::end_field() {
  const Field& field = record_.field;
  if (!field.open) return;
  if (field.expire_at_ms == DigestTerm::never) {
    record_.has_lasting_field = true;
    record_.sum += hash_node(Node::hash_field, field.name.low, field.name.high, field.value.low,
                             field.value.high);
    return;
  }
  const DigestTerm term{
      .digest = hash_node(Node::expiring_field, record_.db, record_.key.low, record_.key.high,
                          field.name.low, field.name.high, field.value.low, field.value.high,
                          expiry_word(field.expire_at_ms)),
      .gone_at_ms = std::min(record_.expire_at_ms, field.expire_at_ms)};
  record_.last_field_gone_at_ms = std::max(record_.last_field_gone_at_ms, field.expire_at_ms);
  total_ += term.digest;
  if (terms_ != nullptr) terms_->on_field_term(term);
}

Digest128 DatasetDigest::value_digest() {
  switch (record_.type) {
    case LogicalType::string:
    case LogicalType::list:
    case LogicalType::set:
    case LogicalType::zset: break;
    case LogicalType::hash: end_field(); break;
    case LogicalType::stream: return stream_.end();
    case LogicalType::module: return module_.end();
    case LogicalType::array:
      return hash_node(Node::array, record_.sum.low, record_.sum.high,
                       std::uint64_t{record_.has_insert_index}, record_.insert_index);
  }
  return record_.sum;
}

// A hash goes with the last of its fields.
std::int64_t DatasetDigest::gone_at_ms() const noexcept {
  const bool fields_all_go = record_.field.open && !record_.has_lasting_field;
  return fields_all_go ? std::min(record_.expire_at_ms, record_.last_field_gone_at_ms)
                       : record_.expire_at_ms;
}

void DatasetDigest::end() {
  const Digest128 value = value_digest();
  const DigestTerm term{
      .digest = record_node(record_.db, record_.type, record_.expire_at_ms, record_.key, value),
      .gone_at_ms = gone_at_ms()};
  total_ += term.digest;
  ++keys_;
  if (terms_ != nullptr) terms_->on_record_term(term);
}

std::optional<Digest128> term_of_raw_string(const RecordHeader& record,
                                            std::span<const std::byte> value) noexcept {
  if (record.type->logical != LogicalType::string) return std::nullopt;
  StringHead head;
  const std::byte* const end = value.data() + value.size();
  const bool is_raw = read_string_head(value.data(), end, head) && head.form == StringForm::raw &&
                      head.stored_bytes == value.size() - head.head_bytes;
  if (!is_raw) return std::nullopt;
  return record_node(record.db, LogicalType::string, expiry_of(record), hash_text(record.key),
                     hash_text(value.subspan(head.head_bytes)));
}

}  // namespace sluice::rdb
