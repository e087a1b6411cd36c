#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "rdb/downgrade.h"
#include "rdb/error.h"
#include "rdb/handler.h"
#include "rdb/transcoder.h"
#include "rdb/writer.h"

namespace sluice::rdb {

/// Where the bytes of a value are kept until they are read a second time.
class ValueStore {
 public:
  ValueStore() = default;
  ValueStore(const ValueStore&) = delete;
  ValueStore& operator=(const ValueStore&) = delete;
  virtual void clear() = 0;
  virtual void append(std::span<const std::byte> part) = 0;
  /// Hands on all that was appended, in order, cut anywhere, until `take` returns false. Whoever
  /// cannot give the bytes back gives others, or none, and knows why.
  virtual void replay(const std::function<bool(std::span<const std::byte>)>& take) = 0;

 protected:
  ~ValueStore() = default;
};

/// Something that the other version cannot say. Spans are valid only during the call.
struct ConversionLoss {
  enum class Of : std::uint8_t { key, function, module_aux };
  Of of{};
  std::uint64_t db = 0;  ///< Of a key.
  std::span<const std::byte>
      name;  ///< The key; of a function library, its shebang line; or the module.
  const ValueType* type = nullptr;  ///< Of a key, in the source.
  Losses losses = {};               ///< Of a key.
  const Error* error = nullptr;     ///< When the value is left out because it is malformed.
};

struct ConversionCounts {
  std::uint64_t keys = 0;        ///< Read.
  std::uint64_t verbatim = 0;    ///< Written byte for byte.
  std::uint64_t transcoded = 0;  ///< Written anew.
  std::uint64_t left_out = 0;    ///< Not written.
  std::uint64_t reduced = 0;     ///< Written, without something they had.
  std::uint64_t expiring = 0;    ///< Of those written.
  std::uint64_t functions = 0;   ///< Written.
  std::uint64_t functions_left_out = 0;
  std::uint64_t scripts_left_out = 0;  ///< `lua` aux fields, which only fill a cache.
  std::uint64_t lru_lfu_left_out = 0;  ///< Idle times and frequencies, which only guide eviction.
  std::uint64_t module_aux_left_out = 0;
};

/// Writes the stream that it is told of in another version: the handler between a Parser and a
/// Writer. Keys keep their order.
///
/// Aux fields: the version of a server that writes such streams (the source's own where the version
/// is the same), redis-bits, ctime, used-mem; lua up to version 9, which keeps scripts in no other
/// way. Nothing of replication: the new stream is at no offset of any history.
///
/// Memory:  500 KiB, the longest key, and what Transcoder says; a value that is transcoded is in
/// the
///          store meanwhile.
/// Errors:  Parser's "stopped" when error() has something, which is when the store is at fault.
/// Threads: none; one at a time.
class Converter final : public Handler {
 public:
  using OnLoss = std::function<void(const ConversionLoss&)>;

  /// All must stay alive. Precondition: is_writable(writer.header()).
  Converter(Writer& writer, ValueStore& store, OnLoss on_loss);

  [[nodiscard]] const ConversionCounts& counts() const noexcept { return counts_; }
  [[nodiscard]] const std::optional<Error>& error() const noexcept { return error_; }

  bool on_header(const Header& header) override;
  bool on_aux(std::span<const std::byte> key, std::span<const std::byte> value) override;
  bool on_database(std::uint64_t db) override;
  bool on_database_size(std::uint64_t keys, std::uint64_t expires) override;
  bool on_function(std::span<const std::byte> source) override;
  bool on_module_aux(std::uint64_t module_id, std::uint64_t when) override;
  bool on_record_begin(const RecordHeader& record) override;
  bool on_value_part(std::span<const std::byte> part) override;
  bool on_record_end(std::uint64_t offset) override;
  bool on_end(const Trailer& trailer) override;

 private:
  struct DatabaseSize {
    std::uint64_t keys = 0;
    std::uint64_t expires = 0;
  };
  struct AuxField {
    std::string key;
    std::string value;
  };

  void open();
  void write_version();
  void select_database(std::uint64_t db);
  void write_head(const RecordHeader& record, const ValueType& type);
  void keep(const RecordHeader& record);
  bool end_transcode();
  bool emit();
  void hold(std::span<const std::byte> part);
  void end_module();
  void leave_out(const Error* error);
  void tell_losses(const Error* error);

  Writer& writer_;
  ValueStore& store_;
  OnLoss on_loss_;
  const Header target_;
  Header source_;
  ConversionCounts counts_;
  std::optional<Error> error_;

  bool open_ = false;  // what stands before the first function or key is written
  std::vector<AuxField> aux_;
  std::uint64_t db_ = 0;  // as the source has it
  std::optional<DatabaseSize> database_size_;
  std::optional<std::uint64_t> written_db_;
  std::vector<std::uint64_t> modules_told_;

  // The record being read.
  Fit fit_;
  RecordHeader record_;  // a copy, with its spans into what follows
  std::vector<std::byte> key_;
  std::vector<std::byte> key_meta_;
  Losses losses_;
  std::optional<Error> refusal_;
  bool is_held_ = false;                  // a module's value, until it is known whose
  std::array<std::byte, 9> module_id_{};  // as it stands in front of the value
  std::size_t module_id_bytes_ = 0;
  Transcoder transcoder_;
};

}  // namespace sluice::rdb
