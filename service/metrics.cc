#include "service/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/text_serializer.h>

#include <sstream>

namespace sluice::service {
namespace {

using prometheus::Counter;
using prometheus::Family;
using prometheus::Histogram;

const Histogram::BucketBoundaries job_buckets = {1,   3,   10,   30,   60,     120,
                                                 300, 600, 1800, 3600, 10'800, 36'000};
const Histogram::BucketBoundaries request_buckets = {0.001, 0.005, 0.01, 0.025, 0.05, 0.1,
                                                     0.25,  0.5,   1,    2.5,   10};

Family<Counter>& counter(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(registry);
}

Family<Histogram>& histogram(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildHistogram().Name(name).Help(help).Register(registry);
}

/// A client may send any word for a method.
std::string method_label(std::string_view method) {
  for (const std::string_view known : {"GET", "HEAD", "POST", "PUT", "DELETE"}) {
    if (method == known) return std::string(known);
  }
  return "other";
}

std::string outcome(bool ok) { return ok ? "ok" : "failed"; }

double number(std::uint64_t value) { return static_cast<double>(value); }

}  // namespace

struct Metrics::Families {
  explicit Families(prometheus::Registry& registry)
      : jobs(counter(registry, "sluice_jobs_total", "Jobs that ended, by type and state.")),
        job_seconds(histogram(registry, "sluice_job_duration_seconds", "How long jobs ran.")),
        backups(counter(registry, "sluice_backups_total", "Backups that were tried.")),
        backup_bytes(
            counter(registry, "sluice_backup_bytes_total", "RDB bytes that backups received.")),
        backup_new_bytes(counter(registry, "sluice_backup_new_bytes_total",
                                 "Bytes that backups added to repositories.")),
        backup_keys(counter(registry, "sluice_backup_keys_total", "Keys that were backed up.")),
        verifications(counter(registry, "sluice_verifications_total", "Checks of a backup.")),
        drills(counter(registry, "sluice_drills_total", "Drills.")),
        restores(counter(registry, "sluice_restores_total",
                         "Restores, clones and promotions of a clone.")),
        restored_keys(
            counter(registry, "sluice_restored_keys_total", "Keys that these have written.")),
        requests(counter(registry, "sluice_http_requests_total", "Requests that were answered.")),
        request_seconds(
            histogram(registry, "sluice_http_request_duration_seconds", "How long answers took.")),
        logins(counter(registry, "sluice_logins_total", "Attempts to log in with a password.")) {}

  Family<Counter>& jobs;
  Family<Histogram>& job_seconds;
  Family<Counter>& backups;
  Family<Counter>& backup_bytes;
  Family<Counter>& backup_new_bytes;
  Family<Counter>& backup_keys;
  Family<Counter>& verifications;
  Family<Counter>& drills;
  Family<Counter>& restores;
  Family<Counter>& restored_keys;
  Family<Counter>& requests;
  Family<Histogram>& request_seconds;
  Family<Counter>& logins;
};

Metrics::Metrics(const std::string& version, std::int64_t started_at_ms)
    : families_(std::make_unique<Families>(registry_)) {
  prometheus::BuildGauge()
      .Name("sluice_build_info")
      .Help("1; the label is the program's version.")
      .Register(registry_)
      .Add({{"version", version}})
      .Set(1);
  prometheus::BuildGauge()
      .Name("sluice_start_time_seconds")
      .Help("When the service began.")
      .Register(registry_)
      .Add({})
      .Set(static_cast<double>(started_at_ms) / 1000);
}

Metrics::~Metrics() = default;

void Metrics::job_finished(std::string_view type, std::string_view state, double seconds) {
  families_->jobs.Add({{"type", std::string(type)}, {"state", std::string(state)}}).Increment();
  families_->job_seconds.Add({{"type", std::string(type)}}, job_buckets).Observe(seconds);
}

void Metrics::backup_finished(const BackupEnd& end) {
  const prometheus::Labels labels = {{"instance", end.instance}};
  families_->backups.Add({{"instance", end.instance}, {"outcome", outcome(end.ok)}}).Increment();
  families_->backup_bytes.Add(labels).Increment(number(end.bytes));
  families_->backup_new_bytes.Add(labels).Increment(number(end.new_bytes));
  families_->backup_keys.Add(labels).Increment(number(end.keys));
}

void Metrics::verify_finished(const std::string& instance, std::string_view result) {
  families_->verifications.Add({{"instance", instance}, {"outcome", std::string(result)}})
      .Increment();
}

void Metrics::drill_finished(const std::string& instance, bool ok) {
  families_->drills.Add({{"instance", instance}, {"outcome", outcome(ok)}}).Increment();
}

void Metrics::restore_finished(const std::string& instance, std::string_view type, bool ok,
                               std::uint64_t keys) {
  families_->restores
      .Add({{"instance", instance}, {"type", std::string(type)}, {"outcome", outcome(ok)}})
      .Increment();
  families_->restored_keys.Add({{"instance", instance}}).Increment(number(keys));
}

void Metrics::request_finished(std::string_view method, std::string_view route, unsigned status,
                               double seconds) {
  families_->requests
      .Add({{"method", method_label(method)},
            {"route", std::string(route)},
            {"code", std::to_string(status)}})
      .Increment();
  families_->request_seconds.Add({{"method", method_label(method)}}, request_buckets)
      .Observe(seconds);
}

void Metrics::login_finished(std::string_view result) {
  families_->logins.Add({{"outcome", std::string(result)}}).Increment();
}

std::string Metrics::text(const ServiceState& state) const {
  auto families = registry_.Collect();
  for (auto& family : families_of(state)) families.push_back(std::move(family));
  std::ostringstream out;
  prometheus::TextSerializer().Serialize(out, families);
  return std::move(out).str();
}

}  // namespace sluice::service
