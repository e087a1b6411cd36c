#include "sluice/doctor.h"

#include <algorithm>
#include <boost/json.hpp>

#include "engine/errors.h"
#include "engine/feed_doctor.h"
#include "engine/findings.h"
#include "engine/progress_meter.h"
#include "engine/repository_doctor.h"
#include "engine/restore_doctor.h"
#include "engine/server_doctor.h"

namespace sluice {

std::string_view to_string(Finding::Level level) noexcept {
  switch (level) {
    case Finding::Level::ok: return "ok";
    case Finding::Level::warn: return "warn";
    case Finding::Level::fail: return "fail";
  }
  return "";
}

bool DoctorResult::ok() const {
  return std::ranges::none_of(
      findings, [](const Finding& finding) { return finding.level == Finding::Level::fail; });
}

Result<DoctorResult> doctor(const DoctorOptions& options, const JobContext& job) {
  engine::ProgressMeter meter(job);
  engine::Findings findings;
  DoctorResult result;
  if (is_server_uri(options.place)) {
    result.kind = "server";
    ServerAddress address = options.server;
    address.uri = options.place;
    auto place = engine::examine_server(address, findings, meter, job);
    if (!place) return std::unexpected(place.error());
    result.place = std::move(*place);
    engine::examine_feed(options, address, findings, job);
    engine::examine_restore(options, address, findings, job);
  } else {
    result.kind = "repository";
    result.place = options.place;
    auto bench = engine::examine_repository(options, findings, meter, job);
    if (!bench) return std::unexpected(bench.error());
    result.bench = std::move(*bench);
  }
  if (job.stop.stop_requested()) return std::unexpected(engine::cancelled());
  result.findings = findings.take();
  result.seconds = meter.seconds();
  return result;
}

std::string to_json(const DoctorResult& result) {
  namespace json = boost::json;
  json::array findings;
  for (const Finding& finding : result.findings) {
    findings.push_back({{"level", to_string(finding.level)},
                        {"about", finding.about},
                        {"text", finding.text},
                        {"remedy", finding.remedy}});
  }
  json::value bench = nullptr;
  if (result.bench) {
    json::array speeds;
    for (const DiskSpeed& speed : result.bench->speeds) {
      speeds.push_back({{"backend", speed.backend},
                        {"direct", speed.direct},
                        {"write_mb_s", speed.write_mb_s},
                        {"read_mb_s", speed.read_mb_s}});
    }
    bench = {{"speeds", std::move(speeds)},
             {"sync_median_ms", result.bench->sync_median_ms},
             {"sync_max_ms", result.bench->sync_max_ms},
             {"direct", result.bench->direct},
             {"kept", result.bench->kept}};
  }
  return json::serialize(json::object{{"place", result.place},
                                      {"kind", result.kind},
                                      {"ok", result.ok()},
                                      {"findings", std::move(findings)},
                                      {"bench", std::move(bench)},
                                      {"seconds", result.seconds}});
}

}  // namespace sluice
