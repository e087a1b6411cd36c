#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "engine/feed_form.h"
#include "engine/feed_ledger.h"
#include "engine/rdb_copier.h"
#include "engine/spooled_value.h"
#include "engine/stream_facts.h"
#include "rdb/converter.h"
#include "rdb/writer.h"

namespace sluice::engine {

/// Makes of the RDB of a backup the one that is fed: without the keys that have expired, in a
/// version that the target takes. The same backup and form give the same bytes, whenever.
///
/// Memory:  a RdbCopier's, or a Converter's.
/// Errors:  see error(); the parser says "stopped" then.
/// Threads: one at a time.
class FeedStream final : public StreamFacts {
 public:
  /// `is_sorted`: keys come in order, and one that comes twice is found. A server that loads a key
  /// twice ends itself.
  FeedStream(const FeedForm& form, bool is_sorted, rdb::Writer::Sink sink);

  [[nodiscard]] const FeedLedger& ledger() const noexcept { return ledger_; }
  /// Ids of module types that are fed, of values and of what is kept outside of keys.
  [[nodiscard]] const std::set<std::uint64_t>& modules() const noexcept { return modules_; }
  /// Functions that were written.
  [[nodiscard]] std::uint64_t functions_fed() const noexcept;
  [[nodiscard]] std::uint64_t bytes() const noexcept { return writer_ ? writer_->bytes() : 0; }
  [[nodiscard]] std::optional<Error> error() const;

  bool on_header(const rdb::Header& header) override;
  bool on_aux(std::span<const std::byte> key, std::span<const std::byte> value) override;
  bool on_database(std::uint64_t db) override;
  bool on_database_size(std::uint64_t keys, std::uint64_t expires) override;
  bool on_function(std::span<const std::byte> source) override;
  bool on_module_aux(std::uint64_t module_id, std::uint64_t when) override;
  bool on_metadata_part(std::span<const std::byte> part) override;
  bool on_record_begin(const rdb::RecordHeader& record) override;
  bool on_value_part(std::span<const std::byte> part) override;
  bool on_record_end(std::uint64_t offset) override;
  bool on_end(const rdb::Trailer& trailer) override;

 private:
  bool note_key(const rdb::RecordHeader& record);
  void note_module(std::span<const std::byte> part);
  [[nodiscard]] std::uint64_t module_type() const noexcept;

  FeedForm form_;
  bool is_sorted_;
  rdb::Writer::Sink sink_;
  FeedLedger ledger_;
  std::set<std::uint64_t> modules_;
  SpooledValue spool_;
  std::optional<rdb::Writer> writer_;    // once the header was read
  std::unique_ptr<rdb::Handler> maker_;  // likewise
  const rdb::Converter* converter_ = nullptr;
  bool fed_ = false;  // the current record
  rdb::LogicalType type_{};
  std::vector<std::byte> module_id_;  // of a module's value, as far as it was read
  std::vector<std::byte> last_key_;
  std::optional<std::uint64_t> last_db_;
  std::optional<Error> error_;
};

}  // namespace sluice::engine
