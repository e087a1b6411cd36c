#include "service/metrics_state.h"

#include <unistd.h>

#include <fstream>
#include <functional>
#include <string_view>
#include <utility>

namespace sluice::service {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using Labels = std::vector<ClientMetric::Label>;

/// A value, or none where the metric is left out.
using Value = std::optional<double>;

double seconds(std::int64_t time_ms) { return static_cast<double>(time_ms) / 1000; }
Value seconds(const std::optional<std::int64_t>& time_ms) {
  return time_ms ? Value(seconds(*time_ms)) : std::nullopt;
}
double number(bool value) { return value ? 1 : 0; }
double number(std::uint64_t value) { return static_cast<double>(value); }

ClientMetric sample(Labels labels, double value) {
  ClientMetric metric;
  metric.label = std::move(labels);
  metric.gauge.value = value;
  metric.counter.value = value;
  return metric;
}

MetricFamily family(std::string name, std::string help, MetricType type = MetricType::Gauge) {
  return {.name = std::move(name), .help = std::move(help), .type = type, .metric = {}};
}

MetricFamily single(std::string name, std::string help, double value,
                    MetricType type = MetricType::Gauge) {
  auto made = family(std::move(name), std::move(help), type);
  made.metric.push_back(sample({}, value));
  return made;
}

/// A gauge with one value for each instance, or each repository.
template <class Entry>
struct Column {
  const char* name;
  const char* help;
  Value (*value)(const Entry&);
};

template <class Entry, std::size_t size>
void add_columns(std::vector<MetricFamily>& families, const char* label,
                 const std::vector<Entry>& entries, const Column<Entry> (&columns)[size]) {
  for (const auto& column : columns) {
    auto made = family(column.name, column.help);
    for (const Entry& entry : entries) {
      if (const Value value = column.value(entry))
        made.metric.push_back(sample({{label, entry.name}}, *value));
    }
    families.push_back(std::move(made));
  }
}

Value of_newest(const InstanceState& state, double (*value)(const InstanceState::Backup&)) {
  return state.newest ? Value(value(*state.newest)) : std::nullopt;
}

template <class Get>
Value of_proof(const std::optional<InstanceState::Proof>& proof, const Get& get) {
  return proof ? Value(get(*proof)) : std::nullopt;
}

using In = InstanceState;

constexpr Column<In> catalog_columns[] = {
    {"sluice_backups", "Backups that are there.",
     [](const In& in) { return Value(number(in.backups)); }},
    {"sluice_damaged_backups", "Backups of which something is damaged or missing.",
     [](const In& in) { return Value(number(in.damaged_backups)); }},
    {"sluice_stored_bytes", "Bytes that the backups take.",
     [](const In& in) { return Value(number(in.stored_bytes)); }},
    {"sluice_oldest_backup_timestamp_seconds", "When the oldest backup that is there began.",
     [](const In& in) { return seconds(in.oldest_ms); }},
    {"sluice_newest_backup_timestamp_seconds", "When the newest backup that is there began.",
     [](const In& in) { return seconds(in.newest_ms); }},
    {"sluice_newest_backup_keys", "Keys in the newest backup.",
     [](const In& in) {
       return of_newest(in, [](const In::Backup& backup) { return number(backup.keys); });
     }},
    {"sluice_newest_backup_bytes", "Size of the newest backup as RDB.",
     [](const In& in) {
       return of_newest(in, [](const In::Backup& backup) { return number(backup.bytes); });
     }},
    {"sluice_newest_backup_new_bytes", "Bytes that the newest backup added to the repository.",
     [](const In& in) {
       return of_newest(in, [](const In::Backup& backup) { return number(backup.new_bytes); });
     }},
    {"sluice_newest_backup_duration_seconds", "How long the newest backup took.",
     [](const In& in) {
       return of_newest(in, [](const In::Backup& backup) { return backup.seconds; });
     }},
};

constexpr Column<In> health_columns[] = {
    {"sluice_next_backup_timestamp_seconds", "When the next backup is due.",
     [](const In& in) { return seconds(in.next_backup_ms); }},
    {"sluice_backup_failing", "1 when the last try to take a backup failed.",
     [](const In& in) { return Value(number(in.failing)); }},
    {"sluice_backup_overdue", "1 when a backup is later than the policy and the service allow.",
     [](const In& in) { return Value(number(in.overdue)); }},
    {"sluice_backup_shrunk", "1 when the newest backup is suspiciously smaller than the last.",
     [](const In& in) { return Value(number(in.shrunk)); }},
    {"sluice_last_verify_timestamp_seconds", "When a backup was last checked.",
     [](const In& in) {
       return of_proof(in.last_verify, [](const In::Proof& proof) { return seconds(proof.at_ms); });
     }},
    {"sluice_last_verify_ok", "1 when the last check found nothing.",
     [](const In& in) {
       return of_proof(in.last_verify, [](const In::Proof& proof) { return number(proof.ok); });
     }},
    {"sluice_last_drill_timestamp_seconds", "When a backup was last restored as a drill.",
     [](const In& in) {
       return of_proof(in.last_drill, [](const In::Proof& proof) { return seconds(proof.at_ms); });
     }},
    {"sluice_last_drill_ok", "1 when the last drill restored what had been backed up.",
     [](const In& in) {
       return of_proof(in.last_drill, [](const In::Proof& proof) { return number(proof.ok); });
     }},
    {"sluice_last_drill_duration_seconds", "How long the restore and the proof of that drill took.",
     [](const In& in) {
       return of_proof(in.last_drill, [](const In::Proof& proof) { return proof.seconds; });
     }},
    {"sluice_drill_overdue", "1 when a drill is later than the policy and the service allow.",
     [](const In& in) { return Value(number(in.drill_overdue)); }},
};

constexpr Column<RepositoryState> repository_columns[] = {
    {"sluice_repository_backups", "Backups in the repository.",
     [](const RepositoryState& one) { return Value(number(one.backups)); }},
    {"sluice_repository_stored_bytes", "Bytes that the backups in the repository take.",
     [](const RepositoryState& one) { return Value(number(one.stored_bytes)); }},
    {"sluice_repository_free_bytes", "Bytes that are free on the repository's file system.",
     [](const RepositoryState& one) {
       return one.free_bytes ? Value(number(*one.free_bytes)) : std::nullopt;
     }},
};

void add_instances(std::vector<MetricFamily>& families, const std::vector<In>& instances) {
  auto info = family("sluice_instance_info", "1; the labels are what the instance is part of.");
  for (const In& in : instances) {
    info.metric.push_back(
        sample({{"instance", in.name}, {"group", in.group}, {"repository", in.repository}}, 1));
  }
  families.push_back(std::move(info));
  add_columns(families, "instance", instances, catalog_columns);
  add_columns(families, "instance", instances, health_columns);
}

void add_service(std::vector<MetricFamily>& families, const ServiceState& state) {
  families.push_back(single("sluice_jobs_running", "Jobs that run.", state.jobs_running));
  families.push_back(single("sluice_jobs_queued", "Jobs that wait.", state.jobs_queued));
  families.push_back(single("sluice_jobs_max", "Jobs that may run at once.", state.jobs_max));
  families.push_back(single("sluice_job_memory_bytes", "Memory set aside for jobs that run.",
                            number(state.job_memory_bytes)));
  families.push_back(single("sluice_job_memory_limit_bytes", "Memory that all jobs may take.",
                            number(state.job_memory_limit_bytes)));
  families.push_back(single("sluice_config_ok",
                            "1 when the configuration was good the last time it was read.",
                            number(state.config_ok)));
  families.push_back(single("sluice_config_timestamp_seconds",
                            "When the configuration in use was read.",
                            seconds(state.config_read_ms)));
}

void add_notifications(std::vector<MetricFamily>& families, const Notifier::Counts& counts) {
  auto made = family("sluice_notifications_total", "Notifications by what became of them.",
                     MetricType::Counter);
  made.metric.push_back(sample({{"outcome", "delivered"}}, number(counts.delivered)));
  made.metric.push_back(sample({{"outcome", "failed"}}, number(counts.failed)));
  made.metric.push_back(sample({{"outcome", "dropped"}}, number(counts.dropped)));
  families.push_back(std::move(made));
}

/// Of this process, now.
Value resident_bytes() {
  std::ifstream file("/proc/self/statm");
  std::uint64_t size_pages = 0;
  std::uint64_t resident_pages = 0;
  if (!(file >> size_pages >> resident_pages)) return std::nullopt;
  return number(resident_pages) * static_cast<double>(::sysconf(_SC_PAGESIZE));
}

}  // namespace

std::vector<MetricFamily> families_of(const ServiceState& state) {
  std::vector<MetricFamily> families;
  add_instances(families, state.instances);
  add_columns(families, "repository", state.repositories, repository_columns);
  add_service(families, state);
  add_notifications(families, state.notifications);
  if (const Value bytes = resident_bytes())
    families.push_back(single("sluice_resident_memory_bytes", "Memory of the service.", *bytes));
  return families;
}

}  // namespace sluice::service
