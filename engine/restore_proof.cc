#include "engine/restore_proof.h"

#include <fmt/format.h>

#include <charconv>

#include "engine/clock.h"
#include "engine/errors.h"
#include "engine/place.h"

namespace sluice::engine {
namespace {

/// Reads into a FoundDataset.
class FoundReader final : public StreamFacts {
 public:
  explicit FoundReader(FoundDataset& found) : found_(found) {}

  bool on_record_begin(const rdb::RecordHeader& record) override {
    found_.digest.begin(record, *header());
    return StreamFacts::on_record_begin(record);
  }
  bool on_value_part(std::span<const std::byte> part) override {
    found_.digest.add(part);
    return StreamFacts::on_value_part(part);
  }
  bool on_record_end(std::uint64_t offset) override {
    found_.digest.end();
    return StreamFacts::on_record_end(offset);
  }

 private:
  FoundDataset& found_;
};

}  // namespace

// ctime is in seconds, rounded down.
std::int64_t snapshot_time_ms(const StreamFacts& facts) {
  constexpr std::int64_t margin_ms = 2000;
  const std::string ctime = facts.aux("ctime");
  std::int64_t seconds = 0;
  const auto [end, ec] = std::from_chars(ctime.data(), ctime.data() + ctime.size(), seconds);
  if (ec != std::errc() || seconds <= 0 || seconds > 253'402'300'800) {
    return unix_now_ms() + margin_ms;
  }
  return seconds * 1000 + margin_ms;
}

RestoreProof unproven(const Error& error) {
  RestoreProof proof;
  if (error.code == "cancelled") {
    proof.stopped = error;
    proof.stopped->message = "stopped as asked while the restore was verified; all was written";
  } else {
    proof.note = "not verified: " + error.message;
  }
  return proof;
}

RestoreProof unproven(std::string_view why) {
  RestoreProof proof;
  proof.note = "not verified: " + std::string(why);
  return proof;
}

RestoreProof judge(const WrittenDigest& written, const FoundDataset& found) {
  const auto& seen = found.digest;
  RestoreProof proof;
  proof.digest = seen.digest();
  if (seen.undecodable() > 0) {
    proof.note =
        "not verified: the target sent a value that cannot be decoded: " + seen.first_problem();
    return proof;
  }
  const auto compared = written.windows().compare(found.windows, found.snapshot_ms);
  if (!compared.possible) {
    proof.note =
        "not verified: the restore took months by the target's clock, in which keys expire";
    return proof;
  }
  proof.verified = compared.equal;
  if (!compared.equal) {
    proof.note = fmt::format(
        "NOT the same: the target, with {} key(s), does not hold what was written to it. Either "
        "another client wrote there too, or keys were evicted (maxmemory): mend that and run this "
        "again with --flush",
        seen.keys());
  } else if (compared.left_out > 0) {
    proof.note = fmt::format(
        "verified but for {} key(s) or field(s) that have expired or are about "
        "to",
        compared.left_out);
  }
  return proof;
}

RestoreProof prove_restore(const ServerAddress& target, const ServerLink& link,
                           const WrittenDigest& written, std::int64_t start_ms, IoThread& io,
                           ProgressMeter& meter, const JobContext& job) {
  if (!written.gap().empty()) return unproven(written.gap());
  const auto info = io.run(ask_server_info(io.executor(), link), job.stop);
  if (!info) return unproven(from_net(info.error(), Role::target, link.display));

  constexpr int attempts_max = 3;
  for (int attempt = 0; attempt < attempts_max; ++attempt) {
    FoundDataset found(start_ms);
    FoundReader reader(found);
    rdb::Parser parser(reader);
    const Place place{.name = target.uri, .server = target, .repository = {}, .io = {}};
    const auto read = read_place(place, parser, meter, job);
    if (!read) return unproven(read.error());
    // A snapshot that was made for another replica may be older than what was written.
    found.snapshot_ms = snapshot_time_ms(reader);
    if (read->source.offset >= info->repl_offset) return judge(written, found);
  }
  return unproven("the target gave snapshots that are older than the restore; see sluice digest");
}

}  // namespace sluice::engine
