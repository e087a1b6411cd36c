#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "rdb/inner_encoding.h"
#include "rdb/listpack_walk.h"
#include "rdb/token_reader.h"
#include "rdb/value_handler.h"

namespace sluice::rdb {

/// Where the entries of a stream node go. The implementation keeps what it refuses them for.
class StreamNodeSink {
 public:
  StreamNodeSink() = default;
  StreamNodeSink(const StreamNodeSink&) = delete;
  StreamNodeSink& operator=(const StreamNodeSink&) = delete;
  /// A live entry begins.
  virtual bool on_entry(StreamId id) = 0;
  /// Role::entry_field or Role::entry_value.
  virtual bool on_entry_item(Role role, const Item& item) = 0;
  virtual bool on_node_problem(std::string problem) = 0;

 protected:
  ~StreamNodeSink() = default;
};

/// Reads the elements of a stream node's listpack: the master entry (counts, the field names that
/// entries share), then entries, of which only live ones are told of.
///
/// Memory: the shared field names and eight bytes for each, at most `names_bytes_max`;
///         none unless `wants_fields`.
/// Source: Redis src/t_stream.c, "Stream nodes are listpacks"; streamValidateListpackIntegrity().
class StreamNode {
 public:
  static constexpr std::size_t names_bytes_max = 16 << 20;

  void begin(StreamId master, bool wants_fields, bool strict);
  /// False when refused.
  bool on_item(const Item& item, StreamNodeSink& sink);
  /// Takes elements as far as they are sound and all there, without telling of texts: nobody wants
  /// them. Returns how many; the rest is for on_item().
  std::uint64_t pass_sound(ListpackWalk& walk, StreamNodeSink& sink);
  /// No more items will come.
  bool end(StreamNodeSink& sink);

  /// Live entries so far, in this node.
  [[nodiscard]] std::uint64_t live() const noexcept { return live_; }

 private:
  enum class State : std::uint8_t {
    live_count,
    deleted_count,
    field_count,
    name,
    zero,
    flags,
    ms,
    seq,
    pair_count,
    field,
    value,
    item_count
  };

  /// Of an entry: how many elements it has; 0 unless it is sound and all there.
  std::uint64_t read_entry(ListpackWalk& walk) noexcept;
  void empty_names();
  bool take_number(std::int64_t number, StreamNodeSink& sink);
  bool take_number_text(const Item& item, StreamNodeSink& sink);
  bool keep_name(const Item& item, StreamNodeSink& sink);
  bool begin_entry(StreamNodeSink& sink);
  bool pass_text(const Item& item, StreamNodeSink& sink);
  bool end_entry(std::int64_t items, StreamNodeSink& sink);
  bool refuse_count(std::int64_t number, StreamNodeSink& sink);
  void next_pair() noexcept;

  State state_ = State::live_count;
  bool wants_fields_ = true;
  bool strict_ = true;
  StreamId master_;
  std::uint64_t live_said_ = 0;
  std::uint64_t deleted_said_ = 0;
  std::uint64_t names_ = 0;  // how many entries share
  std::uint64_t names_left_ = 0;
  std::array<std::byte, integer_text_bytes> digits_;  // of a number that is stored as text
  std::size_t digits_size_ = 0;
  std::vector<std::byte> name_bytes_;
  std::vector<std::size_t> name_ends_;
  std::uint64_t live_ = 0;
  std::uint64_t deleted_ = 0;

  // The entry being read.
  bool is_deleted_ = false;
  bool same_fields_ = false;
  StreamId id_;
  std::uint64_t pairs_ = 0;
  std::uint64_t pairs_left_ = 0;
};

}  // namespace sluice::rdb
