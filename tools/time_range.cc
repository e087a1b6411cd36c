#include "time_range.h"

#include "sluice/catalog.h"

namespace sluice::tools {

void add_time_range(CLI::App& app, TimeRange& range) {
  app.add_option("--from", range.from, "Started at or after, like 2026-11-22T09:00:00Z")
      ->type_name("TIME");
  app.add_option("--to", range.to, "Started at or before")->type_name("TIME");
}

Result<std::optional<std::int64_t>> time_of(const std::string& end) {
  if (end.empty()) return std::optional<std::int64_t>();
  const auto time = parse_time(end);
  if (!time) return std::unexpected(time.error());
  return std::optional(*time);
}

}  // namespace sluice::tools
