#include "engine/record_diff.h"

#include <algorithm>

#include "engine/type_name.h"

namespace sluice::engine {
namespace {

/// Whether the bytes of the values are the same; false may be wrong.
bool same_bytes(const Record& a, const Record& b, bool same_repository) {
  if (a.type != b.type || a.fragmented != b.fragmented) return false;
  if (!a.fragmented) return std::ranges::equal(a.value, b.value);
  if (!same_repository) return false;
  // What stands before the pieces depends on the expiry.
  constexpr std::size_t head = fragment_list_head_bytes;
  if (a.value.size() < head || b.value.size() < head) return false;
  return std::ranges::equal(a.value.subspan(head), b.value.subspan(head));
}

}  // namespace

std::span<const std::byte> RecordView::key_of(const Record& record) const noexcept {
  if (context_.by_slot && record.key.size() < RunContext::slot_bytes) return {};
  return context_.key_of(record);
}

const rdb::ValueType* RecordView::type_of(const Record& record) const noexcept {
  return rdb::find_value_type(context_.header.dialect, record.type);
}

Result<std::string> RecordView::type_name(const Record& record) {
  const rdb::ValueType* const type = type_of(record);
  if (type == nullptr) return "type " + std::to_string(record.type);
  auto value = record.value;
  if (record.fragmented && type->logical == rdb::LogicalType::module) {
    if (auto list = read_fragment_list(record.value, "a long value", list_); !list)
      return std::unexpected(list.error());
    const auto piece = chunks_.read(map_, list_.fragments.front(), record.key);
    if (!piece) return std::unexpected(piece.error());
    value = *piece;
  }
  return std::string(engine::type_name(type->logical, value));
}

Result<std::uint64_t> RecordView::value_bytes(const Record& record) {
  if (!record.fragmented) return record.value.size();
  if (auto list = read_fragment_list(record.value, "a long value", list_); !list)
    return std::unexpected(list.error());
  return list_.value_bytes();
}

std::optional<std::int64_t> RecordView::expiry(const Record& record) noexcept {
  constexpr std::int64_t never = -1;
  return record.expire_at_ms == never ? std::nullopt : record.expire_at_ms;
}

Result<std::optional<rdb::Digest128>> RecordView::terms(std::uint64_t db, const Record& record) {
  if (!record.fragmented) return digest(db, record, expiry(record));
  if (auto list = read_fragment_list(record.value, "a long value", list_); !list)
    return std::unexpected(list.error());
  return list_.terms;
}

Result<std::optional<rdb::Digest128>> RecordView::value_terms(std::uint64_t db,
                                                              const Record& record) {
  return expiry(record) ? digest(db, record, std::nullopt) : terms(db, record);
}

Result<std::optional<rdb::Digest128>> RecordView::digest(std::uint64_t db, const Record& record,
                                                         std::optional<std::int64_t> expire_at_ms) {
  const rdb::ValueType* const type = type_of(record);
  if (type == nullptr) return std::nullopt;
  digest_.begin({.index = 0,
                 .offset = 0,
                 .db = db,
                 .type = type,
                 .value_offset = 0,
                 .key = key_of(record),
                 .expire_at_ms = expire_at_ms,
                 .lru_idle_s = {},
                 .lfu_freq = {},
                 .key_meta = record.meta},
                context_.header);
  if (!record.fragmented) {
    digest_.add(record.value);
    return digest_.end_record();
  }
  if (auto list = read_fragment_list(record.value, "a long value", list_); !list)
    return std::unexpected(list.error());
  for (const Fragment& fragment : list_.fragments) {
    const auto piece = chunks_.read(map_, fragment, record.key);
    if (!piece) return std::unexpected(piece.error());
    digest_.add(*piece);
  }
  return digest_.end_record();
}

Result<RecordChange> compare_records(std::uint64_t db, RecordView& view_a, const Record& a,
                                     RecordView& view_b, const Record& b, bool same_repository) {
  RecordChange change{.ttl = RecordView::expiry(a) != RecordView::expiry(b)};
  const rdb::ValueType* const type_a = view_a.type_of(a);
  const rdb::ValueType* const type_b = view_b.type_of(b);
  const bool known = type_a != nullptr && type_b != nullptr;
  if (known && type_a->logical != type_b->logical) {
    change.type = change.value = true;
    return change;
  }
  if (view_a.dialect() == view_b.dialect() && same_bytes(a, b, same_repository)) return change;
  // With one expiry the terms of long values are at hand.
  const bool whole = !change.ttl;
  const auto terms_a = whole ? view_a.terms(db, a) : view_a.value_terms(db, a);
  if (!terms_a) return std::unexpected(terms_a.error());
  const auto terms_b = whole ? view_b.terms(db, b) : view_b.value_terms(db, b);
  if (!terms_b) return std::unexpected(terms_b.error());
  change.value = !*terms_a || !*terms_b || **terms_a != **terms_b;
  return change;
}

}  // namespace sluice::engine
