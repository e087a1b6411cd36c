#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "sluice/job.h"
#include "sluice/repository.h"
#include "sluice/result.h"
#include "sluice/server.h"

namespace sluice {

/// Where the data of a backup came from.
struct BackupSource {
  std::string uri;      ///< Without secrets; "file:…" for an imported RDB file.
  std::string server;   ///< "redis", "valkey", … ; empty when it did not say.
  std::string version;  ///< Of the server.
  unsigned rdb_version = 0;
  std::string replid;        ///< 40 hex digits; empty for files that do not carry one.
  std::uint64_t offset = 0;  ///< Replication offset of the snapshot.
};

/// Slots of a cluster, both inclusive.
struct SlotSpan {
  unsigned first = 0;
  unsigned last = 0;
};

/// What one shard of a cluster gave to a backup.
struct BackupShard {
  BackupSource source;  ///< The node that was read.
  std::string node_id;  ///< Of the primary.
  bool from_replica = false;
  std::vector<SlotSpan> slots;  ///< That it served, ascending.
  std::uint64_t keys = 0;       ///< That it sent.
};

/// How the last check of a backup went.
struct LastCheck {
  std::int64_t finished_at_ms = 0;
  std::string level;  ///< How far it went, as VerifyLevel is named.
  bool ok = false;
};

/// One committed backup, as the catalog shows it. Times are Unix milliseconds.
struct BackupSummary {
  std::string id;
  std::string instance;
  std::string repo;
  std::string layout;  ///< "canonical", or "stream": the RDB byte for byte as received.
  std::string order;   ///< Of keys in canonical layout: "key", or "slot": of a node of a cluster.
  std::string compression;            ///< "lz4", "zstd:3", "none".
  std::optional<std::string> parent;  ///< Id of the backup that its changes are stored against.
  BackupSource source;
  std::vector<BackupShard> shards;  ///< Of a cluster; else empty.
  std::uint64_t keys = 0;
  std::map<std::string, std::uint64_t> types;  ///< Keys by logical type.
  std::uint64_t raw_bytes = 0;                 ///< Of the RDB.
  std::uint64_t stored_bytes = 0;              ///< What restoring it reads.
  std::uint64_t new_bytes = 0;                 ///< What this backup added to the repository.
  std::optional<std::string> digest;           ///< Of the dataset (docs/digest.md).
  std::uint64_t undecodable = 0;  ///< Values that cannot be decoded: there is no digest then.
  std::int64_t started_at_ms = 0;
  std::int64_t finished_at_ms = 0;
  double seconds = 0;
  /// Set when something of the backup is damaged or missing; what its manifest says is filled in
  /// all the same when that can be read.
  std::optional<std::string> damage;
  /// What verify() found: damage that no later check has found gone, else the deepest of the checks
  /// that found nothing.
  std::optional<LastCheck> verified;
  std::optional<std::string> pinned;  ///< Set when it must not be removed: the note on its pin.
};

/// How a backup is stored.
enum class BackupLayout : std::uint8_t {
  canonical,  ///< Sorted by key, changes against an earlier backup only.
  stream,     ///< The RDB byte for byte.
};

struct BackupOptions {
  std::string source;  ///< Server URI, path of an RDB file, "file://…", or "-" for standard input.
  ServerAddress server;  ///< Used when `source` is a URI; `server.uri` is ignored.
  RepositoryPlace repository;
  std::string instance;  ///< Empty: made from the source's host and port, or the file's name.
  ReadFrom from = ReadFrom::prefer_replica;  ///< Of a cluster, or through sentinels.
  BackupLayout layout = BackupLayout::canonical;
  std::string compression = "lz4";  ///< "lz4", "zstd", "zstd:LEVEL" (1 to 19), "none".
  /// The backup to store changes against, as for show(); "none": everything is stored; empty: the
  /// newest one of the instance that is whole and that no check has found damaged. Only for
  /// BackupLayout::canonical.
  std::string parent;
  /// Keep LRU and LFU of each key, which differ from one backup to the next: every run changes.
  bool access_info = false;
  std::uint64_t memory_bytes = 256ULL << 20;  ///< At least memory_bytes_min.
  IoBackend io = IoBackend::automatic;

  static constexpr std::uint64_t memory_bytes_min = 128ULL << 20;
};

/// Takes one backup now: receives the snapshot as a replica, checks it while it arrives, takes its
/// digest, stores it.
///
/// A cluster (server.cluster) is one backup, in canonical layout: each shard's snapshot is received
/// beside the others. Errors also: "slots_uncovered", "slots_moved", "shard_down",
/// "mixed_versions".
///
/// Errors:     Stage::net when the source refuses or falls silent, Stage::rdb when what it sends is
///             malformed, Stage::storage for the repository. After an error nothing is listed.
/// Durability: on success the backup is on stable storage.
/// Memory:     in canonical layout options.memory_bytes, in stream layout about 60 MiB, whatever
/// the
///             size of the dataset or of a value.
/// Threads:    blocks the calling thread; one more receives; two more take digests, sort and
///             compress.
[[nodiscard]] Result<BackupSummary> backup(const BackupOptions& options, const JobContext& job);

[[nodiscard]] std::string to_json(const BackupSummary& summary);

}  // namespace sluice
