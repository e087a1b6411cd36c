#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "rdb/converter.h"
#include "rdb/error.h"
#include "rdb/parser.h"
#include "rdb/writer.h"

namespace sluice::rdb::testing {

/// Keeps a value in memory and gives it back in pieces of `piece_bytes`.
class MemoryStore final : public ValueStore {
 public:
  explicit MemoryStore(std::size_t piece_bytes = SIZE_MAX) : piece_bytes_(piece_bytes) {}

  void clear() override { bytes_.clear(); }
  void append(std::span<const std::byte> part) override {
    bytes_.insert(bytes_.end(), part.begin(), part.end());
  }
  void replay(const std::function<bool(std::span<const std::byte>)>& take) override {
    std::span<const std::byte> left(bytes_);
    while (!left.empty()) {
      const auto piece = left.first(std::min(left.size(), piece_bytes_));
      left = left.subspan(piece.size());
      if (!take(piece)) return;
    }
  }

 private:
  std::size_t piece_bytes_;
  std::vector<std::byte> bytes_;
};

struct LostPart {
  ConversionLoss::Of of{};
  std::uint64_t db = 0;
  std::string name;
  Losses losses;
  std::string error;
};

struct Converted {
  std::string content;  ///< The stream written; not whole when there is an error.
  std::vector<LostPart> losses;
  ConversionCounts counts;
  std::optional<Error> error;  ///< Of the source.
};

/// `source`, fed in pieces of `piece_bytes`, as a stream of another version.
[[nodiscard]] inline Converted convert(std::span<const std::byte> source, const Header& target,
                                       WriteOptions options = {},
                                       std::size_t piece_bytes = SIZE_MAX) {
  Converted converted;
  Writer writer(
      target,
      [&](std::span<const std::byte> bytes) {
        converted.content.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
      },
      options);
  MemoryStore store(piece_bytes);
  Converter converter(writer, store, [&](const ConversionLoss& loss) {
    converted.losses.push_back(
        {.of = loss.of,
         .db = loss.db,
         .name = {reinterpret_cast<const char*>(loss.name.data()), loss.name.size()},
         .losses = loss.losses,
         .error = loss.error != nullptr ? to_string(*loss.error) : std::string()});
  });
  Parser parser(converter);
  while (!parser.done() && !source.empty() && !converted.error) {
    const auto piece = source.first(std::min(source.size(), piece_bytes));
    source = source.subspan(piece.size());
    if (const auto taken = parser.feed(piece); !taken) converted.error = taken.error();
  }
  if (!converted.error) {
    if (const auto finished = parser.finish(); !finished) converted.error = finished.error();
  }
  if (converter.error()) converted.error = converter.error();
  converted.counts = converter.counts();
  return converted;
}

/// Every version that can be written.
inline const std::vector<Header> targets{
    {Dialect::redis, 6},  {Dialect::redis, 7},  {Dialect::redis, 8},  {Dialect::redis, 9},
    {Dialect::redis, 10}, {Dialect::redis, 11}, {Dialect::redis, 12}, {Dialect::redis, 13},
    {Dialect::redis, 14}, {Dialect::valkey, 80}};

}  // namespace sluice::rdb::testing
