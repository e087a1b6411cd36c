#include "sluice/check.h"

#include <boost/json.hpp>
#include <vector>

#include "engine/errors.h"
#include "engine/file_input.h"
#include "engine/json.h"
#include "engine/progress_meter.h"
#include "engine/stream_facts.h"
#include "rdb/parser.h"

namespace sluice {
namespace {

constexpr std::size_t block_bytes = 256 << 10;  // stays in the cache between parser and CRC

CheckError describe(const rdb::Error& error) {
  return {.code = std::string(engine::code_name(static_cast<rdb::Errc>(error.code.value()))),
          .offset = error.offset,
          .record = error.record,
          .db = error.db,
          .key = error.key,
          .message = rdb::to_string(error)};
}

void take_facts(CheckResult& result, const engine::StreamFacts& facts) {
  if (facts.header()) {
    result.dialect = facts.header()->dialect == rdb::Dialect::valkey ? "valkey" : "redis";
    result.rdb_version = facts.header()->version;
  }
  result.keys = facts.keys();
  result.types = facts.types();
  if (facts.trailer() && facts.trailer()->checksum == rdb::Trailer::Checksum::ok) result.crc = "ok";
  if (result.error && result.error->code == "checksum_mismatch") result.crc = "mismatch";
}

}  // namespace

Result<CheckResult> check(const CheckOptions& options, const JobContext& job) {
  auto input = engine::FileInput::open(options.file);
  if (!input) return std::unexpected(input.error());

  CheckResult result;
  engine::StreamFacts facts;
  rdb::Parser parser(facts);
  engine::ProgressMeter meter(job);
  meter.set_phase("checking");
  meter.set_total(input->size());
  std::vector<std::byte> block(block_bytes);
  while (!result.error) {
    if (job.stop.stop_requested()) return std::unexpected(engine::cancelled());
    const auto size = input->read(block);
    if (!size) return std::unexpected(size.error());
    if (*size == 0) break;
    const auto taken = parser.feed(std::span(block).first(*size));
    if (!taken) {
      result.error = describe(taken.error());
    } else {
      result.trailing_bytes += *size - *taken;
    }
    meter.update(parser.offset(), facts.keys());
  }
  if (!result.error) {
    if (const auto ended = parser.finish(); !ended) result.error = describe(ended.error());
  }
  result.ok = !result.error;
  result.bytes = parser.offset();
  take_facts(result, facts);
  return result;
}

std::string to_json(const CheckResult& result) {
  namespace json = boost::json;
  json::object object{{"ok", result.ok},
                      {"dialect", result.dialect},
                      {"rdb_version", result.rdb_version},
                      {"bytes", result.bytes},
                      {"keys", result.keys},
                      {"types", engine::json_counts(result.types)},
                      {"crc", result.crc},
                      {"digest", engine::json_optional(result.digest)},
                      {"error", nullptr},
                      {"trailing_bytes", result.trailing_bytes}};
  if (const auto& error = result.error) {
    object["error"] = {{"code", error->code},     {"offset", error->offset},
                       {"record", error->record}, {"db", error->db},
                       {"key", error->key},       {"message", error->message}};
  }
  return json::serialize(object);
}

}  // namespace sluice
