#include "engine/feed_image.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <optional>
#include <utility>
#include <vector>

#include "engine/digest_reader.h"
#include "engine/errors.h"
#include "rdb/parser.h"

namespace sluice::engine {
namespace {

constexpr std::size_t block_bytes = 1 << 20;

Error broken(std::string what) {
  return {.stage = Stage::engine,
          .code = "feed_changed",
          .message = std::move(what) + "; this is a fault of sluice"};
}

/// Takes the digest of an RDB that passes by.
class FedDigest final : public rdb::Handler {
 public:
  explicit FedDigest(WrittenDigest& written) : written_(written) {}

  bool on_header(const rdb::Header& header) override {
    header_ = header;
    return true;
  }
  bool on_record_begin(const rdb::RecordHeader& record) override {
    written_.begin(record, header_);
    return true;
  }
  bool on_value_part(std::span<const std::byte> part) override {
    written_.add(part);
    return true;
  }
  bool on_record_end(std::uint64_t) override {
    written_.answered(written_.taken(), true);
    return true;
  }

 private:
  WrittenDigest& written_;
  rdb::Header header_;
};

/// Reads what is made, as the target will: what it could not read is not sent.
class MadeCheck {
 public:
  explicit MadeCheck(rdb::Handler& handler) : parser_(handler) {}

  Result<void> take(std::span<const std::byte> bytes) {
    return feed_parser(parser_, bytes, "the RDB that was made");
  }
  Result<void> finish() {
    if (auto ended = parser_.finish(); !ended)
      return std::unexpected(from_rdb(ended.error(), "the RDB that was made"));
    return {};
  }

 private:
  rdb::Parser parser_;
};

/// Joins pieces into blocks.
class BlockSink {
 public:
  explicit BlockSink(const RdbSink& sink) : sink_(sink) { block_.reserve(block_bytes); }

  Result<void> take(std::span<const std::byte> bytes) {
    bytes_ += bytes.size();
    if (block_.size() + bytes.size() > block_bytes) {
      if (auto sent = flush(); !sent) return sent;
    }
    if (bytes.size() > block_bytes) return sink_(bytes);
    block_.insert(block_.end(), bytes.begin(), bytes.end());
    return {};
  }
  Result<void> flush() {
    if (block_.empty()) return {};
    auto sent = sink_(block_);
    block_.clear();
    return sent;
  }
  [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }

 private:
  const RdbSink& sink_;
  std::vector<std::byte> block_;
  std::uint64_t bytes_ = 0;
};

}  // namespace

Result<void> FeedImage::make(FeedStream& stream, const JobContext& job,
                             const std::function<Result<void>(rdb::Parser&)>& on_bytes) const {
  rdb::Parser parser(stream);
  auto read = read_back(repository_, backup_, parser, job, [&] { return on_bytes(parser); });
  if (!read && stream.error()) return std::unexpected(*stream.error());
  return read;
}

Result<void> FeedImage::measure(ProgressMeter& meter, const JobContext& job) {
  FactsAndDigest made;
  MadeCheck check(made);
  Result<void> checked;
  const bool is_sorted = backup_.manifest.layout == Manifest::layout_canonical;
  auto stream =
      std::make_unique<FeedStream>(form_, is_sorted, [&](std::span<const std::byte> part) {
        if (checked && form_.converted) checked = check.take(part);
      });
  meter.set_phase("checking the backup");
  meter.set_total(backup_.manifest.raw_bytes);
  auto read = make(*stream, job, [&](rdb::Parser& parser) {
    meter.update(parser.offset(), stream->keys());
    return checked;
  });
  if (!read) return read;
  if (form_.converted) {
    if (checked) checked = check.finish();
    if (!checked) return checked;
    if (made.digest().undecodable() > 0)
      return std::unexpected(broken(made.digest().first_problem()));
  }
  if (const auto differing = differences(backup_.manifest, *stream); !differing.empty()) {
    return std::unexpected(Error{.stage = Stage::storage,
                                 .code = "corrupt",
                                 .message = fmt::format("backup {}: {}", backup_.stored.key.id,
                                                        fmt::join(differing, "; "))});
  }
  measured_ = std::move(stream);
  return {};
}

Result<void> FeedImage::send(const RdbSink& sink, WrittenDigest* written,
                             const JobContext& job) const {
  std::optional<FedDigest> digest;
  std::optional<MadeCheck> check;
  if (written != nullptr) check.emplace(digest.emplace(*written));
  BlockSink blocks(sink);
  Result<void> sent;
  FeedStream stream(form_, false, [&](std::span<const std::byte> part) {
    if (sent && blocks.bytes() + part.size() > bytes())
      sent = std::unexpected(broken("the RDB grew"));
    if (sent) sent = blocks.take(part);
    if (sent && check) sent = check->take(part);
  });
  auto read = make(stream, job, [&](rdb::Parser&) { return sent; });
  if (!sent) return sent;
  if (!read) return read;
  if (check) {
    if (auto ended = check->finish(); !ended) return ended;
  }
  if (blocks.bytes() != bytes()) return std::unexpected(broken("the RDB shrank"));
  return blocks.flush();
}

}  // namespace sluice::engine
