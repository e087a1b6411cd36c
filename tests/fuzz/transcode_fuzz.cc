// Property: a stream that passes depth verify can be written in every version, whatever the cuts,
// and what comes of that passes depth verify too, with as many keys as were not left out.

#include <cstdint>
#include <cstdlib>
#include <optional>
#include <span>

#include "../rdb/conversion.h"
#include "rdb/parser.h"
#include "rdb/value_reader.h"

namespace {

using namespace sluice::rdb;

class Verifier final : public Handler {
 public:
  Verifier() : reader_(values_) {}
  bool on_header(const Header& header) override {
    header_ = header;
    return true;
  }
  bool on_record_begin(const RecordHeader& record) override {
    reader_.begin(record, header_);
    return true;
  }
  bool on_value_part(std::span<const std::byte> part) override {
    return reader_.feed(part).has_value();
  }
  bool on_record_end(std::uint64_t) override { return reader_.end().has_value(); }

 private:
  ValueHandler values_;
  ValueReader reader_;
  Header header_;
};

/// The number of keys; none when it is refused.
std::optional<std::uint64_t> verify(std::span<const std::byte> stream) {
  Verifier verifier;
  Parser parser(verifier);
  if (!parser.feed(stream) || !parser.finish()) return std::nullopt;
  return parser.records();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto input = std::as_bytes(std::span(data, size));
  const auto keys = verify(input);
  for (const Header& target : testing::targets) {
    const auto converted = testing::convert(input, target);
    if (keys && converted.error) std::abort();
    if (!keys) continue;
    const auto written = verify(std::as_bytes(std::span(converted.content)));
    if (written != *keys - converted.counts.left_out) std::abort();
    // Tiny pieces cost too much where there are many bytes.
    const std::size_t piece_bytes = size < 4096 ? 1 : 997;
    const auto in_pieces = testing::convert(input, target, {.compress = size < 4096}, piece_bytes);
    if (in_pieces.error) std::abort();
    if (size >= 4096 && in_pieces.content != converted.content) std::abort();
  }
  return 0;
}
