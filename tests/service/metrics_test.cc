#include "service/metrics.h"

#include <gtest/gtest.h>

#include <fstream>
#include <regex>
#include <set>
#include <sstream>
#include <string>

namespace sluice::service {
namespace {

using Names = std::set<std::string>;

constexpr std::int64_t start_ms = 1'795'338'000'500;

InstanceState full_instance() {
  InstanceState state;
  state.name = "orders";
  state.group = "shop";
  state.repository = "main";
  state.backups = 7;
  state.damaged_backups = 1;
  state.stored_bytes = 5'000'000'000;
  state.oldest_ms = start_ms;
  state.newest_ms = start_ms + 1000;
  state.next_backup_ms = start_ms + 2000;
  state.overdue = true;
  state.newest =
      InstanceState::Backup{.keys = 12, .bytes = 3'000'000'001, .new_bytes = 40, .seconds = 1.5};
  state.last_verify = InstanceState::Proof{.at_ms = start_ms, .ok = true, .seconds = 3};
  state.last_drill = InstanceState::Proof{.at_ms = start_ms, .ok = false, .seconds = 4.25};
  return state;
}

ServiceState full_state() {
  ServiceState state;
  state.instances = {full_instance()};
  state.repositories = {{.name = "main", .backups = 7, .stored_bytes = 9, .free_bytes = 1000}};
  state.jobs_running = 2;
  state.jobs_queued = 3;
  state.jobs_max = 8;
  state.job_memory_bytes = 1 << 20;
  state.job_memory_limit_bytes = 384 << 20;
  state.config_ok = false;
  state.config_read_ms = start_ms;
  state.notifications = {.delivered = 5, .failed = 1, .dropped = 2};
  return state;
}

/// Everything has happened once.
std::string full_text() {
  Metrics metrics("0.1.0", start_ms);
  metrics.job_finished("backup", "done", 2.5);
  metrics.backup_finished(
      {.instance = "orders", .ok = true, .bytes = 3'000'000'001, .new_bytes = 40, .keys = 12});
  metrics.verify_finished("orders", "damaged");
  metrics.drill_finished("orders", false);
  metrics.restore_finished("orders", "clone", true, 12);
  metrics.request_finished("GET", "/backups/{id}", 200, 0.02);
  metrics.login_finished("refused");
  return metrics.text(full_state());
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

std::string file_text(const std::string& name) {
  std::ifstream file(std::string(SLUICE_DOCS) + "/" + name);
  EXPECT_TRUE(file) << name;
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

Names names_in(const std::string& text, const std::string& pattern) {
  Names names;
  const std::regex expression(pattern);
  for (std::sregex_iterator at(text.begin(), text.end(), expression), end; at != end; ++at)
    names.insert((*at)[1].str());
  return names;
}

Names written_names() { return names_in(full_text(), "# TYPE ([a-z_]+) "); }

TEST(Metrics, AreAsTheStateIs) {
  const auto lines = lines_of(full_text());
  const std::set<std::string> all(lines.begin(), lines.end());
  for (const char* line : {
           R"(sluice_build_info{version="0.1.0"} 1)",
           R"(sluice_start_time_seconds 1795338000.5)",
           R"(sluice_instance_info{instance="orders",group="shop",repository="main"} 1)",
           R"(sluice_backups{instance="orders"} 7)",
           R"(sluice_damaged_backups{instance="orders"} 1)",
           R"(sluice_stored_bytes{instance="orders"} 5000000000)",
           R"(sluice_oldest_backup_timestamp_seconds{instance="orders"} 1795338000.5)",
           R"(sluice_newest_backup_timestamp_seconds{instance="orders"} 1795338001.5)",
           R"(sluice_next_backup_timestamp_seconds{instance="orders"} 1795338002.5)",
           R"(sluice_newest_backup_keys{instance="orders"} 12)",
           R"(sluice_newest_backup_bytes{instance="orders"} 3000000001)",
           R"(sluice_newest_backup_new_bytes{instance="orders"} 40)",
           R"(sluice_newest_backup_duration_seconds{instance="orders"} 1.5)",
           R"(sluice_backup_failing{instance="orders"} 0)",
           R"(sluice_backup_overdue{instance="orders"} 1)",
           R"(sluice_backup_shrunk{instance="orders"} 0)",
           R"(sluice_last_verify_ok{instance="orders"} 1)",
           R"(sluice_last_drill_ok{instance="orders"} 0)",
           R"(sluice_last_drill_duration_seconds{instance="orders"} 4.25)",
           R"(sluice_drill_overdue{instance="orders"} 0)",
           R"(sluice_repository_backups{repository="main"} 7)",
           R"(sluice_repository_free_bytes{repository="main"} 1000)",
           R"(sluice_jobs_running 2)",
           R"(sluice_jobs_queued 3)",
           R"(sluice_jobs_max 8)",
           R"(sluice_job_memory_bytes 1048576)",
           R"(sluice_config_ok 0)",
           R"(sluice_notifications_total{outcome="delivered"} 5)",
           R"(sluice_notifications_total{outcome="dropped"} 2)",
           R"(sluice_jobs_total{state="done",type="backup"} 1)",
           R"(sluice_job_duration_seconds_bucket{type="backup",le="1"} 0)",
           R"(sluice_job_duration_seconds_bucket{type="backup",le="3"} 1)",
           R"(sluice_backups_total{instance="orders",outcome="ok"} 1)",
           R"(sluice_backup_bytes_total{instance="orders"} 3000000001)",
           R"(sluice_verifications_total{instance="orders",outcome="damaged"} 1)",
           R"(sluice_drills_total{instance="orders",outcome="failed"} 1)",
           R"(sluice_restores_total{instance="orders",outcome="ok",type="clone"} 1)",
           R"(sluice_restored_keys_total{instance="orders"} 12)",
           R"(sluice_http_requests_total{code="200",method="GET",route="/backups/{id}"} 1)",
           R"(sluice_http_request_duration_seconds_count{method="GET"} 1)",
           R"(sluice_logins_total{outcome="refused"} 1)",
       })
    EXPECT_TRUE(all.contains(line)) << line << "\n" << full_text();
}

TEST(Metrics, WhatIsNotKnownIsLeftOut) {
  Metrics metrics("0.1.0", 0);
  ServiceState state;
  state.instances = {{.name = "new"}};
  state.repositories = {{.name = "main"}};
  const std::string text = metrics.text(state);
  for (const char* name : {"sluice_newest_backup_", "sluice_oldest_backup_", "sluice_next_backup_",
                           "sluice_last_verify_", "sluice_last_drill_", "sluice_repository_free"})
    EXPECT_FALSE(std::regex_search(text, std::regex(std::string("\n") + name))) << name;
  EXPECT_TRUE(text.contains("sluice_backups{instance=\"new\"} 0\n")) << text;
}

TEST(Metrics, AddUp) {
  Metrics metrics("0.1.0", 0);
  for (int i = 0; i < 3; ++i)
    metrics.backup_finished({.instance = "a", .ok = i > 0, .bytes = 10, .new_bytes = 1, .keys = 2});
  const std::string text = metrics.text({});
  EXPECT_TRUE(text.contains("sluice_backups_total{instance=\"a\",outcome=\"ok\"} 2\n")) << text;
  EXPECT_TRUE(text.contains("sluice_backups_total{instance=\"a\",outcome=\"failed\"} 1\n")) << text;
  EXPECT_TRUE(text.contains("sluice_backup_keys_total{instance=\"a\"} 6\n")) << text;
}

TEST(Metrics, StrangeMethodsMakeNoMoreMetrics) {
  Metrics metrics("0.1.0", 0);
  metrics.request_finished("BREW", "other", 405, 0);
  metrics.request_finished("EVIL\n", "other", 405, 0);
  const std::string text = metrics.text({});
  EXPECT_TRUE(text.contains("{code=\"405\",method=\"other\",route=\"other\"} 2\n")) << text;
}

TEST(Metrics, HaveNamesByTheBook) {
  const std::string text = full_text();
  for (const std::string& name : written_names()) {
    EXPECT_TRUE(name.starts_with("sluice_")) << name;
    const bool is_counter = text.contains("# TYPE " + name + " counter\n");
    EXPECT_EQ(name.ends_with("_total"), is_counter) << name;
  }
}

/// In tables: a line that begins with the name.
Names documented_names() { return names_in(file_text("metrics.md"), R"(\n\| `([a-z_]+)` \|)"); }

TEST(Metrics, AreAllDocumentedAndAllThatAreDocumentedAreThere) {
  EXPECT_EQ(documented_names(), written_names());
}

TEST(Metrics, LabelsAreAsDocumented) {
  const std::string text = full_text();
  const std::regex row(R"(\n\| `([a-z_]+)` \| [a-z]+ \|([^|]*)\|)");
  const std::string docs = file_text("metrics.md");
  std::size_t rows = 0;
  for (std::sregex_iterator at(docs.begin(), docs.end(), row), end; at != end; ++at, ++rows) {
    const std::string name = (*at)[1].str();
    const std::string cell = (*at)[2].str();
    const std::regex first("\n" + name + R"((?:_bucket)?\{([^}]*)\})");
    std::smatch found;
    const std::string labels = std::regex_search(text, found, first) ? found[1].str() : "";
    auto written = names_in(labels, R"(([a-z]+)=")");
    written.erase("le");
    EXPECT_EQ(names_in(cell, "`([a-z]+)`"), written) << name;
  }
  EXPECT_EQ(rows, written_names().size());
}

TEST(Metrics, AlertsAndBoardKnowThem) {
  const Names known = written_names();
  for (const char* file : {"alerts.yml", "grafana.json"}) {
    const Names used = names_in(file_text(file), R"(\b(sluice_[a-z_]+))");
    EXPECT_GT(used.size(), 8U) << file;
    for (std::string name : used) {
      for (const char* suffix : {"_bucket", "_sum", "_count"}) {
        if (!known.contains(name) && name.ends_with(suffix))
          name.resize(name.size() - std::string(suffix).size());
      }
      EXPECT_TRUE(known.contains(name)) << name << " in " << file;
    }
  }
}

}  // namespace
}  // namespace sluice::service
