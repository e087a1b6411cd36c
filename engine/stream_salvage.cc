#include "engine/stream_salvage.h"

#include <memory>
#include <utility>

#include "engine/canonical_rdb.h"
#include "engine/errors.h"
#include "rdb/parser.h"
#include "rdb/writer.h"
#include "storage/chunk_reader.h"

namespace sluice::engine {
namespace {

constexpr unsigned version_with_checksum = 5;

bool begins_inside(const storage::ChunkRef& chunk) noexcept { return chunk.tag[2] != 0; }

/// Where the last record that is whole ends.
class LastBorder final : public rdb::Handler {
 public:
  bool on_record_end(std::uint64_t offset) override {
    offset_ = offset;
    ++records_;
    return true;
  }
  [[nodiscard]] std::uint64_t offset() const noexcept { return offset_; }
  [[nodiscard]] std::uint64_t records() const noexcept { return records_; }

 private:
  std::uint64_t offset_ = 0;
  std::uint64_t records_ = 0;
};

class StreamSalvage {
 public:
  StreamSalvage(const SalvageSetting& setting, OutputFile& file, const JobContext& job,
                storage::ChunkReader& reader)
      : setting_(setting),
        stored_(setting.backup->stored),
        header_(header_of(setting.backup->manifest)),
        job_(job),
        reader_(reader),
        file_(file),
        writer_(header_, [&file](std::span<const std::byte> bytes) { (void)file.write(bytes); }) {}

  Result<void> run();
  [[nodiscard]] std::uint64_t keys() const noexcept { return keys_; }

 private:
  /// Bytes after the last record's border that stand in an RDB once: EOF and the checksum.
  [[nodiscard]] std::uint64_t footer_bytes() const noexcept {
    return header_.version >= version_with_checksum ? 9 : 1;
  }
  Result<void> copy(const StreamStretch& stretch);
  /// The first `bytes` of chunks [first, end).
  Result<void> copy_chunks(std::uint32_t first, std::uint32_t end, std::uint64_t bytes);
  /// Of chunks [first, end), up to the last record that is whole; adds its records.
  Result<std::uint64_t> whole_bytes(std::uint32_t first, std::uint32_t end);
  [[nodiscard]] std::uint64_t bytes_of(std::uint32_t first, std::uint32_t end) const;

  const SalvageSetting& setting_;
  const storage::Backup& stored_;
  rdb::Header header_;
  const JobContext& job_;
  storage::ChunkReader& reader_;
  OutputFile& file_;
  rdb::Writer writer_;
  std::uint64_t keys_ = 0;
};

std::uint64_t StreamSalvage::bytes_of(std::uint32_t first, std::uint32_t end) const {
  std::uint64_t bytes = 0;
  for (std::uint32_t i = first; i < end; ++i) bytes += stored_.chunks[i].raw_bytes;
  return bytes;
}

Result<void> StreamSalvage::copy_chunks(std::uint32_t first, std::uint32_t end,
                                        std::uint64_t bytes) {
  reader_.reset(first, end - first);
  for (std::uint32_t i = first; i < end && bytes > 0; ++i) {
    if (job_.stop.stop_requested()) return std::unexpected(cancelled());
    const auto chunk = reader_.next();
    if (!chunk) return std::unexpected(from_storage(chunk.error()));
    const auto part = (*chunk)->raw.first(
        static_cast<std::size_t>(std::min<std::uint64_t>(bytes, (*chunk)->raw.size())));
    writer_.raw(part);
    bytes -= part.size();
    if (file_.error()) return std::unexpected(*file_.error());
  }
  return {};
}

Result<std::uint64_t> StreamSalvage::whole_bytes(std::uint32_t first, std::uint32_t end) {
  LastBorder border;
  rdb::Parser parser(border);
  std::uint64_t before = 0;  // bytes that are not of the chunks
  if (first > 0) {           // the beginning of an RDB, for the parser to know the version
    rdb::Writer writer(header_, [&](std::span<const std::byte> bytes) {
      before += bytes.size();
      (void)parser.feed(bytes);
    });
    writer.begin();
    writer.flush();
  }
  reader_.reset(first, end - first);
  for (std::uint32_t i = first; i < end; ++i) {
    if (job_.stop.stop_requested()) return std::unexpected(cancelled());
    const auto chunk = reader_.next();
    if (!chunk) return std::unexpected(from_storage(chunk.error()));
    if (!parser.feed((*chunk)->raw)) break;  // up to there, then
  }
  keys_ += border.records();
  return border.offset() > before ? border.offset() - before : 0;
}

Result<void> StreamSalvage::copy(const StreamStretch& stretch) {
  const auto& chunks = stored_.chunks;
  if (stretch.first > 0) writer_.select_db(chunks[stretch.first].tag[1]);
  const bool is_last = stretch.end == chunks.size();
  if (!stretch.is_cut) {
    const std::uint64_t records =
        is_last ? setting_.backup->manifest.keys : chunks[stretch.end].tag[0];
    keys_ += records - std::min(records, chunks[stretch.first].tag[0]);
    const std::uint64_t bytes = bytes_of(stretch.first, stretch.end);
    const std::uint64_t footer = is_last ? footer_bytes() : 0;
    return copy_chunks(stretch.first, stretch.end, bytes - std::min(bytes, footer));
  }
  const std::uint32_t border = stretch.last_border;
  keys_ += chunks[border].tag[0] - std::min(chunks[border].tag[0], chunks[stretch.first].tag[0]);
  if (auto copied = copy_chunks(stretch.first, border, bytes_of(stretch.first, border)); !copied)
    return copied;
  const auto bytes = whole_bytes(border, stretch.end);
  if (!bytes) return std::unexpected(bytes.error());
  return copy_chunks(border, stretch.end, *bytes);
}

Result<void> StreamSalvage::run() {
  const auto stretches = stretches_of(stored_, setting_.lost);
  bool has_head = !stretches.empty() && stretches.front().first == 0;
  if (has_head && stretches.front().is_cut && stretches.front().last_border == 0) {
    // It may be that nothing of it is whole, not even the magic.
    const std::uint64_t keys = keys_;
    const auto bytes = whole_bytes(0, stretches.front().end);
    if (!bytes) return std::unexpected(bytes.error());
    keys_ = keys;
    has_head = *bytes > 0;
  }
  if (!has_head) writer_.begin();
  for (const StreamStretch& stretch : stretches) {
    if (auto copied = copy(stretch); !copied) return copied;
  }
  if (header_.version >= version_with_checksum) {
    writer_.end();
  } else {
    constexpr std::uint8_t opcode_eof = 255;
    writer_.byte(opcode_eof);
    writer_.flush();
  }
  return {};
}

}  // namespace

std::vector<StreamStretch> stretches_of(const storage::Backup& stored,
                                        const std::vector<bool>& lost) {
  const auto size = static_cast<std::uint32_t>(stored.chunks.size());
  std::vector<StreamStretch> stretches;
  for (std::uint32_t at = 0; at < size;) {
    if (lost[at] || begins_inside(stored.chunks[at])) {
      ++at;
      continue;
    }
    StreamStretch stretch{.first = at, .end = at, .last_border = at, .is_cut = false};
    for (; at < size && !lost[at]; ++at) {
      if (!begins_inside(stored.chunks[at])) stretch.last_border = at;
    }
    stretch.end = at;
    stretch.is_cut = at < size && begins_inside(stored.chunks[at]);
    stretches.push_back(stretch);
  }
  return stretches;
}

Result<std::uint64_t> salvage_stream(const SalvageSetting& setting, OutputFile& file,
                                     const JobContext& job) {
  auto reader = storage::ChunkReader::open(*setting.repository, setting.backup->stored, 0, 0);
  if (!reader) return std::unexpected(from_storage(reader.error()));
  StreamSalvage salvage(setting, file, job, **reader);
  if (auto run = salvage.run(); !run) return std::unexpected(run.error());
  return salvage.keys();
}

}  // namespace sluice::engine
