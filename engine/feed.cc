#include "sluice/feed.h"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <utility>

#include "engine/backup_stream.h"
#include "engine/canonical_rdb.h"
#include "engine/clock.h"
#include "engine/conversion_loss.h"
#include "engine/feed_image.h"
#include "engine/feed_link.h"
#include "engine/feed_service.h"
#include "engine/json.h"
#include "engine/repository_access.h"
#include "rdb/downgrade.h"

namespace sluice {
namespace {

Result<engine::FeedForm> form_of(const FeedOptions& options, const engine::Manifest& manifest) {
  engine::FeedForm form{.converted = std::nullopt, .cutoff_ms = engine::unix_now_ms()};
  if (!options.rdb_version) return form;
  const bool valkey = *options.rdb_version >= 80;
  const rdb::Header wanted{.dialect = valkey ? rdb::Dialect::valkey : rdb::Dialect::redis,
                           .version = *options.rdb_version};
  if (!rdb::is_writable(wanted)) {
    return std::unexpected(Error{.stage = Stage::usage,
                                 .code = "bad_option",
                                 .message = fmt::format("RDB version {} cannot be written; 6 to 14 "
                                                        "can, and 80 for Valkey",
                                                        *options.rdb_version)});
  }
  form.converted = engine::version_to_feed(wanted, engine::header_of(manifest));
  return form;
}

Result<std::unique_ptr<net::ReplicationServer>> listen(engine::IoThread& io,
                                                       const FeedOptions& options) {
  const auto address = engine::parse_feed_address(options.listen);
  if (!address) return std::unexpected(address.error());
  net::ReplicationServerOptions server;
  server.host = address->host;
  server.port = address->port;
  server.password = options.password;
  server.session.silence_timeout = options.timeout;
  auto listening = net::ReplicationServer::listen(io.executor(), std::move(server));
  if (!listening) {
    return std::unexpected(
        Error{.stage = Stage::net, .code = "cannot_listen", .message = listening.error().detail});
  }
  return std::move(*listening);
}

void report_image(const engine::FeedImage& image, FeedResult& result) {
  const rdb::Header header = image.header();
  result.dialect = header.dialect == rdb::Dialect::valkey ? "valkey" : "redis";
  result.rdb_version = header.version;
  result.bytes = image.bytes();
  RestoreResult counts;
  image.facts().ledger().report(counts, true);
  result.total = counts.total;
  result.failures = std::move(counts.failures);
  result.failure_count = counts.failure_count;
  result.losses = std::move(counts.losses);
  result.loss_count = counts.loss_count;
}

}  // namespace

Result<FeedResult> feed(const FeedOptions& options, const JobContext& job) {
  engine::ProgressMeter meter(job);
  auto repository = engine::open_repository(options.repository, false, options.io);
  if (!repository) return std::unexpected(repository.error());
  const auto key = engine::resolve(**repository, options.backup);
  if (!key) return std::unexpected(key.error());
  const auto backup = engine::open_backup(**repository, *key);
  if (!backup) return std::unexpected(backup.error());
  const auto form = form_of(options, backup->manifest);
  if (!form) return std::unexpected(form.error());

  engine::IoThread io;
  auto server = listen(io, options);  // first: it may be what fails
  if (!server) return std::unexpected(server.error());
  engine::FeedImage image(**repository, *backup, *form);
  if (auto measured = image.measure(meter, job); !measured)
    return std::unexpected(measured.error());

  FeedResult result;
  result.backup = key->id;
  result.instance = key->instance;
  const std::string& host = (*server)->host();
  result.address = fmt::format("{}{}{}:{}", host.contains(':') ? "[" : "", host,
                               host.contains(':') ? "]" : "", (*server)->port());
  report_image(image, result);
  meter.notice("listening at " + result.address);
  engine::FeedService service(options, image, io, **server, job);
  service.run();
  service.report(result);
  result.seconds = meter.seconds();
  return result;
}

std::string to_json(const FeedResult& result) {
  namespace json = boost::json;
  json::array replicas;
  for (const FedReplica& replica : result.replicas) {
    replicas.push_back(
        {{"address", replica.address},
         {"version", replica.version},
         {"bytes", replica.bytes},
         {"complete", replica.complete},
         {"seconds", replica.seconds},
         {"error", replica.error.empty() ? json::value(nullptr) : json::value(replica.error)}});
  }
  json::array failures;
  for (const RestoreFailure& failure : result.failures) {
    failures.push_back({{"db", failure.db}, {"key", failure.key}, {"message", failure.message}});
  }
  return json::serialize(json::object{{"backup", result.backup},
                                      {"instance", result.instance},
                                      {"address", result.address},
                                      {"dialect", result.dialect},
                                      {"rdb_version", result.rdb_version},
                                      {"bytes", result.bytes},
                                      {"read", result.total.read},
                                      {"written", result.total.written},
                                      {"expired", result.total.expired},
                                      {"failed", result.total.failed},
                                      {"failures", std::move(failures)},
                                      {"failure_count", result.failure_count},
                                      {"losses", engine::json_losses(result.losses)},
                                      {"loss_count", result.loss_count},
                                      {"replicas", std::move(replicas)},
                                      {"served", result.served},
                                      {"refused", result.refused},
                                      {"seconds", result.seconds}});
}

}  // namespace sluice
