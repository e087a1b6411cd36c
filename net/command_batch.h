#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::net {

/// Commands encoded one after the other, ready for one write, with a tag and a key for each so that
/// its reply can be told apart.
///
///   batch.begin_command(4);  batch.arg("RESTORE");  batch.arg(key);  batch.arg("0");
///   batch.begin_arg(size);   batch.arg_part(a);     batch.arg_part(b);
///   batch.end_command(tag, key);
///
/// A command too large for one batch is written in pieces: split() between any two calls gives away
/// what is there, and the same command goes on in this object. Its tag and key belong to the batch
/// in which it ends.
/// Memory:  the bytes and keys given to it. Units: bytes.
/// Misuse (more or fewer arguments or bytes than announced) is a fault of the caller and asserted.
/// Source:  "Redis serialization protocol specification": arrays of bulk strings.
class CommandBatch {
 public:
  struct Entry {
    std::uint64_t tag = 0;
    std::size_t key_offset = 0;  // into the arena
    std::size_t key_size = 0;
  };

  void begin_command(std::size_t argc);
  void arg(std::span<const std::byte> bytes);
  void arg(std::string_view text) { arg(std::as_bytes(std::span(text))); }
  /// An argument of `size_bytes` that comes in parts; it ends by itself when all are there.
  void begin_arg(std::uint64_t size_bytes);
  void arg_part(std::span<const std::byte> bytes);
  void end_command(std::uint64_t tag, std::span<const std::byte> key);
  void end_command(std::uint64_t tag, std::string_view key) {
    end_command(tag, std::as_bytes(std::span(key)));
  }

  /// Commands that are encoded already, cut anywhere; `ended` of them end in `bytes`, all with this
  /// tag and key. Between commands only.
  void raw(std::span<const std::byte> bytes, std::size_t ended, std::uint64_t tag,
           std::span<const std::byte> key);

  /// A place between two commands.
  struct Mark {
    std::size_t bytes = 0;
    std::size_t entries = 0;
  };
  [[nodiscard]] Mark mark() const noexcept {
    return {.bytes = bytes_.size(), .entries = entries_.size()};
  }
  /// Takes the commands between two marks out again; marks behind them are no longer right.
  void erase(const Mark& from, const Mark& to);

  /// A command, or a piece of one, that was encoded before; mark_command() where it ends.
  void add_encoded(std::string_view bytes) { bytes_ += bytes; }
  void mark_command(std::uint64_t tag, std::span<const std::byte> key);

  /// What is encoded so far, as a batch of its own. This one is empty then, but knows where in a
  /// command it is.
  [[nodiscard]] CommandBatch split();

  /// Bytes to write.
  [[nodiscard]] std::size_t size_bytes() const noexcept { return bytes_.size(); }
  /// Commands that end in this batch.
  [[nodiscard]] std::size_t command_count() const noexcept { return entries_.size(); }
  [[nodiscard]] bool empty() const noexcept { return bytes_.empty(); }

  [[nodiscard]] std::span<const std::byte> bytes() const noexcept {
    return std::as_bytes(std::span(bytes_));
  }
  [[nodiscard]] std::span<const Entry> entries() const noexcept { return entries_; }
  [[nodiscard]] std::span<const std::byte> key(const Entry& entry) const noexcept {
    return std::as_bytes(std::span(keys_)).subspan(entry.key_offset, entry.key_size);
  }
  /// The bytes to write, moved out; entries and keys stay.
  [[nodiscard]] std::string take_bytes();

 private:
  std::string bytes_;
  std::string keys_;  // the arena
  std::vector<Entry> entries_;
  std::size_t args_left_ = 0;         // of the command in progress
  std::uint64_t arg_bytes_left_ = 0;  // of the argument in parts
  bool in_command_ = false;
};

}  // namespace sluice::net
