#include "engine/conversion_loss.h"

#include <boost/json/object.hpp>

#include "rdb/escape.h"

namespace sluice::engine {
namespace {

std::string_view to_text(rdb::ConversionLoss::Of of) {
  switch (of) {
    case rdb::ConversionLoss::Of::key: return "key";
    case rdb::ConversionLoss::Of::function: return "function";
    case rdb::ConversionLoss::Of::module_aux: return "module_aux";
  }
  return "unknown";
}

/// In the JSON; the sentences are rdb's.
std::string_view code_of(rdb::Loss loss) {
  switch (loss) {
    case rdb::Loss::value: return "value";
    case rdb::Loss::key_meta: return "key_meta";
    case rdb::Loss::field_expiries: return "field_expiries";
    case rdb::Loss::idempotency: return "idempotency";
    case rdb::Loss::nack_zone: return "nack_zone";
    case rdb::Loss::stream_history: return "stream_history";
    case rdb::Loss::active_times: return "active_times";
  }
  return "unknown";
}

std::string message_of(const RdbLoss& loss, const std::string& lost, const rdb::Error* error) {
  if (loss.of == "function") return "function library \"" + loss.name + "\" is left out";
  if (loss.of == "module_aux")
    return "data of module " + loss.name + " outside of keys are left out";
  const std::string key =
      "db " + std::to_string(loss.db) + " key \"" + loss.name + "\" (" + loss.type;
  if (error != nullptr) return key + ") is left out: " + to_string(*error);
  if (loss.what.front() == "value") return key + ") is left out: this version has no such value";
  return key + ") loses " + lost;
}

}  // namespace

RdbLoss describe(const rdb::ConversionLoss& loss) {
  RdbLoss described{.of = std::string(to_text(loss.of)),
                    .db = loss.db,
                    .name = rdb::escape(loss.name),
                    .type = loss.type != nullptr ? std::string(loss.type->name) : std::string(),
                    .what = {},
                    .message = {}};
  std::string lost;
  for (std::size_t number = 0; number < rdb::loss_count; ++number) {
    const auto which = static_cast<rdb::Loss>(number);
    if (!loss.losses.has(which)) continue;
    described.what.emplace_back(code_of(which));
    if (!lost.empty()) lost += "; ";
    lost += rdb::to_string(which);
  }
  described.message = message_of(described, lost, loss.error);
  return described;
}

boost::json::array json_losses(const std::vector<RdbLoss>& losses) {
  boost::json::array array;
  for (const RdbLoss& loss : losses) {
    array.push_back({{"of", loss.of},
                     {"db", loss.db},
                     {"name", loss.name},
                     {"type", loss.type},
                     {"what", boost::json::array(loss.what.begin(), loss.what.end())},
                     {"message", loss.message}});
  }
  return array;
}

}  // namespace sluice::engine
