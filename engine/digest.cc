#include "sluice/digest.h"

#include <fmt/format.h>

#include <boost/json.hpp>

#include "engine/digest_reader.h"
#include "engine/json.h"
#include "engine/place.h"
#include "engine/progress_meter.h"

namespace sluice {

Result<DigestResult> digest(const Place& place, const JobContext& job) {
  engine::ProgressMeter meter(job);
  engine::FactsAndDigest seen;
  rdb::Parser parser(seen);
  const auto read = engine::read_place(place, parser, meter, job);
  if (!read) return std::unexpected(read.error());
  const auto taken = seen.digest().digest();
  if (!taken) {
    return std::unexpected(
        Error{.stage = Stage::rdb,
              .code = "undecodable",
              .message = fmt::format("{} value(s) cannot be decoded, so there is no digest; the "
                                     "first: {}",
                                     seen.digest().undecodable(), seen.digest().first_problem())});
  }
  DigestResult result{.keys = seen.keys(), .digest = *taken, .recorded = {}};
  if (read->manifest && read->manifest->digest && rdb::is_current_digest(*read->manifest->digest)) {
    result.recorded = read->manifest->digest;
  }
  return result;
}

std::string to_json(const DigestResult& result) {
  return boost::json::serialize(
      boost::json::object{{"keys", result.keys},
                          {"digest", result.digest},
                          {"recorded", engine::json_optional(result.recorded)}});
}

}  // namespace sluice
