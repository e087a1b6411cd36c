#include "engine/restore_ledger.h"

#include <utility>

#include "rdb/escape.h"

namespace sluice::engine {
namespace {

constexpr unsigned number_shift = 8;
constexpr std::string_view busy = "BUSYKEY";

}  // namespace

std::uint64_t CommandTag::pack() const noexcept {
  return static_cast<std::uint64_t>(kind) | number << number_shift;
}

CommandTag CommandTag::unpack(std::uint64_t tag) noexcept {
  return {.kind = static_cast<Kind>(tag & 0xff), .number = tag >> number_shift};
}

void RestoreLedger::count_read(rdb::LogicalType type) {
  const std::lock_guard lock(mutex_);
  ++of(type).read;
}

void RestoreLedger::count_filtered(rdb::LogicalType type) {
  const std::lock_guard lock(mutex_);
  ++of(type).filtered;
}

void RestoreLedger::count_expired(rdb::LogicalType type) {
  const std::lock_guard lock(mutex_);
  ++of(type).expired;
}

void RestoreLedger::count_failed(rdb::LogicalType type, std::uint64_t db,
                                 std::span<const std::byte> key, std::string_view why) {
  const std::lock_guard lock(mutex_);
  ++of(type).failed;
  add_failure(db, rdb::escape(key), why);
}

void RestoreLedger::count_function_failed(std::span<const std::byte> name, std::string_view why) {
  const std::lock_guard lock(mutex_);
  ++functions_failed_;
  add_failure(0, "function library " + rdb::escape(name), why);
}

std::uint64_t RestoreLedger::begin_key(rdb::LogicalType type, std::uint64_t db) {
  const std::lock_guard lock(mutex_);
  const std::uint64_t number = first_key_ + keys_.size();
  OnItsWay& key = keys_.emplace_back();
  key.type = type;
  key.db = db;
  return CommandTag{.kind = CommandTag::Kind::key, .number = number}.pack();
}

void RestoreLedger::end_key(std::uint64_t tag, std::uint64_t commands,
                            std::span<const std::byte> key, const WrittenDigest::Sent& sent) {
  const std::lock_guard lock(mutex_);
  OnItsWay& ended = at(CommandTag::unpack(tag).number);
  ended.commands = commands;
  ended.sent = sent;
  if (ended.answers == commands) settle(ended, key);
}

void RestoreLedger::break_key(std::uint64_t tag, std::uint64_t commands,
                              std::span<const std::byte> key, std::string_view why) {
  const std::lock_guard lock(mutex_);
  OnItsWay& broken = at(CommandTag::unpack(tag).number);
  if (broken.error.empty()) broken.error = why;
  broken.commands = commands;
  broken.removed = true;
  if (broken.answers == commands) settle(broken, key);
}

void RestoreLedger::withdraw_key(std::uint64_t tag, std::span<const std::byte> key,
                                 std::string_view why) {
  const std::lock_guard lock(mutex_);
  OnItsWay& withdrawn = at(CommandTag::unpack(tag).number);
  withdrawn.error = why;
  settle(withdrawn, key);
}

bool RestoreLedger::is_over(std::uint64_t tag) const {
  const std::lock_guard lock(mutex_);
  const std::uint64_t number = CommandTag::unpack(tag).number;
  return number < first_key_ || keys_[number - first_key_].over;
}

std::vector<RestoreLedger::Partial> RestoreLedger::take_partial() {
  const std::lock_guard lock(mutex_);
  return std::exchange(partial_, {});
}

void RestoreLedger::ask_exists(std::size_t count) {
  const std::lock_guard lock(mutex_);
  exists_.assign(count, true);
}

bool RestoreLedger::exists(std::size_t number) const {
  const std::lock_guard lock(mutex_);
  return exists_[number];
}

void RestoreLedger::on_reply(std::uint64_t tag, std::span<const std::byte> key,
                             const net::Reply& reply) {
  const std::lock_guard lock(mutex_);
  const CommandTag about = CommandTag::unpack(tag);
  switch (about.kind) {
    case CommandTag::Kind::key: {
      OnItsWay& on_its_way = at(about.number);
      if (reply.is_error() && on_its_way.error.empty()) {
        on_its_way.error = net::printable(reply.text);
      }
      on_answer(on_its_way, key);
      break;
    }
    case CommandTag::Kind::exists:
      exists_[about.number] = reply.type != net::Reply::Type::integer || reply.integer != 0;
      break;
    case CommandTag::Kind::removal: break;
    case CommandTag::Kind::function: on_function_reply(key, reply); break;
    case CommandTag::Kind::script: break;  // the script cache is a convenience, not data
    case CommandTag::Kind::select:
      select_error_ = reply.is_error() ? net::printable(reply.text) : std::string();
      break;
  }
}

void RestoreLedger::on_answer(OnItsWay& key, std::span<const std::byte> name) {
  ++key.answers;
  if (key.commands == key.answers) settle(key, name);
}

/// It is known what became of a key.
void RestoreLedger::settle(OnItsWay& key, std::span<const std::byte> name) {
  Ledger& ledger = of(key.type);
  key.over = true;
  const bool written = key.error.empty() && !key.unanswered;
  if (written_ != nullptr) written_->answered(key.sent, written);
  if (written) {
    ++ledger.written;
  } else if (policy_ == OnConflict::skip && key.error.starts_with(busy)) {
    ++ledger.skipped;
  } else {
    ++ledger.failed;
    const bool in_part =
        !key.removed && key.commands.value_or(0) > 1 && !key.unanswered && key.answers > 0;
    if (in_part && partial_.size() < failures_max) {
      partial_.push_back({.db = key.db, .key = {name.begin(), name.end()}});
    }
    add_failure(key.db, rdb::escape(name),
                key.error.empty() ? "sent, but its answer did not come" : key.error);
  }
  forget_settled();
}

void RestoreLedger::forget_settled() {
  for (; !keys_.empty() && keys_.front().over; ++first_key_) keys_.pop_front();
}

void RestoreLedger::on_function_reply(std::span<const std::byte> library, const net::Reply& reply) {
  if (!reply.is_error()) {
    ++functions_;
    return;
  }
  if (policy_ == OnConflict::skip && reply.text.find("already exists") != std::string::npos) return;
  ++functions_failed_;
  add_failure(0, "function library " + rdb::escape(library), net::printable(reply.text));
}

void RestoreLedger::on_unanswered(std::uint64_t tag, std::span<const std::byte> key) {
  const std::lock_guard lock(mutex_);
  const CommandTag about = CommandTag::unpack(tag);
  if (about.kind != CommandTag::Kind::key) return;
  OnItsWay& on_its_way = at(about.number);
  on_its_way.unanswered = true;
  on_answer(on_its_way, key);
}

std::string RestoreLedger::select_error() const {
  const std::lock_guard lock(mutex_);
  return select_error_;
}

std::uint64_t RestoreLedger::written() const {
  const std::lock_guard lock(mutex_);
  std::uint64_t written = 0;
  for (const Ledger& ledger : types_) written += ledger.written;
  return written;
}

void RestoreLedger::resume(const RestoreResult& counts) {
  const std::lock_guard lock(mutex_);
  for (std::size_t i = 0; i < types_.size(); ++i) {
    const auto found =
        counts.by_type.find(std::string(to_string(static_cast<rdb::LogicalType>(i))));
    if (found != counts.by_type.end()) types_[i] = found->second;
  }
  functions_ = counts.functions;
  functions_failed_ = counts.functions_failed;
  failures_ = counts.failures;
  failure_count_ = counts.failure_count;
}

void RestoreLedger::report(RestoreResult& result) const {
  const std::lock_guard lock(mutex_);
  for (std::size_t i = 0; i < types_.size(); ++i) {
    const Ledger& ledger = types_[i];
    if (ledger == Ledger{}) continue;
    result.by_type[std::string(to_string(static_cast<rdb::LogicalType>(i)))] += ledger;
    result.total += ledger;
  }
  result.functions += functions_;
  result.functions_failed += functions_failed_;
  for (const RestoreFailure& failure : failures_) {
    if (result.failures.size() < failures_max) result.failures.push_back(failure);
  }
  result.failure_count += failure_count_;
}

void RestoreLedger::add_failure(std::uint64_t db, std::string key, std::string_view message) {
  ++failure_count_;
  if (failures_.size() >= failures_max) return;
  failures_.push_back({.db = db, .key = std::move(key), .message = std::string(message)});
}

}  // namespace sluice::engine
