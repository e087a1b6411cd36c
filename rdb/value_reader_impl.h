#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "rdb/duplicate_set.h"
#include "rdb/inner_encoding.h"
#include "rdb/listpack_walk.h"
#include "rdb/lzf_stream.h"
#include "rdb/program_run.h"
#include "rdb/stream_node.h"
#include "rdb/stream_state.h"
#include "rdb/token_reader.h"
#include "rdb/value_reader.h"

namespace sluice::rdb {

/// The body of ValueReader: the program of a type is run over tokens (value_reader.cc, arrays and
/// modules in value_reader_module.cc), strings are expanded (value_reader_text.cc) and those that
/// are inner encodings taken apart (value_reader_blob.cc), what makes up a stream is put together
/// and checked (value_reader_stream.cc).
/// What of all that is whole and sound is passed over in tight loops (value_reader_whole.cc).
class ValueReader::Impl final : public ItemSink, public StreamNodeSink {
 public:
  Impl(ValueHandler& handler, ReadOptions options);

  void begin(const RecordHeader& record, const Header& header);
  std::size_t begin_with(const RecordHeader& record, const Header& header,
                         std::span<const std::byte> bytes);
  Result<void> feed(std::span<const std::byte> part);
  Result<void> end();

  [[nodiscard]] std::uint64_t unchecked() const noexcept { return unchecked_; }

 private:
  static constexpr std::size_t expanded_bytes = 16 << 10;                    // of LZF, at once
  static constexpr std::uint64_t expiry_max = (std::uint64_t{1} << 48) - 1;  // of a hash field, ms
  /// Of these, a value or group has none twice.
  static constexpr Roles unique{Role::member, Role::field, Role::group, Role::consumer,
                                Role::producer};

  enum class ModuleState : std::uint8_t { opcode, number, bytes4, bytes8, string };
  /// What an element of an inner encoding is, by its place in the tuple.
  enum class Slot : std::uint8_t {
    element,
    member,
    ascending_member,
    field,
    value,
    score,
    expiry,
    node
  };
  struct Tuple {
    std::uint8_t size = 1;
    std::array<Slot, 3> slots{};
  };
  /// A text that has to be whole to be understood: a number.
  struct NumberText {
    std::array<std::byte, 256> bytes;
    std::size_t size = 0;

    /// There must be room.
    void add(std::span<const std::byte> part) noexcept {
      std::ranges::copy(part, bytes.begin() + static_cast<std::ptrdiff_t>(size));
      size += part.size();
    }
  };

  void restart(const RecordHeader& record, const Header& header);
  void keep_key_head() noexcept;

  // Program.
  Step run();
  Step run_op(Op op);
  Step run_count(Part part);
  Step run_len(Part part);
  Step run_fixed8(Part part);
  Step run_fixed16(Part part);
  Step run_ascii_double();
  Step run_container();
  Step run_flagged_len();
  Step run_array_value();
  Step run_module_items();
  Step run_module_item();
  Step take_len(Part part, std::uint64_t number);
  Step take_relative_expiry(std::uint64_t number);
  Step take_array_index(std::uint64_t index);
  Step take_score(double score);
  Step end_value();

  // Strings.
  Step run_string(Part part);
  Step begin_string(Part part);
  Step tell_size(Part part, StringForm form, std::span<const std::byte> stored);
  Step read_string(Part part);
  Step read_raw(Part part);
  Step read_lzf(Part part);
  Step measure_lzf(Part part);
  std::span<std::byte> room_to_expand();
  Step fail_lzf();
  Step plain(Part part, std::span<const std::byte> bytes, bool first, bool last);
  Step text(Role role, const Text& text);
  Step end_text(Role role);
  Step check_unique(Role role, const Text& text);
  /// False when it was there before. Too many are not compared.
  bool is_new(DuplicateSet& set, std::uint64_t hash) {
    if (counted_out_) return true;
    if (set.size() < duplicates_tracked_max) [[likely]]
      return set.insert(hash);
    counted_out_ = true;
    set.clear();
    return true;
  }
  Step node_id(std::span<const std::byte> bytes, bool last);
  InnerEncoding& begin_blob(Part part, std::uint64_t size);
  Step blob(Part part, std::span<const std::byte> bytes, bool first, bool last);
  Step end_blob(Part part);
  [[nodiscard]] bool wants(Part part) const noexcept;
  static Role role_of(Part part) noexcept;
  static Tuple tuple_of(Part part) noexcept;

  bool on_item(const Item& item) override;
  bool item_text(Role role, const Item& item);
  bool item_score(const Item& item);
  bool item_expiry(const Item& item);
  bool gather(const Item& item);
  [[nodiscard]] std::optional<double> gathered_score() const;
  bool on_entry(StreamId id) override;
  bool on_entry_item(Role role, const Item& item) override;
  bool on_node_problem(std::string problem) override;

  // What is all there.
  void run_whole_tokens();
  [[nodiscard]] std::size_t pass_unwanted_string(std::span<const std::byte> bytes) const;
  bool pass_len(Op op, Part part);
  bool pass_raw_string(Part part, const StringHead& head);
  bool whole_string(Part part, const StringHead& head);
  bool is_new(std::span<const std::byte> element);
  std::size_t pass_sound(Part part, std::span<const std::byte> bytes);
  std::uint64_t pass_elements(Part part, ListpackWalk& walk);
  std::uint64_t pass_unwanted(ListpackWalk& walk);
  template <class Second>
  std::uint64_t pass_pairs(ListpackWalk& walk, Second second);
  std::uint64_t pass_items(ListpackWalk& walk);

  // Streams.
  Step take_stream_len(Part part, std::uint64_t number);
  Step take_stream_time(Part part, std::uint64_t time);
  Step take_stream_id(Part part, StreamId id);
  Step take_stream_head();
  Step take_idempotency(Part part, std::uint64_t number);
  Step check_stream_head();
  Step end_group();

  Step number(Role role, std::uint64_t number);
  Step told(bool go_on);
  Step fail(Errc code, std::string detail);

  ValueHandler& handler_;
  ReadOptions options_;
  std::uint64_t hash_seed_;
  std::uint64_t unchecked_ = 0;

  // The value being read.
  const ValueType* type_ = nullptr;
  std::uint64_t index_ = 0;
  std::uint64_t db_ = 0;
  std::span<const std::byte> key_;  // of the record while begin_with() runs, later in key_head_
  std::array<std::byte, 64> key_head_{};
  bool key_is_cut_ = false;
  bool failed_ = false;
  Error error_;
  std::uint64_t elements_ = 0;
  bool counted_out_ = false;  // too many elements to look for duplicates
  DuplicateSet seen_;
  TokenReader tokens_;
  ProgramRun run_;
  std::uint8_t sub_step_ = 0;  // inside ops that take several tokens
  std::uint64_t sub_tag_ = 0;
  ModuleState module_state_ = ModuleState::opcode;
  std::uint64_t module_opcode_ = 0;
  NumberText number_text_;

  // The string being read.
  bool in_string_ = false;
  bool measuring_ = false;
  bool streaming_ = false;  // LZF that comes in parts
  bool string_first_ = true;
  std::uint64_t string_left_ = 0;  // stored bytes
  std::uint64_t plain_bytes_ = 0;
  LzfStream lzf_;
  LzfMeasure lzf_measure_;
  std::unique_ptr<std::byte[]> expanded_;
  struct HashState;
  std::unique_ptr<HashState, void (*)(HashState*)> hash_state_;  // of a text in parts

  // The inner encoding being read.
  Listpack listpack_;
  Ziplist ziplist_;
  Intset intset_;
  Zipmap zipmap_;
  InnerEncoding* encoding_ = nullptr;
  Tuple tuple_;
  std::uint8_t position_ = 0;
  bool packed_node_ = false;

  // Hashes and sorted sets.
  std::optional<std::uint64_t> expiry_;  // of the field being read, when it came before it
  std::uint64_t min_expiry_ = 0;
  std::optional<std::uint64_t> last_expiry_;  // of the triple before; 0: no more expire
  std::optional<double> last_score_;          // of the pair before, in an ordered encoding

  std::unique_ptr<StreamState> stream_;
};

}  // namespace sluice::rdb
