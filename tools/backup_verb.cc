// sluice backup SOURCE

#include <fmt/format.h>

#include <filesystem>
#include <memory>
#include <system_error>

#include "cli.h"
#include "server_options.h"
#include "signals.h"
#include "sluice/backup.h"
#include "terminal.h"

namespace sluice::tools {
namespace {

struct Options {
  std::string source;
  std::string instance;
  std::string layout = "canonical";
  std::string compression = "lz4";
  std::string parent;
  bool access_info = false;
  std::string from;
  std::uint64_t memory_bytes = 256ULL << 20;
  ServerOptions server;
};

ReadFrom read_from(const std::string& name) {
  if (name == "primary") return ReadFrom::primary;
  return name == "replica" ? ReadFrom::replica : ReadFrom::prefer_replica;
}

std::string slots_of(const BackupShard& shard) {
  std::string text;
  for (const SlotSpan& span : shard.slots) {
    text += fmt::format("{}{}-{}", text.empty() ? "" : ",", span.first, span.last);
  }
  return text;
}

void print(const BackupSummary& backup) {
  print_fields({
      {"backup", backup.id},
      {"instance", backup.instance},
      {"source", fmt::format("{} ({} {}, RDB {})", backup.source.uri, backup.source.server,
                             backup.source.version, backup.source.rdb_version)},
      {"keys", human_count(backup.keys)},
      {"types", human_types(backup.types)},
      {"RDB", human_bytes(backup.raw_bytes)},
      {"stored", human_bytes(backup.stored_bytes)},
      {"new", fmt::format("{}{}", human_bytes(backup.new_bytes),
                          backup.parent ? " against " + *backup.parent : "")},
      {"time", human_seconds(backup.seconds)},
  });
  for (const BackupShard& shard : backup.shards) {
    fmt::print("slots {}: {} key(s) of {}{}\n", slots_of(shard), human_count(shard.keys),
               shard.source.uri, shard.from_replica ? ", a replica" : "");
  }
}

int run(const Options& options, const Globals& globals) {
  const std::stop_token stop = stop_on_signals();
  BackupOptions job;
  job.source = options.source;
  job.repository = globals.repository;
  job.instance = options.instance;
  job.layout = options.layout == "stream" ? BackupLayout::stream : BackupLayout::canonical;
  job.compression = options.compression;
  job.parent = options.parent;
  job.access_info = options.access_info;
  job.memory_bytes = options.memory_bytes;
  job.from = read_from(options.from);
  job.io = globals.io_backend();
  if (is_server_uri(options.source)) {
    auto address = make_address(options.source, options.server, "source");
    if (!address) return report(address.error(), globals);
    job.server = std::move(*address);
  }
  if (globals.repository.path == globals.default_repository) {
    std::error_code ignored;  // opening the repository tells what is wrong
    std::filesystem::create_directories(std::filesystem::path(job.repository.path).parent_path(),
                                        ignored);
  }
  Result<BackupSummary> taken;
  {
    TerminalObserver observer(globals.quiet);
    taken = backup(job, {.observer = &observer, .stop = stop});
  }
  if (!taken) return report(taken.error(), globals);
  if (globals.json) {
    fmt::print("{}\n", to_json(*taken));
  } else {
    print(*taken);
  }
  return exit_code::done;
}

}  // namespace

Verb add_backup(CLI::App& app, const Globals& globals) {
  auto options = std::make_shared<Options>();
  app.add_option("SOURCE", options->source,
                 "redis://, rediss://, valkey://, valkeys:// or redis-sentinel:// URI; or an RDB "
                 "file, - for stdin")
      ->required();
  app.add_option("--name", options->instance, "Instance to keep the backup under")
      ->type_name("INSTANCE");
  app.add_option("--layout", options->layout, "How the backup is stored")
      ->check(CLI::IsMember({"canonical", "stream"}))
      ->capture_default_str();
  app.add_option("--compression", options->compression, "lz4, zstd, zstd:LEVEL or none")
      ->type_name("CODEC")
      ->capture_default_str();
  app.add_option("--parent", options->parent,
                 "Backup to store changes against (default: the newest of the instance); none")
      ->type_name("BACKUP");
  app.add_option("--from", options->from,
                 "Which nodes of a cluster, or of what sentinels watch, to read (default: replicas "
                 "that are in sync, else primaries)")
      ->check(CLI::IsMember({"primary", "replica"}));
  app.add_flag("--access-info", options->access_info,
               "Keep LRU and LFU of each key; they change with every backup");
  app.add_option("--memory", options->memory_bytes, "Memory to use, for example 512M")
      ->transform(CLI::AsSizeValue(false))
      ->check(CLI::Range(BackupOptions::memory_bytes_min, std::uint64_t{1} << 40))
      ->type_name("SIZE")
      ->default_str("256M");
  add_server_options(app, options->server, "source");
  return [options, &globals] { return run(*options, globals); };
}

}  // namespace sluice::tools
