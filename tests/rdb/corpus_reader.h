#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "rdb/error.h"
#include "rdb/parser.h"
#include "rdb/value_reader.h"
#include "tests/fuzz/event_digest.h"
#include "tests/fuzz/value_digest.h"

namespace sluice::rdb::testing {

/// Reads a whole stream, values included, and goes on past a value that is refused.
class StreamReading {
 public:
  explicit StreamReading(ReadOptions options = {});

  /// Feeds pieces of as many bytes as `next_piece` says.
  template <class NextPiece>
  void read(std::string_view input, NextPiece next_piece) {
    while (!input.empty() && !parser_.done() && !frame_error) {
      const auto piece = input.substr(0, next_piece());
      feed(piece);
      input.remove_prefix(piece.size());
    }
    finish(input.size());
  }
  void read(std::string_view input) {
    read(input, [&] { return input.size(); });
  }

  /// Nothing was wrong and nothing is left over.
  [[nodiscard]] bool sound() const {
    return !frame_error && value_errors.empty() && bytes_left == 0;
  }
  [[nodiscard]] std::uint64_t frame_digest() const { return frame_.digest; }
  [[nodiscard]] bool checksum_ok() const { return checksum_ok_; }

  std::optional<Error> frame_error;
  std::vector<Error> value_errors;
  std::vector<std::uint64_t> value_digests;  ///< After each value, all before it included.
  std::uint64_t bytes_left = 0;              ///< Behind the end of the stream.

 private:
  class Sink final : public Handler {
   public:
    explicit Sink(StreamReading& owner) : owner_(owner) {}
    bool on_header(const Header& header) override;
    bool on_aux(std::span<const std::byte> key, std::span<const std::byte> value) override;
    bool on_database(std::uint64_t db) override;
    bool on_database_size(std::uint64_t keys, std::uint64_t expires) override;
    bool on_function(std::span<const std::byte> source) override;
    bool on_module_aux(std::uint64_t module_id, std::uint64_t when) override;
    bool on_record_begin(const RecordHeader& record) override;
    std::size_t take_value(const RecordHeader& record, std::span<const std::byte> bytes) override;
    bool on_value_part(std::span<const std::byte> part) override;
    bool on_record_end(std::uint64_t offset) override;
    bool on_end(const Trailer& trailer) override;

   private:
    StreamReading& owner_;
  };

  void feed(std::string_view piece);
  void finish(std::uint64_t left);
  void judge(const Result<void>& read);

  fuzz::EventDigest frame_;
  fuzz::ValueDigest values_;
  Header header_;
  ValueReader reader_;
  Sink sink_;
  Parser parser_;
  bool refused_ = false;
  bool done_ = false;   // the value was taken as a whole
  bool ahead_ = false;  // its first part was read before it came
  bool checksum_ok_ = false;
};

}  // namespace sluice::rdb::testing
