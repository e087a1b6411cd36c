#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "rdb/error.h"
#include "rdb/handler.h"
#include "rdb/opcode.h"
#include "rdb/program_run.h"
#include "rdb/token_reader.h"
#include "rdb/value_type.h"

namespace sluice::rdb {

/// Bounds on what a stream may ask us to hold. A limit that is reached is an error, never a clamp.
/// Values are handed on as they come and have none.
struct Limits {
  std::uint64_t key_bytes_max = 512ULL << 20;      ///< Redis' proto-max-bulk-len default.
  std::uint64_t db_index_max = (1U << 20) - 1;     ///< Servers have 16 unless told otherwise.
  std::uint64_t metadata_bytes_max = 64ULL << 20;  ///< One aux string, function or KEY_META block.
};

/// Parses an RDB stream at depth frame: where keys begin and end, what precedes them, and the
/// CRC64 over all of it. Values are delimited, not looked into.
///
///     Parser parser(handler);
///     while (!parser.done()) {
///       auto taken = parser.feed(more());   // any cut, even byte by byte: the same events
///       if (!taken) return taken.error();
///     }
///
/// Source:  Redis src/rdb.c rdbLoadRioWithLoadingCtx(), Valkey src/rdb.c.
/// Memory:  a kilobyte, plus the key, aux field, function or KEY_META block being read: only as
/// much
///          as has arrived of it, and what LZF, at most 88 times as much, makes of that. Buffers
///          above 1 MiB are given back when the next of their kind comes.
/// Errors:  sticky. After a failure every later call returns the same Error.
/// Threads: none; one parser, one thread at a time.
class Parser {
 public:
  explicit Parser(Handler& handler, Limits limits = {}) : handler_(handler), limits_(limits) {}
  Parser(const Parser&) = delete;
  Parser& operator=(const Parser&) = delete;

  /// Takes bytes from the front of `input`; returns how many. Fewer than input.size() only when
  /// done(): what follows the checksum is the caller's.
  [[nodiscard]] Result<std::size_t> feed(std::span<const std::byte> input);

  /// No more input will come. Errc::truncated unless done().
  [[nodiscard]] Result<void> finish();

  [[nodiscard]] bool done() const noexcept { return state_ == State::done; }

  /// Bytes taken so far.
  [[nodiscard]] std::uint64_t offset() const noexcept { return tokens_.here(); }
  /// Records completed so far.
  [[nodiscard]] std::uint64_t records() const noexcept { return records_; }

 private:
  enum class State : std::uint8_t {
    header,
    opcode,
    fields,
    skim,
    key,
    value,
    refused_key,
    footer,
    done,
    failed
  };
  /// Where the bytes of the construct being read go besides being skipped.
  enum class Sink : std::uint8_t { none, value, key_meta, metadata };
  enum class ModuleState : std::uint8_t { opcode, number, bytes4, bytes8, string };

  // States.
  Step step();
  Step step_header();
  Step step_opcode();
  Step step_fields();
  Step check_module_aux();
  Step step_skim();
  Step step_key();
  Step step_value();
  Step end_record();
  Step step_refused_key();
  Step step_footer();
  Step begin_opcode(const Opcode& opcode);
  Step begin_metadata(const Opcode& opcode);
  Step begin_record(const ValueType& type);
  Step refuse(std::uint8_t number);
  Step skip_refused_bytes();
  Step take_field(Field field, std::uint64_t& number);
  Step take_text_field();
  Step end_opcode();
  Step emit_opcode();
  Step emit_select_db();
  Step emit_aux();
  Step end_stream(std::uint64_t stored);

  // Programs.
  void begin_program(const Program& program) noexcept;
  Step run_program();
  void run_whole_tokens() noexcept;
  Step run_op(Op op);
  Step run_ascii_double();
  Step run_container();
  Step run_flagged_len();
  Step run_array_value();
  Step run_module_items();
  Step begin_module_item();

  Step flush_part();
  void keep_key_head() noexcept;
  Step told(bool go_on);
  Step fail(Errc code, std::string detail = {});
  Step fail_with_refusal();

  Handler& handler_;
  Limits limits_;
  State state_ = State::header;
  Header header_;
  Error error_;                     // meaningful only in State::failed
  Error refusal_;                   // meaningful only in State::refused_key, as the two below
  std::uint8_t refused_bytes_ = 0;  // before its key, yet to be skipped
  bool in_refused_mask_ = false;

  TokenReader tokens_;
  const std::byte* crc_from_ = nullptr;   // in the window of the current feed()
  const std::byte* part_from_ = nullptr;  // likewise
  std::uint64_t crc_ = 0;
  bool crc_closed_ = false;  // the EOF opcode was read: what follows is not covered

  // The opcode or record being read.
  const Opcode* opcode_ = nullptr;
  std::size_t field_ = 0;
  std::array<std::uint64_t, 3> numbers_{};
  std::array<std::vector<std::byte>, 2> texts_;  // of opcodes; rare, so they are copied
  std::size_t text_ = 0;
  Sink sink_ = Sink::none;

  // The program being run.
  ProgramRun run_;
  std::uint8_t sub_step_ = 0;  // inside ops that take several tokens
  std::uint64_t sub_tag_ = 0;
  ModuleState module_state_ = ModuleState::opcode;
  std::uint64_t module_opcode_ = 0;

  // Per key: replaced after each.
  RecordHeader pending_;
  bool has_prefix_ = false;  // pending_.offset is set: an opcode before the key was read
  std::vector<std::byte> key_meta_;
  std::uint64_t key_meta_offset_ = 0;
  std::span<const std::byte> key_;        // in this window, or in tokens_
  std::array<std::byte, 64> key_head_{};  // for error messages, kept across feeds
  bool key_is_cut_ = false;
  bool in_record_ = false;
  std::uint64_t db_ = 0;
  std::string_view writer_;  // named by an aux field that only it writes
  std::uint64_t records_ = 0;
};

}  // namespace sluice::rdb
