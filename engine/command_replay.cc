#include "engine/command_replay.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>
#include <utility>

namespace sluice::engine {
namespace {

constexpr std::size_t verb_bytes_max = 64;
constexpr std::array<std::string_view, 4> not_for_targets{"PING", "REPLCONF", "PUBLISH",
                                                          "SPUBLISH"};

std::span<const std::byte> bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

/// The first argument of a command in upper case, once all of it is there:
/// "*2\r\n$6\r\nSELECT\r\n".
std::string verb_of(std::string_view head) {
  const std::size_t size_at = head.find('$');
  const std::size_t text_at = head.find('\n', size_at == std::string_view::npos ? 0 : size_at);
  if (size_at == std::string_view::npos || text_at == std::string_view::npos) return {};
  std::size_t size = 0;
  std::from_chars(head.data() + size_at + 1, head.data() + head.size(), size);
  if (head.size() < text_at + 1 + size) return {};
  std::string verb(head.substr(text_at + 1, std::min(size, verb_bytes_max)));
  std::ranges::transform(verb, verb.begin(), [](char letter) {
    return letter >= 'a' && letter <= 'z' ? static_cast<char>(letter - 'a' + 'A') : letter;
  });
  return verb;
}

/// The first error in a reply: of an EXEC it may be in one of its elements.
const net::Reply* error_in(const net::Reply& reply) {
  if (reply.is_error()) return &reply;
  for (const net::Reply& element : reply.elements) {
    if (const net::Reply* found = error_in(element)) return found;
  }
  return nullptr;
}

}  // namespace

bool CommandReplay::feed(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const std::size_t taken = scanner_.take(bytes);
    read_offset_ += taken;
    if (!add(bytes.first(taken))) return false;
    if (scanner_.at_border() && !end_command()) return false;
    bytes = bytes.subspan(taken);
  }
  return true;
}

bool CommandReplay::add(std::span<const std::byte> piece) {
  if (fate_ == Fate::drop) return true;
  if (fate_ == Fate::unknown) {
    head_.append(reinterpret_cast<const char*>(piece.data()), piece.size());
    judge();
    return true;
  }
  batch_.raw(piece, 0, 0, {});
  return batch_.size_bytes() < batch_bytes || flush();
}

void CommandReplay::judge() {
  verb_ = verb_of(head_);
  if (verb_.empty()) return;
  fate_ = std::ranges::find(not_for_targets, verb_) == not_for_targets.end() ? Fate::forward
                                                                             : Fate::drop;
  if (fate_ == Fate::forward) batch_.raw(bytes(head_), 0, 0, {});
  head_.clear();
}

bool CommandReplay::end_command() {
  if (verb_ == "MULTI") in_transaction_ = true;
  if (verb_ == "EXEC" || verb_ == "DISCARD") in_transaction_ = false;
  const bool forward = fate_ == Fate::forward;
  fate_ = Fate::unknown;
  head_.clear();
  {
    const std::lock_guard lock(mutex_);
    if (forward) ++unanswered_;
    if (!in_transaction_) rest_offset_ = read_offset_;
    if (unanswered_ == 0) applied_offset_ = rest_offset_;
  }
  if (!forward) return true;
  ++commands_;
  // Inside of a transaction nothing is applied: the tag is then zero.
  batch_.raw({}, 1, in_transaction_ ? 0 : read_offset_, bytes(verb_));
  return batch_.size_bytes() < batch_bytes || flush();
}

bool CommandReplay::flush() { return batch_.empty() || send_(batch_.split()); }

void CommandReplay::on_reply(std::uint64_t tag, std::span<const std::byte> key,
                             const net::Reply& reply) {
  const std::lock_guard lock(mutex_);
  --unanswered_;
  if (tag != 0) applied_offset_ = tag;
  if (unanswered_ == 0) applied_offset_ = rest_offset_;
  const net::Reply* const error = error_in(reply);
  if (error == nullptr) return;
  ++error_count_;
  if (errors_.size() >= errors_max) return;
  errors_.push_back(std::string(reinterpret_cast<const char*>(key.data()), key.size()) + ": " +
                    net::printable(error->text));
}

void CommandReplay::on_unanswered(std::uint64_t /*tag*/, std::span<const std::byte> /*key*/) {
  const std::lock_guard lock(mutex_);
  --unanswered_;
}

std::vector<std::string> CommandReplay::errors() const {
  const std::lock_guard lock(mutex_);
  return errors_;
}

}  // namespace sluice::engine
