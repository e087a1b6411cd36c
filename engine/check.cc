#include "sluice/check.h"

#include <boost/json.hpp>
#include <vector>

#include "engine/errors.h"
#include "engine/file_input.h"
#include "engine/json.h"
#include "engine/progress_meter.h"
#include "engine/value_check.h"
#include "rdb/digest.h"
#include "rdb/module_id.h"
#include "rdb/parser.h"

namespace sluice {
namespace {

boost::json::value json_of(const CheckError& error) {
  return {{"code", error.code}, {"offset", error.offset}, {"record", error.record},
          {"db", error.db},     {"key", error.key},       {"message", error.message}};
}

CheckError describe(const rdb::Error& error) {
  return {.code = std::string(engine::code_name(static_cast<rdb::Errc>(error.code.value()))),
          .offset = error.offset,
          .record = error.record,
          .db = error.db,
          .key = error.key,
          .message = rdb::to_string(error)};
}

void add_error(CheckResult& result, const rdb::Error& error) {
  ++result.error_count;
  if (result.errors.size() == CheckResult::errors_max) return;
  result.errors.push_back(describe(error));
  if (!result.error) result.error = result.errors.back();
}

void take_facts(CheckResult& result, const engine::StreamFacts& facts) {
  if (facts.header()) {
    result.dialect = facts.header()->dialect == rdb::Dialect::valkey ? "valkey" : "redis";
    result.rdb_version = facts.header()->version;
  }
  result.keys = facts.keys();
  result.types = facts.types();
  if (facts.trailer() && facts.trailer()->checksum == rdb::Trailer::Checksum::ok) result.crc = "ok";
}

/// Counts the types of modules, and passes on what is read to a digest when there is one.
class CheckedValues final : public rdb::ValueHandler {
 public:
  CheckedValues(std::map<std::string, std::uint64_t>& modules, rdb::DatasetDigest* digest)
      : modules_(modules), digest_(digest) {}

  bool on_text(rdb::Role role, const rdb::Text& text) override {
    return digest_ == nullptr || digest_->on_text(role, text);
  }
  bool on_number(rdb::Role role, std::uint64_t number) override {
    if (role == rdb::Role::module_id) ++modules_[rdb::module_name(number)];
    return digest_ == nullptr || digest_->on_number(role, number);
  }
  bool on_real(rdb::Role role, double number) override {
    return digest_ == nullptr || digest_->on_real(role, number);
  }
  bool on_stream_id(rdb::Role role, rdb::StreamId id) override {
    return digest_ == nullptr || digest_->on_stream_id(role, id);
  }

 private:
  std::map<std::string, std::uint64_t>& modules_;
  rdb::DatasetDigest* digest_;
};

/// Looks into the values, and tells the digest which record they are of.
class DeepCheck final : public engine::ValueCheck {
 public:
  DeepCheck(CheckResult& result, rdb::DatasetDigest* digest)
      : ValueCheck(values_,
                   {.texts = digest == nullptr ? rdb::Roles() : rdb::Roles::all(), .strict = true},
                   [&result](const rdb::Error& error) { add_error(result, error); }),
        values_(result.modules, digest),
        digest_(digest) {}

  bool on_record_begin(const rdb::RecordHeader& record) override {
    if (digest_ != nullptr) digest_->begin(record);
    return ValueCheck::on_record_begin(record);
  }
  bool on_record_end(std::uint64_t offset) override {
    const bool go_on = ValueCheck::on_record_end(offset);
    if (digest_ != nullptr && !value_refused()) digest_->end();
    return go_on;
  }

 private:
  CheckedValues values_;
  rdb::DatasetDigest* digest_;
};

/// Feeds the file to the parser, to its end or to the first error that cannot be stepped over.
Result<void> parse(engine::FileInput& input, rdb::Parser& parser, CheckResult& result,
                   const JobContext& job) {
  engine::ProgressMeter meter(job);
  meter.set_phase("checking");
  meter.set_total(input.size());
  while (true) {
    if (job.stop.stop_requested()) return std::unexpected(engine::cancelled());
    const auto bytes = input.next();
    if (!bytes) return std::unexpected(bytes.error());
    const auto taken = parser.feed(*bytes);
    if (!taken) {
      add_error(result, taken.error());
      result.crc = taken.error().code == rdb::Errc::checksum_mismatch ? "mismatch" : result.crc;
      return {};
    }
    result.trailing_bytes += bytes->size() - *taken;
    meter.update(parser.offset(), parser.records());
    if (bytes->empty()) break;
  }
  if (const auto ended = parser.finish(); !ended) add_error(result, ended.error());
  return {};
}

}  // namespace

Result<CheckResult> check(const CheckOptions& options, const JobContext& job) {
  auto input = engine::FileInput::open(options.file);
  if (!input) return std::unexpected(input.error());

  CheckResult result;
  rdb::DatasetDigest digest;
  const bool decode = options.depth == CheckDepth::decode;
  engine::StreamFacts frame;
  DeepCheck values(result, decode ? &digest : nullptr);
  engine::StreamFacts& facts = options.depth == CheckDepth::frame ? frame : values;
  rdb::Parser parser(facts);
  if (auto parsed = parse(*input, parser, result, job); !parsed) {
    return std::unexpected(parsed.error());
  }
  result.ok = result.error_count == 0;
  result.bytes = parser.offset();
  result.unchecked = values.unchecked();
  take_facts(result, facts);
  if (decode && result.ok) result.digest = to_string(digest.value());
  return result;
}

std::string to_json(const CheckResult& result) {
  namespace json = boost::json;
  json::array errors;
  for (const CheckError& error : result.errors) errors.push_back(json_of(error));
  const json::object object{{"ok", result.ok},
                            {"dialect", result.dialect},
                            {"rdb_version", result.rdb_version},
                            {"bytes", result.bytes},
                            {"keys", result.keys},
                            {"types", engine::json_counts(result.types)},
                            {"crc", result.crc},
                            {"digest", engine::json_optional(result.digest)},
                            {"error", result.error ? json_of(*result.error) : nullptr},
                            {"errors", std::move(errors)},
                            {"error_count", result.error_count},
                            {"modules", engine::json_counts(result.modules)},
                            {"unchecked", result.unchecked},
                            {"trailing_bytes", result.trailing_bytes}};
  return json::serialize(object);
}

}  // namespace sluice
