#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "sluice/backup.h"
#include "sluice/job.h"
#include "sluice/place.h"
#include "sluice/result.h"

namespace sluice {

struct AnalyzeOptions {
  static constexpr std::size_t top_max = 1000;
  static constexpr std::size_t depth_max = 32;
  static constexpr std::size_t shards_max = 16384;

  Place place;
  std::size_t top = 20;          ///< Keys in each list of the largest; at most `top_max`.
  std::string separators = ":";  ///< Each of these bytes ends a segment; none: one segment a key.
  std::size_t depth = 6;         ///< Segments looked at; what is deeper counts where they end.
  std::size_t prefixes = 200;    ///< Nodes of the tree that are shown, the largest.
  bool fold_ids = true;          ///< "user:17" and "user:18" are both "user:*".
  /// Sizes of a cluster to spread the slots over.
  std::vector<std::size_t> shards{3, 6, 12};
  std::string page{};  ///< Where to_html() of the result is written; "-" is standard output.
};

/// What some keys come to.
struct Amount {
  std::uint64_t keys = 0;
  std::uint64_t serialized_bytes = 0;  ///< In the RDB: key, value and what stands before them.
  /// Elements of collections, fields of hashes, entries of streams. A string and the value of a
  /// module are one.
  std::uint64_t elements = 0;
  /// What the server is thought to need for them; see docs/cli.md for how far off it may be.
  std::uint64_t memory_bytes = 0;

  Amount& operator+=(const Amount& more);
  Amount& operator-=(const Amount& less);
  friend bool operator==(const Amount&, const Amount&) = default;
};

/// One of the largest keys.
struct LargeKey {
  std::uint64_t db = 0;
  std::string key;  ///< Escaped; cut after 128 bytes.
  std::string type;
  std::string encoding;
  std::optional<std::int64_t> expire_at_ms;
  Amount amount;
};

/// The keys that begin with `prefix`. Always amount = own + other + the sum of the children.
struct PrefixNode {
  std::string prefix;  ///< Escaped; whole, from the first byte of the keys.
  Amount amount;
  Amount own;    ///< Of keys that are the prefix itself, or go deeper than the tree.
  Amount other;  ///< Of children that are not shown.
  /// At most so much of this prefix was counted to `other` of its parent, while it was too small to
  /// be kept track of. Zero unless there are more prefixes than the tree has room for.
  std::uint64_t missing_keys_max = 0;
  std::uint64_t missing_memory_max = 0;
  std::vector<PrefixNode> children;  ///< By memory, the largest first.

  /// Whether it says no more than its only child: "user:" when all keys there are "user:*".
  [[nodiscard]] bool is_link() const {
    return children.size() == 1 && children.front().amount == amount;
  }
};

/// One bar of a histogram.
struct Bucket {
  std::string label;
  std::uint64_t keys = 0;
  std::uint64_t serialized_bytes = 0;
};

/// How a size is spread over the keys. Percentiles are at most one sixteenth above the true one.
struct Distribution {
  std::uint64_t p50 = 0;
  std::uint64_t p90 = 0;
  std::uint64_t p99 = 0;
  std::uint64_t max = 0;
  /// Keys whose size is below the power of two, and not below the one before.
  std::vector<std::pair<std::uint64_t, std::uint64_t>> powers;
};

struct SlotLoad {
  std::uint64_t slot = 0;
  Amount amount;
};

/// A cluster of so many shards, each with an even range of slots.
struct ShardSpread {
  std::vector<Amount> shards;
  double imbalance = 1;  ///< Memory of the fullest shard over the mean.
};

/// The keys of all databases over the hash slots of a cluster.
struct SlotSpread {
  std::uint64_t slots_used = 0;
  std::uint64_t keys_min = 0;
  std::uint64_t keys_max = 0;
  double keys_mean = 0;
  std::uint64_t tagged_keys = 0;   ///< Keys with a {hash tag}.
  std::vector<SlotLoad> heaviest;  ///< By serialized bytes.
  std::vector<ShardSpread> clusters;
};

struct AnalyzeResult {
  BackupSource source;
  std::optional<std::string> backup;  ///< As it was named, when the place is one.
  std::string dialect;
  std::int64_t at_ms = 0;  ///< When the data were as they are here: what expiries are told from.
  std::uint64_t bytes = 0;
  std::optional<std::uint64_t> used_memory_bytes;  ///< What the server said when it wrote the RDB.
  std::string memory_model;  ///< Whose structures the estimate is for: "redis", "redis-8.2", …

  Amount total;
  /// Of the keyspace itself, beside the keys: tables of the databases and of expiries.
  std::uint64_t table_memory_bytes = 0;
  std::map<std::string, Amount> types;
  std::map<std::string, Amount> encodings;
  std::map<std::uint64_t, Amount> databases;
  std::map<std::string, Amount> modules;
  std::uint64_t functions = 0;
  std::uint64_t function_bytes = 0;
  std::uint64_t module_aux = 0;
  std::uint64_t unreadable = 0;  ///< Keys whose value is wrong; their memory is a guess.

  std::uint64_t expiring = 0;
  std::uint64_t expired = 0;
  std::uint64_t expiring_fields = 0;  ///< Fields of hashes.
  std::vector<Bucket> expiries;       ///< By time left.
  std::vector<Bucket> idle;           ///< By time since the last access; empty when not in the RDB.
  std::vector<Bucket> frequency;      ///< By LFU counter; empty when not in the RDB.
  Distribution serialized_sizes;
  Distribution element_counts;

  std::vector<LargeKey> top_by_serialized;
  std::vector<LargeKey> top_by_elements;
  std::vector<LargeKey> top_by_memory;
  PrefixNode prefixes;             ///< The root: all keys.
  std::uint64_t prefix_folds = 0;  ///< How often the tree was full.
  std::uint64_t prefix_nodes = 0;
  SlotSpread slots;
  double seconds = 0;
};

/// Reads a dataset once and tells what it is made of.
///
/// Memory: some 16 MiB, whatever the number and size of the keys.
/// Errors: what keeps the place from being read, or the RDB from being followed from key to key. A
///         value that is wrong is counted in `unreadable`. "bad_option". Of the page "open_failed",
///         before anything is read, and "write_failed". It stands under its name once it is whole.
[[nodiscard]] Result<AnalyzeResult> analyze(const AnalyzeOptions& options, const JobContext& job);

[[nodiscard]] std::string to_json(const AnalyzeResult& result);
/// One page that needs nothing beside itself, neither network nor scripts.
[[nodiscard]] std::string to_html(const AnalyzeResult& result);

}  // namespace sluice
