#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/digest_reader.h"
#include "engine/ingest.h"
#include "engine/stream_facts.h"
#include "sluice/backup.h"
#include "sluice/catalog.h"
#include "sluice/result.h"
#include "storage/backup.h"

namespace sluice::engine {

/// What a backup's manifest says in its metadata section: the part of it that is about Redis. The
/// storage layer keeps it as text. Fields are only ever added.
struct Manifest {
  static constexpr int version = 1;
  static constexpr std::string_view layout_stream = "stream";
  static constexpr std::string_view layout_canonical = "canonical";

  BackupSource source;
  std::vector<BackupShard> shards;  ///< Of a cluster; else empty.
  std::string layout = std::string(layout_stream);
  std::string order;        ///< Of records in canonical layout: "key" or "slot".
  std::string compression;  ///< "lz4", "zstd:3", "none": of what this backup added.
  std::string parent;       ///< Id of the backup this one is stored against; empty for none.
  std::string dialect;      ///< "redis" or "valkey": which magic the RDB has.
  std::string crc;          ///< "ok" or "absent".
  std::uint64_t crc64 = 0;
  std::uint64_t raw_bytes = 0;
  std::uint64_t keys = 0;
  std::map<std::string, std::uint64_t> types;
  std::map<std::uint64_t, std::uint64_t> databases;
  std::uint64_t functions = 0;
  std::uint64_t module_aux = 0;
  std::vector<std::pair<std::string, std::string>> aux;  ///< Escaped.
  std::vector<LongValue> long_values;
  std::optional<std::string> digest;  ///< Of the dataset; null when it could not be taken.
  std::uint64_t undecodable = 0;      ///< Values that could not be decoded for the digest.
  std::int64_t started_at_ms = 0;
  std::int64_t finished_at_ms = 0;

  [[nodiscard]] bool by_slot() const noexcept { return order == "slot"; }
};

[[nodiscard]] std::string encode(const Manifest& manifest);
/// `object` names the backup in errors. Errors: "corrupt", "unsupported_format".
[[nodiscard]] Result<Manifest> decode_manifest(const std::string& text, const std::string& object);

/// The source with bytes that are no printable ASCII escaped: a manifest is JSON, and a terminal is
/// not to be steered by a hostile dump.
[[nodiscard]] BackupSource printable(const BackupSource& source);
[[nodiscard]] std::vector<BackupShard> printable(std::vector<BackupShard> shards);

/// Fills in what the stream told.
void take_facts(Manifest& manifest, const StreamFacts& facts);
void take_digest(Manifest& manifest, const DigestOutcome& digest);

/// What differs between the manifest and a second pass over the stream; empty when nothing does.
/// The bytes of a stream that is made anew from canonical layout are not those of the source.
[[nodiscard]] std::vector<std::string> differences(const Manifest& manifest,
                                                   const StreamFacts& facts);
/// The same for the digest. Empty too when the manifest has none, or one of another definition.
[[nodiscard]] std::optional<std::string> difference(const Manifest& manifest,
                                                    const DigestReader& digest);

}  // namespace sluice::engine
