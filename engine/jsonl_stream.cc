#include "engine/jsonl_stream.h"

#include <array>
#include <cstring>

#include "engine/json_text.h"
#include "engine/stream_id.h"

namespace sluice::engine {
namespace {

using rdb::Role;

void append_id(OutputBuffer& out, rdb::StreamId id) {
  char* to = out.room(stream_id_text_max + 2);
  *to++ = '"';
  to = write_stream_id(to, id);
  *to++ = '"';
  out.advance(to);
}

}  // namespace

JsonlStream::JsonlStream(OutputBuffer& out, const ScratchLimits& limits)
    : out_(out),
      groups_(limits.spool_bytes),
      group_out_(OutputBuffer::room_max,
                 [this](std::span<const std::byte> bytes) {
                   groups_.append(bytes);
                   return true;
                 }),
      order_(limits),
      group_(limits) {}

void JsonlStream::begin() {
  groups_.clear();
  order_.clear();
  has_entry_ = false;
  has_group_ = false;
  in_entries_ = true;
  out_.append(R"({"entries":[)");
}

void JsonlStream::begin_entry(rdb::StreamId id) {
  out_.append(has_entry_ ? "]],[" : "[");
  has_entry_ = true;
  append_id(out_, id);
  out_.append(",[");
}

void JsonlStream::end_entries() {
  if (!in_entries_) return;
  in_entries_ = false;
  out_.append(has_entry_ ? "]]]" : "]");
}

void JsonlStream::add_id(const char* name, rdb::StreamId id) {
  out_.append(name);
  append_id(out_, id);
}

void JsonlStream::on_group_text(Role role, const rdb::Text& text) {
  if (role == Role::group) {
    if (text.first) {
      end_group();
      has_group_ = true;
      group_.clear();
    }
    order_.key(text);
  }
  group_.on_text(role, text);
}

void JsonlStream::on_number(Role role, std::uint64_t number) {
  if (role == Role::stream_length) {
    end_entries();
    out_.append(R"(,"length":)");
    out_.append_number(number);
  } else if (role == Role::entries_added) {
    out_.append(R"(,"entries_added":)");
    out_.append_number(number);
  } else {
    group_.on_number(role, number);
  }
}

void JsonlStream::on_stream_id(Role role, rdb::StreamId id) {
  switch (role) {
    case Role::entry: return begin_entry(id);
    case Role::last_id: return add_id(R"(,"last_id":)", id);
    case Role::max_deleted_id: return add_id(R"(,"max_deleted_id":)", id);
    default: group_.on_stream_id(role, id);
  }
}

void JsonlStream::end_group() {
  if (!has_group_) return;
  has_group_ = false;
  group_.sort();
  group_out_.flush();
  const std::uint64_t offset = groups_.size();
  write_group();
  group_out_.flush();
  const std::array<std::uint64_t, 2> where{offset, groups_.size() - offset};
  const auto bytes = std::as_bytes(std::span(where));
  order_.value({.bytes = bytes, .size = bytes.size()});
  order_.end();
}

void JsonlStream::write_group() {
  OutputBuffer& out = group_out_;
  out.append(R"({"name":)");
  append_json_text(out, group_.texts(), group_.name().offset, group_.name().size);
  out.append(R"(,"last_id":)");
  append_id(out, group_.last_id());
  out.append(R"(,"entries_read":)");
  const auto read = static_cast<std::int64_t>(group_.entries_read());
  read < 0 ? out.append("null") : out.append_number(read);
  out.append(R"(,"pending":[)");
  bool more = false;
  for (ConsumerGroup::Pending pending; group_.next_pending(pending); more = true) {
    out.append(more ? ",[" : "[");
    append_id(out, pending.id);
    out.append(',');
    if (pending.consumer) {
      append_json_text(out, group_.texts(), pending.consumer->offset, pending.consumer->size);
    } else {
      out.append("null");
    }
    out.append(',');
    out.append_number(static_cast<std::int64_t>(pending.delivery_time));
    out.append(',');
    out.append_number(pending.delivery_count);
    out.append(']');
  }
  out.append(R"(],"consumers":[)");
  more = false;
  for (ConsumerGroup::Consumer consumer; group_.next_consumer(consumer); more = true) {
    out.append(more ? R"(,{"name":)" : R"({"name":)");
    append_json_text(out, group_.texts(), consumer.name.offset, consumer.name.size);
    out.append(R"(,"seen_time":)");
    out.append_number(static_cast<std::int64_t>(consumer.seen_time));
    out.append(R"(,"active_time":)");
    out.append_number(static_cast<std::int64_t>(consumer.active_time));
    out.append('}');
  }
  out.append("]}");
}

void JsonlStream::write_groups() {
  out_.append(R"(,"groups":[)");
  order_.sort();
  bool more = false;
  for (ScratchSorter::Record record; order_.next(record); more = true) {
    std::array<std::uint64_t, 2> where;
    std::memcpy(where.data(), record.value.bytes.data(), sizeof where);
    if (more) out_.append(',');
    groups_.for_each_piece(where[0], where[1], [&](auto piece) {
      out_.append(piece);
      return true;
    });
  }
  out_.append(']');
}

void JsonlStream::end() {
  end_entries();
  end_group();
  write_groups();
  out_.append('}');
}

std::optional<Error> JsonlStream::error() const {
  for (const auto* error : {&groups_.error(), &order_.error(), &group_.error()}) {
    if (*error) return *error;
  }
  return std::nullopt;
}

}  // namespace sluice::engine
