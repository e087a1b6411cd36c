#include "service/restore_outcome.h"

#include <fmt/format.h>

#include "service/job_places.h"

namespace sluice::service {

std::optional<Error> fault_of(const RestoreResult& result) {
  if (result.interrupted) return result.interrupted;
  if (result.total.failed + result.functions_failed > 0) {
    return Error{.stage = Stage::engine,
                 .code = "keys_failed",
                 .message = fmt::format(
                     "{} key(s) and {} function libraries did not get there; "
                     "the first: {}",
                     result.total.failed, result.functions_failed,
                     result.failures.empty()
                         ? "not said"
                         : result.failures.front().key + ": " + result.failures.front().message)};
  }
  if (result.verified && !*result.verified) {
    return Error{.stage = Stage::engine,
                 .code = "digest_differs",
                 .message =
                     "what the target holds is not what was written: the digests differ; "
                     "somebody else may have written to it meanwhile"};
  }
  return std::nullopt;
}

JobOutcome outcome_of(const RestoreResult& result) {
  std::string text = sluice::to_json(result);
  if (const auto fault = fault_of(result)) return failed(*fault, std::move(text));
  return done(std::move(text));
}

}  // namespace sluice::service
