#include "net/held_commands.h"

#include <charconv>
#include <utility>

namespace sluice::net {

Repeat repeat_of(std::string_view beginning) noexcept {
  const std::size_t line = beginning.find("\r\n");
  if (line == std::string_view::npos) return Repeat::never;
  beginning.remove_prefix(line + 2);
  if (beginning.starts_with("$7\r\nRESTORE\r\n")) return Repeat::with_replace;
  return beginning.starts_with("$6\r\nEXISTS\r\n") ? Repeat::always : Repeat::never;
}

std::size_t HeldCommands::bytes_of(const HeldCommand& command) noexcept {
  return sizeof command + command.key.size() + command.bytes.size();
}

std::uint64_t HeldCommands::add(HeldCommand command) {
  bytes_ += bytes_of(command);
  commands_.push_back(std::move(command));
  return first_ + commands_.size() - 1;
}

void HeldCommands::make_replace(std::uint64_t number) {
  HeldCommand& command = (*this)[number];
  if (std::exchange(command.replaces, true) || command.is_spooled) return;
  bytes_ -= command.bytes.size();
  command.bytes = with_replace(command.bytes);
  bytes_ += command.bytes.size();
}

void HeldCommands::finish(std::uint64_t number) {
  HeldCommand& command = (*this)[number];
  command.done = true;
  bytes_ -= command.bytes.size();
  command.bytes = {};
}

void HeldCommands::deliver(ReplyHandler& handler) {
  while (!commands_.empty() && commands_.front().done) {
    const HeldCommand command = std::move(commands_.front());
    commands_.pop_front();
    ++first_;
    bytes_ -= bytes_of(command);
    tell(command, handler);
  }
}

void HeldCommands::deliver_all(ReplyHandler& handler) {
  for (HeldCommand& command : commands_) {
    if (!command.done) command.reply.reset();
    command.done = true;
  }
  deliver(handler);
  bytes_ = 0;
}

void HeldCommands::tell(const HeldCommand& command, ReplyHandler& handler) {
  if (command.is_part) {
    if (command.reply && command.reply->is_error() && !part_error_) part_error_ = command.reply;
    return;
  }
  const auto key = std::as_bytes(std::span(command.key));
  const auto part_error = std::exchange(part_error_, std::nullopt);
  if (!command.reply) return handler.on_unanswered(command.tag, key);
  const bool use_part = part_error && !command.reply->is_error();
  handler.on_reply(command.tag, key, use_part ? *part_error : *command.reply);
}

ReplaceFrame replace_frame(std::string_view beginning) {
  ReplaceFrame frame;
  std::size_t argc = 0;
  const char* const from = beginning.data() + 1;
  std::from_chars(from, beginning.data() + beginning.size(), argc);
  frame.skip = beginning.find("\r\n") + 2;
  frame.head = "*" + std::to_string(argc + 1) + "\r\n";
  frame.tail = "$7\r\nREPLACE\r\n";
  return frame;
}

std::string with_replace(std::string_view bytes) {
  const ReplaceFrame frame = replace_frame(bytes);
  std::string out = frame.head;
  out += bytes.substr(frame.skip);
  out += frame.tail;
  return out;
}

}  // namespace sluice::net
