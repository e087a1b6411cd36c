#include <algorithm>
#include <memory>
#include <set>
#include <utility>

#include "engine/canonical_rdb.h"
#include "engine/errors.h"
#include "engine/export_stream.h"
#include "engine/jsonl_format.h"
#include "engine/output_buffer.h"
#include "engine/output_file.h"
#include "engine/place.h"
#include "engine/record_finder.h"
#include "rdb/dump.h"
#include "rdb/escape.h"
#include "rdb/parser.h"
#include "sluice/export.h"

namespace sluice {
namespace {

constexpr std::size_t output_bytes = 64 << 10;

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text));
}

/// The bytes of a string, and nothing else.
class RawFormat final : public engine::ExportFormat {
 public:
  explicit RawFormat(engine::OutputBuffer& out) : out_(out) {}

  Want begin(const rdb::RecordHeader& record) override {
    if (record.type->logical == rdb::LogicalType::string) return Want::events;
    error_ =
        Error{.stage = Stage::usage,
              .code = "wrong_type",
              .message = "the key holds a " + std::string(rdb::to_string(record.type->logical)) +
                         "; raw is for strings, json and dump are for all"};
    return Want::nothing;
  }
  bool on_text(rdb::Role, const rdb::Text& text) override {
    out_.append(text.bytes);
    return out_.ok();
  }
  void end(std::uint64_t) override {}
  [[nodiscard]] std::optional<Error> error() const override { return error_; }

 private:
  engine::OutputBuffer& out_;
  std::optional<Error> error_;
};

/// The payload of DUMP.
class DumpFormat final : public engine::ExportFormat {
 public:
  explicit DumpFormat(engine::OutputBuffer& out) : out_(out) {}

  Want begin(const rdb::RecordHeader& record) override {
    auto payload = rdb::DumpPayload::begin(record);
    if (!payload) {
      error_ = engine::from_rdb(payload.error(), "get");
      return Want::nothing;
    }
    payload_ = std::move(*payload);
    out_.append(payload_->head());
    return Want::bytes;
  }
  void on_bytes(std::span<const std::byte> part) override {
    payload_->add(part);
    out_.append(part);
  }
  void end(std::uint64_t) override { out_.append(payload_->footer()); }
  [[nodiscard]] std::optional<Error> error() const override { return error_; }

 private:
  engine::OutputBuffer& out_;
  std::optional<rdb::DumpPayload> payload_;
  std::optional<Error> error_;
};

std::unique_ptr<engine::ExportFormat> make_format(ValueFormat format, engine::OutputBuffer& out) {
  using Shape = engine::JsonlFormat::Shape;
  switch (format) {
    case ValueFormat::json: return std::make_unique<engine::JsonlFormat>(out, Shape::value);
    case ValueFormat::json_line: return std::make_unique<engine::JsonlFormat>(out, Shape::line);
    case ValueFormat::raw: return std::make_unique<RawFormat>(out);
    case ValueFormat::dump: return std::make_unique<DumpFormat>(out);
  }
  return nullptr;
}

/// Passes one key on and stops the parser behind it.
class KeyFinder final : public rdb::Handler {
 public:
  KeyFinder(const GetOptions& options, engine::ExportStream& stream)
      : options_(options), stream_(stream) {}

  bool on_header(const rdb::Header& header) override { return stream_.on_header(header); }
  bool on_record_begin(const rdb::RecordHeader& record) override {
    if (seen_.empty() || last_db_ != record.db) seen_.insert(record.db);
    last_db_ = record.db;
    if (options_.db && *options_.db != record.db) return true;
    inside_ = std::ranges::equal(record.key, bytes_of(options_.key));
    return !inside_ || stream_.on_record_begin(record);
  }
  bool on_value_part(std::span<const std::byte> part) override {
    return !inside_ || stream_.on_value_part(part);
  }
  bool on_record_end(std::uint64_t offset) override {
    if (!inside_) return true;
    found_ = stream_.on_record_end(offset);
    return false;
  }

  [[nodiscard]] bool found() const noexcept { return found_; }
  /// Databases with keys.
  [[nodiscard]] const std::set<std::uint64_t>& seen() const noexcept { return seen_; }

 private:
  const GetOptions& options_;
  engine::ExportStream& stream_;
  std::set<std::uint64_t> seen_;
  std::uint64_t last_db_ = 0;
  bool inside_ = false;
  bool found_ = false;
};

/// `databases`: those with keys.
Error not_found(const GetOptions& options, const std::set<std::uint64_t>& databases) {
  std::string where;
  for (const std::uint64_t db : databases) {
    where += (where.empty() ? "" : ", ") + std::to_string(db);
  }
  std::string message = "no key \"" + rdb::escape(bytes_of(options.key)) + "\" in ";
  if (options.db) {
    message += "database " + std::to_string(*options.db) + "; ";
    message += where.empty() ? "there are no keys at all" : "databases with keys: " + where;
  } else {
    message += where.empty() ? "it: there are no keys at all" : "databases " + where;
  }
  return {.stage = Stage::engine, .code = "no_such_key", .message = std::move(message)};
}

/// Has `parser` parse an RDB of the one key, made of the few chunks that hold it.
Result<void> read_one(const engine::PlaceBackup& place, const GetOptions& options,
                      rdb::Parser& parser) {
  Result<void> parsed;  // the writer cannot ask
  const auto parse = [&](std::span<const std::byte> bytes) {
    if (!parsed) return;
    if (const auto fed = parser.feed(bytes); !fed)
      parsed = std::unexpected(engine::from_rdb(fed.error(), options.place.name));
  };
  auto rdb = engine::CanonicalRdb::open(*place.repository, place.backup, parse);
  if (!rdb) return std::unexpected(rdb.error());
  engine::RecordFinder finder((*rdb)->map(), place.backup.manifest.by_slot(), (*rdb)->chunks());
  const auto found = finder.find(bytes_of(options.key), options.db);
  if (!found) return std::unexpected(found.error());
  if (!*found) {
    std::set<std::uint64_t> databases;
    for (const auto& [db, keys] : place.backup.manifest.databases) databases.insert(db);
    return std::unexpected(not_found(options, databases));
  }
  (*rdb)->begin_bare();
  if (auto written = (*rdb)->record((*found)->db, (*found)->record); !written) return written;
  (*rdb)->flush();
  return parsed;
}

/// Has `parser` parse the place as far as its handler wants.
Result<void> read_until_found(const GetOptions& options, rdb::Parser& parser,
                              engine::ProgressMeter& meter, const JobContext& job) {
  if (!engine::is_backup(options.place)) {
    const auto read = engine::read_place(options.place, parser, meter, job);
    return read ? Result<void>() : std::unexpected(read.error());
  }
  const auto place = engine::open_place(options.place);
  if (!place) return std::unexpected(place.error());
  if (place->is_canonical()) return read_one(*place, options, parser);
  return engine::read_place(*place, parser, meter, job);
}

}  // namespace

Result<void> get_key(const GetOptions& options, const JobContext& job) {
  auto file = engine::OutputFile::open(options.output);
  if (!file) return std::unexpected(file.error());
  engine::ProgressMeter meter(job);
  engine::OutputBuffer out(output_bytes, [&](auto bytes) { return (*file)->write(bytes); });
  const auto format = make_format(options.format, out);
  engine::ExportStream stream(
      *format, out, is_server_uri(options.place.name) ? "the snapshot" : options.place.name);
  KeyFinder finder(options, stream);
  rdb::Parser parser(finder);
  const auto read = read_until_found(options, parser, meter, job);
  if (!finder.found()) {
    if ((*file)->error()) return std::unexpected(*(*file)->error());
    if (stream.error()) return std::unexpected(*stream.error());
    if (!read) return std::unexpected(read.error());
    return std::unexpected(not_found(options, finder.seen()));
  }
  out.flush();
  return (*file)->commit();
}

}  // namespace sluice
