#include "sluice/rdb_export.h"

#include <algorithm>
#include <boost/json.hpp>
#include <functional>
#include <memory>
#include <utility>

#include "engine/backup_stream.h"
#include "engine/canonical_rdb.h"
#include "engine/chosen_place.h"
#include "engine/conversion_loss.h"
#include "engine/errors.h"
#include "engine/json.h"
#include "engine/output_file.h"
#include "engine/place.h"
#include "engine/rdb_export_stream.h"
#include "rdb/escape.h"
#include "rdb/parser.h"

namespace sluice {
namespace {

using rdb::Dialect;
using rdb::Header;

Result<std::optional<Header>> target_of(const RdbExportOptions& options) {
  if (!options.rdb_version) return std::nullopt;
  const unsigned version = *options.rdb_version;
  const Header target{version >= 80 ? Dialect::valkey : Dialect::redis, version};
  if (rdb::is_writable(target)) return target;
  return std::unexpected(Error{.stage = Stage::usage,
                               .code = "bad_option",
                               .message = "RDB version " + std::to_string(version) +
                                          " cannot be written; 6 to 14 can, and 80 for Valkey"});
}

void take_counts(RdbExportResult& result, const engine::RdbExportStream& stream) {
  const rdb::ConversionCounts& counts = stream.counts();
  result.dialect = stream.target().dialect == Dialect::valkey ? "valkey" : "redis";
  result.rdb_version = stream.target().version;
  result.keys = stream.keys();
  result.written = counts.verbatim + counts.transcoded;
  result.transcoded = counts.transcoded;
  result.types = stream.types();
  result.functions = counts.functions;
  result.lru_lfu_dropped = counts.lru_lfu_left_out;
  result.scripts_dropped = counts.scripts_left_out;
  result.bytes = stream.bytes_written();
}

/// Whether the bytes of the backup are what is wanted.
bool is_wanted(const std::optional<Header>& target, const engine::Manifest& manifest) {
  const Header source = engine::header_of(manifest);
  return !target || (target->dialect == source.dialect && target->version == source.version);
}

/// Writes the RDB of a backup as it is. It is parsed on the way, so that nothing is published that
/// is not whole.
Result<void> copy(const engine::PlaceBackup& place, engine::OutputFile& file,
                  engine::ProgressMeter& meter, const JobContext& job, RdbExportResult& result) {
  const std::string what = "backup " + place.backup.stored.key.id;
  engine::StreamFacts facts;
  rdb::Parser parser(facts);
  meter.set_phase("reading " + place.backup.stored.key.id);
  meter.set_total(place.backup.manifest.raw_bytes);
  const auto sink = [&](std::span<const std::byte> bytes) -> Result<void> {
    if (auto fed = engine::feed_parser(parser, bytes, what); !fed) return fed;
    meter.update(parser.offset(), parser.records());
    if (file.write(bytes)) return {};
    return std::unexpected(*file.error());
  };
  if (auto read = engine::read_rdb(*place.repository, place.backup, sink, job); !read) return read;
  if (auto ended = parser.finish(); !ended)
    return std::unexpected(engine::from_rdb(ended.error(), what));
  result.dialect = place.backup.manifest.dialect;
  result.rdb_version = facts.header()->version;
  result.keys = facts.keys();
  result.written = facts.keys();
  result.types = facts.types();
  result.functions = facts.functions();
  result.raw_bytes = parser.offset();
  result.bytes = parser.offset();
  return {};
}

/// Writes what `read` has a parser parse in another version, or in that of the stream.
Result<void> convert(const RdbExportOptions& options, const engine::KeyChooser& chooser,
                     const std::optional<Header>& target, engine::OutputFile& file,
                     RdbExportResult& result,
                     const std::function<Result<void>(engine::ChosenPlace&)>& read) {
  engine::RdbExportStream stream(target, file, [&](const rdb::ConversionLoss& loss) {
    ++result.loss_count;
    if (result.losses.size() < RdbExportResult::losses_max)
      result.losses.push_back(engine::describe(loss));
  });
  engine::ChosenPlace place(chooser, options.functions, stream);
  if (auto done = read(place); !done) return std::unexpected(stream.error().value_or(done.error()));
  take_counts(result, stream);
  result.filtered = place.filtered();
  result.unread = place.unread();
  result.runs_skipped = place.runs_skipped();
  result.raw_bytes = place.raw_bytes();
  return {};
}

Result<void> write(const RdbExportOptions& options, const std::optional<Header>& target,
                   engine::OutputFile& file, engine::ProgressMeter& meter, const JobContext& job,
                   RdbExportResult& result) {
  const auto chooser = engine::KeyChooser::make(options.keys);
  if (!chooser) return std::unexpected(chooser.error());
  if (!engine::is_backup(options.place)) {
    const auto read = [&](engine::ChosenPlace& place) -> Result<void> {
      const auto facts = place.read(options.place, meter, job);
      if (!facts) return std::unexpected(facts.error());
      result.place = facts->source.uri;
      return {};
    };
    return convert(options, *chooser, target, file, result, read);
  }
  const auto place = engine::open_place(options.place);
  if (!place) return std::unexpected(place.error());
  result.place = options.place.name;
  if (chooser->takes_all() && is_wanted(target, place->backup.manifest))
    return copy(*place, file, meter, job, result);
  return convert(options, *chooser, target, file, result,
                 [&](engine::ChosenPlace& chosen) { return chosen.read(*place, meter, job); });
}

}  // namespace

Result<RdbExportResult> export_rdb(const RdbExportOptions& options, const JobContext& job) {
  const auto target = target_of(options);
  if (!target) return std::unexpected(target.error());
  auto file = engine::OutputFile::open(options.output);
  if (!file) return std::unexpected(file.error());
  RdbExportResult result;
  engine::ProgressMeter meter(job);
  if (auto written = write(options, *target, **file, meter, job, result); !written)
    return std::unexpected(written.error());
  if (auto committed = (*file)->commit(); !committed) return std::unexpected(committed.error());
  result.output = options.output;
  result.seconds = meter.seconds();
  return result;
}

std::string to_json(const RdbExportResult& result) {
  namespace json = boost::json;
  return json::serialize(json::object{{"place", result.place},
                                      {"format", "rdb"},
                                      {"output", result.output},
                                      {"dialect", result.dialect},
                                      {"rdb_version", result.rdb_version},
                                      {"keys", result.keys},
                                      {"written", result.written},
                                      {"transcoded", result.transcoded},
                                      {"types", engine::json_counts(result.types)},
                                      {"filtered", result.filtered},
                                      {"unread", result.unread},
                                      {"runs_skipped", result.runs_skipped},
                                      {"functions", result.functions},
                                      {"lru_lfu_dropped", result.lru_lfu_dropped},
                                      {"scripts_dropped", result.scripts_dropped},
                                      {"losses", engine::json_losses(result.losses)},
                                      {"loss_count", result.loss_count},
                                      {"raw_bytes", result.raw_bytes},
                                      {"bytes", result.bytes},
                                      {"seconds", result.seconds}});
}

}  // namespace sluice
