#include "sluice/analyze.h"

#include <algorithm>
#include <memory>
#include <span>

#include "engine/analysis.h"
#include "engine/clock.h"
#include "engine/manifest.h"
#include "engine/output_file.h"
#include "engine/place.h"
#include "engine/progress_meter.h"
#include "rdb/parser.h"

namespace sluice {
namespace {

Result<void> judge(const AnalyzeOptions& options) {
  const auto refuse = [](std::string message) {
    return std::unexpected(
        Error{.stage = Stage::usage, .code = "bad_option", .message = std::move(message)});
  };
  if (options.top > AnalyzeOptions::top_max) {
    return refuse("at most " + std::to_string(AnalyzeOptions::top_max) + " keys a list");
  }
  if (options.depth < 1 || options.depth > AnalyzeOptions::depth_max) {
    return refuse("a depth of 1 to " + std::to_string(AnalyzeOptions::depth_max) + " segments");
  }
  const auto wrong = [](std::size_t count) {
    return count < 1 || count > AnalyzeOptions::shards_max;
  };
  if (std::ranges::any_of(options.shards, wrong)) {
    return refuse("a cluster of 1 to " + std::to_string(AnalyzeOptions::shards_max) + " shards");
  }
  return {};
}

/// A file does not say what server it came from but in its aux fields.
void complete_from_aux(BackupSource& source, const engine::StreamFacts& facts) {
  if (facts.header()) source.rdb_version = facts.header()->version;
  if (!source.version.empty()) return;
  for (const std::string server : {"redis", "valkey"}) {
    const std::string version = facts.aux(server + "-ver");
    if (version.empty()) continue;
    source.server = server;
    source.version = version;
  }
}

/// Null when there is to be none.
Result<std::unique_ptr<engine::OutputFile>> open_page(const std::string& path) {
  if (path.empty()) return nullptr;
  return engine::OutputFile::open(path);
}

Result<void> write_page(engine::OutputFile* page, const AnalyzeResult& result) {
  if (page == nullptr) return {};
  const std::string text = to_html(result);
  page->write(std::as_bytes(std::span(text)));
  return page->commit();
}

}  // namespace

Result<AnalyzeResult> analyze(const AnalyzeOptions& options, const JobContext& job) {
  if (auto fine = judge(options); !fine) return std::unexpected(fine.error());
  const auto page = open_page(options.page);
  if (!page) return std::unexpected(page.error());
  engine::ProgressMeter meter(job);
  meter.set_phase("analyzing");
  engine::ValueMeasure measure;
  engine::Analysis analysis(measure, options, engine::unix_now_ms());
  rdb::Parser parser(analysis);
  auto facts = engine::read_place(options.place, parser, meter, job);
  if (!facts) return std::unexpected(facts.error());

  AnalyzeResult result = analysis.take_result();
  result.source = std::move(facts->source);
  if (facts->manifest) result.backup = options.place.name;
  complete_from_aux(result.source, analysis);
  result.source = engine::printable(result.source);
  result.bytes = parser.offset();
  result.seconds = meter.seconds();
  if (auto written = write_page(page->get(), result); !written) {
    return std::unexpected(written.error());
  }
  return result;
}

}  // namespace sluice
