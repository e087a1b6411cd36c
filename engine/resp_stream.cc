#include "engine/resp_stream.h"

#include "engine/stream_id.h"

namespace sluice::engine {
namespace {

using rdb::Role;
using rdb::StreamId;

constexpr std::uint8_t type_of_old_streams = 15;     // stream_listpacks, up to 6.2
constexpr std::string_view passing_name = "sluice";  // of a group or consumer that does not stay

OutputBuffer::Drain into(Spool& spool) {
  return [&spool](std::span<const std::byte> bytes) {
    spool.append(bytes);
    return true;
  };
}

}  // namespace

RespStream::RespStream(CommandText& commands, const ScratchLimits& limits,
                       std::optional<bool> for_older)
    : commands_(commands),
      entries_(limits.spool_bytes),
      entry_out_(OutputBuffer::room_max, into(entries_)),
      entry_args_(entry_out_),
      index_(limits.spool_bytes / 4),
      groups_(limits.spool_bytes),
      group_out_(OutputBuffer::room_max, into(groups_)),
      group_commands_(group_out_),
      group_(limits),
      pending_ids_(limits),
      gone_(limits.spool_bytes / 4),
      for_older_(for_older) {}

void RespStream::begin(CommandText& to, std::uint64_t argc, std::string_view verb,
                       std::string_view subverb, std::span<const std::byte> key) {
  to.begin(argc);
  to.arg(verb);
  if (!subverb.empty()) to.arg(subverb);
  to.arg(key);
}

void RespStream::begin(std::span<const std::byte> key, const rdb::ValueType& type) {
  entry_out_.flush();
  group_out_.flush();
  for (Spool* spool : {&entries_, &index_, &groups_, &gone_}) spool->clear();
  pending_ids_.clear();
  key_ = key;
  is_old_ = for_older_.value_or(type.number == type_of_old_streams);
  entries_from_ = entry_out_.size();
  has_entry_ = false;
  has_group_ = false;
  last_id_ = {};
  max_deleted_id_ = {};
  entries_added_ = 0;
  first_live_.reset();
}

void RespStream::on_text(Role role, const rdb::Text& text) {
  if (role == Role::entry_field || role == Role::entry_value) {
    entry_args_.arg_text(text);
    if (text.last) ++entry_.argc;
    return;
  }
  if (role == Role::group && text.first) {
    end_group();
    group_.clear();
    has_group_ = true;
  }
  group_.on_text(role, text);
}

void RespStream::on_number(Role role, std::uint64_t number) {
  if (role == Role::stream_length) {
    end_entry();
  } else if (role == Role::entries_added) {
    entries_added_ = number;
  } else {
    group_.on_number(role, number);
  }
}

void RespStream::on_stream_id(Role role, StreamId id) {
  if (role == Role::entry) {
    end_entry();
    entry_ = {.id = id, .argc = 0, .offset = entry_out_.size() - entries_from_, .size = 0};
    has_entry_ = true;
    if (!first_live_) first_live_ = id;
  } else if (role == Role::last_id) {
    last_id_ = id;
  } else if (role == Role::max_deleted_id) {
    max_deleted_id_ = id;
  } else {
    group_.on_stream_id(role, id);
  }
}

void RespStream::end_entry() {
  if (!has_entry_) return;
  has_entry_ = false;
  entry_.size = entry_out_.size() - entries_from_ - entry_.offset;
  index_.append_raw(entry_);
}

void RespStream::end_group() {
  if (!has_group_) return;
  has_group_ = false;
  group_.sort();
  write_group();
}

void RespStream::write_group() {
  CommandText& to = group_commands_;
  const auto name = [&] { to.arg_kept(group_.texts(), group_.name().offset, group_.name().size); };
  const auto read = static_cast<std::int64_t>(group_.entries_read());
  const bool says_read = !is_old_ && read >= 0;
  begin(to, says_read ? 7 : 5, "XGROUP", "CREATE", key_);
  name();
  to.arg_id(group_.last_id());
  if (says_read) {
    to.arg("ENTRIESREAD");
    to.arg_number(read);
  }
  for (ConsumerGroup::Consumer consumer; group_.next_consumer(consumer);) {
    if (is_old_) {
      // CREATECONSUMER came with 6.2; a look into a consumer's empty history makes it, too.
      to.begin(9);
      to.arg("XREADGROUP");
      to.arg("GROUP");
      name();
      to.arg_kept(group_.texts(), consumer.name.offset, consumer.name.size);
      for (const std::string_view word : {"COUNT", "1", "STREAMS"}) to.arg(word);
      to.arg(key_);
      to.arg("0");
    } else {
      begin(to, 5, "XGROUP", "CREATECONSUMER", key_);
      name();
      to.arg_kept(group_.texts(), consumer.name.offset, consumer.name.size);
    }
  }
  for (ConsumerGroup::Pending pending; group_.next_pending(pending);) write_claim(pending);
}

void RespStream::write_claim(const ConsumerGroup::Pending& pending) {
  const auto id = stream_id_key(pending.id);
  pending_ids_.key({.bytes = id, .size = id.size()});
  pending_ids_.end();

  CommandText& to = group_commands_;
  const auto name = [&] { to.arg_kept(group_.texts(), group_.name().offset, group_.name().size); };
  begin(to, 12, "XCLAIM", {}, key_);
  name();
  if (pending.consumer) {
    to.arg_kept(group_.texts(), pending.consumer->offset, pending.consumer->size);
  } else {
    to.arg(passing_name);
  }
  to.arg("0");
  to.arg_id(pending.id);
  to.arg("TIME");
  to.arg_number(static_cast<std::int64_t>(pending.delivery_time));
  to.arg("RETRYCOUNT");
  to.arg_number(pending.delivery_count);
  to.arg("JUSTID");
  to.arg("FORCE");
  if (pending.consumer) return;
  // Given back by its consumer (Redis 8.8); by the description of the command, not tried.
  begin(to, 10, "XNACK", {}, key_);
  name();
  for (const std::string_view word : {"FAIL", "IDS", "1"}) to.arg(word);
  to.arg_id(pending.id);
  to.arg("RETRYCOUNT");
  to.arg_number(pending.delivery_count);
  to.arg("FORCE");
  begin(to, 5, "XGROUP", "DELCONSUMER", key_);
  name();
  to.arg(passing_name);
}

void RespStream::write_entry(const EntryAt& entry) {
  begin(commands_, 3 + entry.argc, "XADD", {}, key_);
  commands_.arg_id(entry.id);
  entries_.for_each_piece(entry.offset, entry.size, [&](auto piece) {
    commands_.out().append(piece);
    return true;
  });
}

void RespStream::write_placeholder(StreamId id) {
  begin(commands_, 5, "XADD", {}, key_);
  commands_.arg_id(id);
  commands_.arg("gone");
  commands_.arg("");
  gone_.append_raw(id);
}

void RespStream::write_entries() {
  pending_ids_.sort();
  std::optional<StreamId> pending;
  const auto next_pending = [&] {
    pending.reset();
    ScratchSorter::Record record;
    if (pending_ids_.next(record)) pending = rdb::stream_id_of(record.key.bytes);
  };
  std::optional<StreamId> last;
  const auto fill_up_to = [&](std::optional<StreamId> id) {
    for (; pending && (!id || *pending < *id); next_pending()) {
      if (last && *pending <= *last) continue;  // of more than one group, or live
      write_placeholder(*pending);
      last = pending;
    }
  };
  next_pending();
  for (std::uint64_t at = 0; at < index_.size(); at += sizeof(EntryAt)) {
    const auto entry = index_.read_raw<EntryAt>(at);
    fill_up_to(entry.id);
    write_entry(entry);
    last = entry.id;
  }
  fill_up_to(std::nullopt);
  if (last) return;
  begin(commands_, 6, "XGROUP", "CREATE", key_);
  for (const std::string_view word :
       {passing_name, std::string_view("$"), std::string_view("MKSTREAM")}) {
    commands_.arg(word);
  }
  begin(commands_, 4, "XGROUP", "DESTROY", key_);
  commands_.arg(passing_name);
}

void RespStream::remove_placeholders() {
  bool trimmed = false;
  for (std::uint64_t at = 0; at < gone_.size(); at += sizeof(StreamId)) {
    const auto id = gone_.read_raw<StreamId>(at);
    // XDEL counts as a deletion, a trim does not; entries that were not deleted were trimmed, and
    // that goes from the front.
    if (!is_old_ && (!first_live_ || id < *first_live_)) {
      if (trimmed) continue;
      trimmed = true;
      begin(commands_, 4, "XTRIM", {}, key_);
      commands_.arg(first_live_ ? "MINID" : "MAXLEN");
      if (first_live_) commands_.arg_id(*first_live_);
      if (!first_live_) commands_.arg("0");
      continue;
    }
    begin(commands_, 3, "XDEL", {}, key_);
    commands_.arg_id(id);
  }
}

void RespStream::write_last_id() {
  if (last_id_ == StreamId{}) return;  // nothing was ever added
  begin(commands_, is_old_ ? 3 : 7, "XSETID", {}, key_);
  commands_.arg_id(last_id_);
  if (is_old_) return;
  commands_.arg("ENTRIESADDED");
  commands_.arg_number(entries_added_);
  commands_.arg("MAXDELETEDID");
  commands_.arg_id(max_deleted_id_);
}

void RespStream::end() {
  end_entry();
  end_group();
  entry_out_.flush();
  group_out_.flush();
  write_entries();
  // Before the groups, since entries read are cut to what the stream says was added; and once more
  // when the placeholders are gone. It would be refused where fewer were added than are there now,
  // as streams have it that began on a server before 7.0.
  const std::uint64_t there = index_.size() / sizeof(EntryAt) + gone_.size() / sizeof(StreamId);
  if (gone_.size() == 0 || entries_added_ >= there) write_last_id();
  groups_.for_each_piece(0, groups_.size(), [&](auto piece) {
    commands_.out().append(piece);
    return true;
  });
  if (gone_.size() == 0) return;
  remove_placeholders();
  write_last_id();
}

std::optional<Error> RespStream::error() const {
  for (const auto* error : {&entries_.error(), &index_.error(), &groups_.error(), &group_.error(),
                            &pending_ids_.error(), &gone_.error()}) {
    if (*error) return *error;
  }
  return std::nullopt;
}

}  // namespace sluice::engine
