#include "net/command_batch.h"

#include <fmt/format.h>

#include <cassert>
#include <iterator>
#include <utility>

namespace sluice::net {
namespace {

void append(std::string& out, std::span<const std::byte> bytes) {
  out.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

}  // namespace

void CommandBatch::begin_command(std::size_t argc) {
  assert(!in_command_ && argc > 0);
  fmt::format_to(std::back_inserter(bytes_), "*{}\r\n", argc);
  args_left_ = argc;
  in_command_ = true;
}

void CommandBatch::arg(std::span<const std::byte> bytes) {
  begin_arg(bytes.size());
  if (!bytes.empty()) arg_part(bytes);
}

void CommandBatch::begin_arg(std::uint64_t size_bytes) {
  assert(in_command_ && args_left_ > 0 && arg_bytes_left_ == 0);
  fmt::format_to(std::back_inserter(bytes_), "${}\r\n", size_bytes);
  --args_left_;
  arg_bytes_left_ = size_bytes;
  if (size_bytes == 0) bytes_ += "\r\n";
}

void CommandBatch::arg_part(std::span<const std::byte> bytes) {
  assert(bytes.size() <= arg_bytes_left_);
  if (bytes.empty()) return;
  append(bytes_, bytes);
  arg_bytes_left_ -= bytes.size();
  if (arg_bytes_left_ == 0) bytes_ += "\r\n";
}

void CommandBatch::end_command(std::uint64_t tag, std::span<const std::byte> key) {
  assert(in_command_ && args_left_ == 0 && arg_bytes_left_ == 0);
  mark_command(tag, key);
  in_command_ = false;
}

void CommandBatch::raw(std::span<const std::byte> bytes, std::size_t ended, std::uint64_t tag,
                       std::span<const std::byte> key) {
  assert(!in_command_);
  append(bytes_, bytes);
  if (ended == 0) return;
  const Entry entry{.tag = tag, .key_offset = keys_.size(), .key_size = key.size()};
  append(keys_, key);
  entries_.insert(entries_.end(), ended, entry);
}

void CommandBatch::erase(const Mark& from, const Mark& to) {
  bytes_.erase(from.bytes, to.bytes - from.bytes);
  const auto at = [this](std::size_t entry) {
    return entries_.begin() + static_cast<std::ptrdiff_t>(entry);
  };
  entries_.erase(at(from.entries), at(to.entries));
}

void CommandBatch::mark_command(std::uint64_t tag, std::span<const std::byte> key) {
  entries_.push_back(Entry{.tag = tag, .key_offset = keys_.size(), .key_size = key.size()});
  append(keys_, key);
}

CommandBatch CommandBatch::split() {
  CommandBatch out;
  out.bytes_ = std::exchange(bytes_, {});
  out.keys_ = std::exchange(keys_, {});
  out.entries_ = std::exchange(entries_, {});
  return out;
}

std::string CommandBatch::take_bytes() { return std::exchange(bytes_, {}); }

}  // namespace sluice::net
