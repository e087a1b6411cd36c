#include "sluice/export.h"

#include <boost/json.hpp>
#include <functional>
#include <memory>
#include <utility>

#include "engine/chosen_place.h"
#include "engine/csv_format.h"
#include "engine/errors.h"
#include "engine/export_stream.h"
#include "engine/json.h"
#include "engine/jsonl_format.h"
#include "engine/output_buffer.h"
#include "engine/output_file.h"
#include "engine/place.h"
#include "engine/resp_format.h"

namespace sluice {
namespace {

constexpr std::size_t output_bytes = 256 << 10;

std::string_view to_text(TextFormat format) {
  switch (format) {
    case TextFormat::jsonl: return "jsonl";
    case TextFormat::resp: return "resp";
    case TextFormat::csv: return "csv";
  }
  return "unknown";
}

std::unique_ptr<engine::ExportFormat> make_format(TextFormat format, engine::OutputBuffer& out) {
  switch (format) {
    case TextFormat::jsonl:
      return std::make_unique<engine::JsonlFormat>(out, engine::JsonlFormat::Shape::line);
    case TextFormat::resp: return std::make_unique<engine::RespFormat>(out);
    case TextFormat::csv: return std::make_unique<engine::CsvFormat>(out);
  }
  return nullptr;
}

/// The name of a place in messages; an address may hold a password.
std::string name_of(const Place& place) {
  return is_server_uri(place.name) ? "the snapshot" : place.name;
}

/// What the format leaves out, for the operator to know.
void tell_losses(const engine::StreamFacts& facts, TextFormat format,
                 const engine::ProgressMeter& meter) {
  if (format != TextFormat::resp && facts.functions() > 0) {
    meter.notice(std::to_string(facts.functions()) +
                 " function libraries are not part of this format; --format resp has them");
  }
  if (facts.module_aux() > 0) {
    meter.notice("data that modules keep outside of keys are not part of an export");
  }
}

/// Whichever reason lies deepest: the output's, the format's, the place's.
Error reason(const engine::OutputFile& file, const engine::ExportStream& stream,
             const Error& place) {
  if (file.error()) return *file.error();
  return stream.error() ? *stream.error() : place;
}

}  // namespace

Result<ExportResult> export_place(const ExportOptions& options, const JobContext& job) {
  const auto chooser = engine::KeyChooser::make(options.keys);
  if (!chooser) return std::unexpected(chooser.error());
  auto file = engine::OutputFile::open(options.output);
  if (!file) return std::unexpected(file.error());
  engine::ProgressMeter meter(job);
  engine::OutputBuffer out(output_bytes, [&](auto bytes) { return (*file)->write(bytes); });
  const auto format = make_format(options.format, out);
  engine::ExportStream stream(*format, out, name_of(options.place));
  engine::ChosenPlace place(*chooser, options.functions, stream);
  const auto facts = place.read(options.place, meter, job);
  if (!facts) return std::unexpected(reason(**file, stream, facts.error()));
  out.flush();
  if (auto committed = (*file)->commit(); !committed) return std::unexpected(committed.error());
  tell_losses(stream, options.format, meter);

  ExportResult result;
  result.place = facts->manifest ? options.place.name : facts->source.uri;
  result.format = to_text(options.format);
  result.output = options.output;
  result.keys = stream.keys();
  result.types = stream.types();
  result.functions = stream.functions();
  result.filtered = place.filtered();
  result.unread = place.unread();
  result.runs_skipped = place.runs_skipped();
  result.raw_bytes = place.raw_bytes();
  result.bytes = out.size();
  result.seconds = meter.seconds();
  return result;
}

std::string to_json(const ExportResult& result) {
  return boost::json::serialize(boost::json::object{{"place", result.place},
                                                    {"format", result.format},
                                                    {"output", result.output},
                                                    {"keys", result.keys},
                                                    {"types", engine::json_counts(result.types)},
                                                    {"filtered", result.filtered},
                                                    {"unread", result.unread},
                                                    {"runs_skipped", result.runs_skipped},
                                                    {"functions", result.functions},
                                                    {"raw_bytes", result.raw_bytes},
                                                    {"bytes", result.bytes},
                                                    {"seconds", result.seconds}});
}

}  // namespace sluice
