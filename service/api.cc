#include "service/api.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>

#include "service/api_json.h"

namespace sluice::service {

unsigned limit_of(const Call& call, unsigned otherwise, unsigned most) {
  const auto text = call.request.parameter("limit");
  if (!text) return otherwise;
  const int limit = std::atoi(text->c_str());
  return limit < 1 ? otherwise : std::min(static_cast<unsigned>(limit), most);
}

std::optional<std::int64_t> number_in(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, bad] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (bad != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

HttpResponse no_such(std::string_view what, const std::string& name) {
  return error_response(404, "not_found", fmt::format("there is no {} {}", what, name));
}

HttpResponse queue(Call& call, NewJob job) {
  job.actor = call.caller.name;
  const auto added = call.core.submit(job);
  if (!added) return error_response(added.error());
  if (call.detail.empty()) call.detail = fmt::format("job {}", added->id);
  return json_response({{"job", job_json(call.core, *added)}}, 202);
}

}  // namespace sluice::service
