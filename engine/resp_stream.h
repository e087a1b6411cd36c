#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "engine/command_text.h"
#include "engine/consumer_group.h"
#include "engine/scratch_sorter.h"
#include "rdb/value_handler.h"
#include "rdb/value_type.h"

namespace sluice::engine {

/// Commands that make a stream anew. Where a group has a pending id whose entry is gone, the entry
/// has to be there for a moment, at its place among the others; so entries are kept until the
/// groups are known.
///
/// Not reproduced: when consumers were last seen and active. What idempotent producers left behind
/// is not either: no released server has a command for it.
class RespStream {
 public:
  /// `for_older`: whether the commands are for servers before 7.0, which know fewer options. None:
  /// they are when the stream is of one.
  RespStream(CommandText& commands, const ScratchLimits& limits,
             std::optional<bool> for_older = std::nullopt);

  /// `key` must live until end().
  void begin(std::span<const std::byte> key, const rdb::ValueType& type);
  void on_text(rdb::Role role, const rdb::Text& text);
  void on_number(rdb::Role role, std::uint64_t number);
  void on_stream_id(rdb::Role role, rdb::StreamId id);
  void end();

  [[nodiscard]] std::optional<Error> error() const;

 private:
  /// Where the fields and values of an entry lie, as arguments.
  struct EntryAt {
    rdb::StreamId id;
    std::uint64_t argc = 0;
    std::uint64_t offset = 0;
    std::uint64_t size = 0;
  };

  void end_entry();
  void end_group();
  void write_group();
  void write_claim(const ConsumerGroup::Pending& pending);
  void write_entries();
  void write_entry(const EntryAt& entry);
  void write_placeholder(rdb::StreamId id);
  void remove_placeholders();
  void write_last_id();
  /// "VERB [SUBVERB] key" of a command of `argc` arguments.
  static void begin(CommandText& to, std::uint64_t argc, std::string_view verb,
                    std::string_view subverb, std::span<const std::byte> key);

  CommandText& commands_;
  Spool entries_;  // arguments
  OutputBuffer entry_out_;
  CommandText entry_args_;
  Spool index_;   // EntryAt
  Spool groups_;  // commands
  OutputBuffer group_out_;
  CommandText group_commands_;
  ConsumerGroup group_;
  ScratchSorter pending_ids_;  // of all groups
  Spool gone_;                 // ids of placeholders

  std::span<const std::byte> key_;
  const std::optional<bool> for_older_;
  bool is_old_ = false;             // for a server before 7.0
  std::uint64_t entries_from_ = 0;  // of entry_out_.size(), when the stream began
  EntryAt entry_;
  bool has_entry_ = false;
  bool has_group_ = false;
  rdb::StreamId last_id_;
  rdb::StreamId max_deleted_id_;
  std::uint64_t entries_added_ = 0;
  std::optional<rdb::StreamId> first_live_;
};

}  // namespace sluice::engine
