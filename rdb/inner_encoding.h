#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "rdb/byte_cursor.h"

namespace sluice::rdb {

/// An element of a ziplist, listpack, intset or zipmap; or a part of one that is cut.
struct Item {
  std::span<const std::byte> bytes;  ///< Of a text.
  std::uint64_t size = 0;            ///< Of all parts of the text.
  std::int64_t integer = 0;
  bool is_integer = false;
  bool first = true;
  bool last = true;
};

/// Where items go. The implementation keeps what it refuses them for.
class ItemSink {
 public:
  ItemSink() = default;
  ItemSink(const ItemSink&) = delete;
  ItemSink& operator=(const ItemSink&) = delete;
  virtual bool on_item(const Item& item) = 0;

 protected:
  ~ItemSink() = default;
};

/// Takes an inner encoding apart as its bytes come, cut anywhere, checking every length, count and
/// back reference on the way.
///
/// Memory: none beside this. Long elements are passed on in parts.
class InnerEncoding {
 public:
  InnerEncoding(const InnerEncoding&) = delete;
  InnerEncoding& operator=(const InnerEncoding&) = delete;

  /// ok: the encoding is complete. fail: problem() says why, or is empty when the sink refused.
  Step feed(std::span<const std::byte> bytes, ItemSink& sink);

  [[nodiscard]] bool complete() const noexcept { return complete_; }
  [[nodiscard]] std::uint64_t items() const noexcept { return items_; }
  [[nodiscard]] const std::string& problem() const noexcept { return problem_; }

 protected:
  InnerEncoding() = default;
  ~InnerEncoding() = default;

  void begin(std::uint64_t size) noexcept;
  virtual Step step(ItemSink& sink) = 0;
  /// Takes what elements are all there, as a faster way over sound bytes; anything else is left to
  /// step(). fail: the sink refused.
  virtual Step pass_whole(ItemSink& /*sink*/) { return Step::ok; }

  /// Passes on what there is of the text whose `left_` bytes come next.
  Step take_text(ItemSink& sink);
  Step pass(const Item& item, ItemSink& sink);
  Step fail(std::string problem);
  /// fail() with the element and the byte it is at.
  Step fail_at(std::string problem);

  ByteCursor cursor_;
  std::uint64_t size_ = 0;   // of the whole encoding
  std::uint64_t items_ = 0;  // completed
  std::uint64_t text_size_ = 0;
  std::uint64_t left_ = 0;  // of the text being read
  bool complete_ = false;

 private:
  std::string problem_;
};

/// Source: Redis src/listpack.c lpValidateIntegrity(), lpGetWithSize().
class Listpack final : public InnerEncoding {
 public:
  void begin(std::uint64_t size) noexcept;
  /// After begin(): takes the header, if it is right and all there, and returns the rest of
  /// `bytes`, for a ListpackWalk. Else nothing, and nothing is changed.
  [[nodiscard]] std::span<const std::byte> open(std::span<const std::byte> bytes) noexcept;
  /// `items` elements of that, which are so many bytes, have been seen to. The rest is to be fed.
  void pass_over(std::size_t bytes, std::uint64_t items) noexcept;
  /// Elements as the header has it; not known from 65535 on.
  [[nodiscard]] std::uint64_t count() const noexcept { return count_; }

 private:
  enum class State : std::uint8_t { header, head, text, back_length };
  Step step(ItemSink& sink) override;
  Step pass_whole(ItemSink& sink) override;
  Step step_header();
  Step step_head(ItemSink& sink);
  Step step_back_length();
  Step take_terminator();

  State state_ = State::header;
  std::uint64_t count_ = 0;  // as the header has it
  std::uint64_t entry_ = 0;  // bytes of the element, back length excluded
};

/// Source: Redis src/ziplist.c ziplistValidateIntegrity().
class Ziplist final : public InnerEncoding {
 public:
  void begin(std::uint64_t size) noexcept;

 private:
  enum class State : std::uint8_t { header, previous, head, text };
  Step step(ItemSink& sink) override;
  Step step_header();
  Step step_previous();
  Step step_head(ItemSink& sink);
  Step take_terminator();
  void end_entry() noexcept;

  State state_ = State::header;
  std::uint64_t count_ = 0;
  std::uint64_t tail_ = 0;      // offset of the last entry, as the header has it
  std::uint64_t start_ = 0;     // of the entry being read
  std::uint64_t previous_ = 0;  // bytes of the entry before
};

/// Source: Redis src/intset.c intsetValidateIntegrity().
class Intset final : public InnerEncoding {
 public:
  void begin(std::uint64_t size, bool strict) noexcept;
  /// After begin(): takes the header and all integers from the front of `bytes` that are sound and
  /// all there, and returns how many bytes that was. The rest is to be fed.
  [[nodiscard]] std::size_t pass_sound(std::span<const std::byte> bytes);

 private:
  Step step(ItemSink& sink) override;
  Step step_header();
  template <class Integer>
  std::size_t pass_integers(std::span<const std::byte> bytes) noexcept;

  bool strict_ = false;
  std::uint64_t width_ = 0;  // 0: the header has not been read
  std::uint64_t count_ = 0;
  std::int64_t previous_ = 0;
};

/// Source: Redis src/zipmap.c zipmapValidateIntegrity().
class Zipmap final : public InnerEncoding {
 public:
  void begin(std::uint64_t size) noexcept;

 private:
  enum class State : std::uint8_t { count, length, slack, text, free };
  Step step(ItemSink& sink) override;
  Step step_length();

  State state_ = State::count;
  std::uint64_t count_ = 0;
  std::uint64_t free_ = 0;
};

}  // namespace sluice::rdb
