#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "engine/stream_facts.h"
#include "rdb/error.h"
#include "rdb/value_reader.h"

namespace sluice::engine {

/// Looks into every value of a stream. A value that is refused is told of and skipped; the stream
/// goes on with the next key.
class ValueCheck : public StreamFacts {
 public:
  /// `values` is told of what is read; `refused` of each value that is not.
  ValueCheck(rdb::ValueHandler& values, rdb::ReadOptions options,
             std::function<void(const rdb::Error&)> refused)
      : reader_(values, options), refused_(std::move(refused)) {}

  [[nodiscard]] std::uint64_t unchecked() const noexcept { return reader_.unchecked(); }
  [[nodiscard]] bool value_refused() const noexcept { return is_refused_; }

  bool on_record_begin(const rdb::RecordHeader& record) override;
  std::size_t take_value(const rdb::RecordHeader& record,
                         std::span<const std::byte> bytes) override;
  bool on_value_part(std::span<const std::byte> part) override;
  bool on_record_end(std::uint64_t offset) override;

 private:
  bool judge(const rdb::Result<void>& read);

  rdb::ValueReader reader_;
  std::function<void(const rdb::Error&)> refused_;

  // The current value.
  bool is_refused_ = false;
  bool is_done_ = false;   // taken as a whole
  bool is_ahead_ = false;  // its first part has been read
};

}  // namespace sluice::engine
