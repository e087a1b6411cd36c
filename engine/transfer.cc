#include "engine/transfer.h"

#include <fmt/format.h>

#include <utility>

#include "engine/clock.h"
#include "engine/cluster_proof.h"
#include "engine/cluster_target.h"
#include "engine/conversion_loss.h"
#include "engine/errors.h"
#include "engine/restore_proof.h"
#include "engine/target_format.h"

namespace sluice::engine {
namespace {

constexpr std::chrono::minutes followed_grace(1);

}  // namespace

Transfer::Transfer(const TransferOptions& options, const ServerAddress& address,
                   const ServerLink& link, ReadyTarget target, IoThread& io, ProgressMeter& meter,
                   const JobContext& job, const TransferState* resumed)
    : options_(options),
      address_(address),
      link_(link),
      target_(std::move(target)),
      io_(io),
      meter_(meter),
      job_(job),
      start_ms_(resumed != nullptr ? resumed->start_ms : unix_now_ms()),
      was_empty_(resumed != nullptr ? resumed->written.has_value() : target_.keys == 0),
      written_(make_written(resumed)),
      ledger_(options.on_conflict, written_.get()),
      import_(io, link, target_, holds(), meter, job.stop),
      watch_(make_watch()),
      way_(make_way()),
      stream_(stream_options(), ledger_, way_->outlet(), written_.get()),
      convert_(rdb_format_of(target_.info), stream_, [this](const auto& loss) { on_loss(loss); }) {
  if (resumed == nullptr) return;
  ledger_.resume(resumed->counts);
  losses_ = resumed->counts.losses;
  loss_count_ = resumed->counts.loss_count;
}

/// Null when it is not to be proven what was written, or cannot be.
std::unique_ptr<WrittenDigest> Transfer::make_written(const TransferState* resumed) {
  if (options_.verify == Proof::never) return nullptr;
  if (!was_empty_) {
    if (options_.verify == Proof::always) {
      why_unproven_ = resumed != nullptr ? "what was written before the interruption is not known"
                                         : "the target was not empty";
    }
    return nullptr;
  }
  if (!target_.knows_absolute_ttl()) {
    why_unproven_ = "the target is too old to be told when a key expires";
    return nullptr;
  }
  auto written = std::make_unique<WrittenDigest>(start_ms_);
  if (resumed != nullptr) written->resume(*resumed->written, resumed->written_gap);
  return written;
}

std::unique_ptr<LatencyWatch> Transfer::make_watch() {
  if (options_.latency_ms_max <= 0) return nullptr;
  std::vector<ServerLink> servers = options_.watched;
  if (target_.cluster) {
    for (const net::Shard& shard : target_.cluster->shards())
      servers.push_back(link_.at(shard.primary.address));
  } else {
    servers.push_back(link_);
  }
  return std::make_unique<LatencyWatch>(std::move(servers), options_.latency_ms_max, meter_);
}

std::unique_ptr<TargetWay> Transfer::make_way() {
  if (target_.cluster) {
    auto way = std::make_unique<ClusterWay>(io_, link_, *target_.cluster, ledger_,
                                            cluster_options(), job_.stop);
    cluster_ = way.get();
    return way;
  }
  auto connections = connect();
  std::unique_ptr<net::Connection> asker;
  if (asks() && connections.size() > 1) {
    asker = std::move(connections.front());
    connections.erase(connections.begin());
  }
  auto lanes = std::make_unique<TargetLanes>(io_, std::move(connections), std::move(asker), ledger_,
                                             lane_options(), job_.stop);
  lanes_ = lanes.get();
  return lanes;
}

ClusterWayOptions Transfer::cluster_options() const {
  return {.policy = options_.on_conflict,
          .inflight_bytes_max = options_.inflight_bytes_max,
          .bytes_per_second = options_.bytes_per_second,
          .watch = watch_.get(),
          .on_trouble = [this](std::string_view why) {
            meter_.notice(fmt::format("waiting for the cluster: {}", why));
          }};
}

ImportMode::Holds Transfer::holds() const {
  if (!was_empty_) return ImportMode::Holds::others;
  return options_.was_cut_short ? ImportMode::Holds::ours : ImportMode::Holds::nothing;
}

/// Whether it is asked of most keys if they are there.
bool Transfer::asks() const {
  return options_.mode == RestoreMode::commands && options_.on_conflict != OnConflict::replace;
}

/// As many as are wanted, if they can be had.
std::vector<std::unique_ptr<net::Connection>> Transfer::connect() {
  std::vector<std::unique_ptr<net::Connection>> connections;
  const unsigned wanted = options_.connections + (asks() ? 1 : 0);
  if (wanted > 1) {
    auto more = io_.run(log_in_more(io_.executor(), link_, wanted - 1), job_.stop);
    if (more) connections = std::move(*more);
  }
  connections.push_back(std::move(target_.connection));
  if (import_.is_on()) {
    // One that breaks here will do so again when something is sent over it.
    for (const auto& connection : connections)
      static_cast<void>(io_.run(become_import_source(*connection, link_), job_.stop));
  }
  return connections;
}

LaneOptions Transfer::lane_options() const {
  return {.inflight_bytes_max = options_.inflight_bytes_max,
          .silence_timeout = link_.timeout,
          .bytes_per_second = options_.bytes_per_second,
          .watch = watch_.get()};
}

RestoreStream::Options Transfer::stream_options() const {
  return {.policy = options_.on_conflict,
          .mode = options_.mode,
          .knows_absolute_ttl = target_.knows_absolute_ttl(),
          .sends_expired = options_.is_followed,
          .grace = options_.is_followed && !import_.is_on() ? followed_grace
                                                            : std::chrono::milliseconds(0),
          .limits = target_.limits,
          .is_older = is_older(target_.info),
          .long_values = options_.long_values};
}

void Transfer::on_loss(const rdb::ConversionLoss& loss) {
  RdbLoss described = describe(loss);
  if (loss.of == rdb::ConversionLoss::Of::function) {
    ledger_.count_function_failed(loss.name, "the target knows no functions");
    return;
  }
  if (loss.of == rdb::ConversionLoss::Of::key && loss.losses.has(rdb::Loss::value)) {
    ledger_.count_read(loss.type->logical);
    ledger_.count_failed(loss.type->logical, loss.db, loss.name, described.message);
    return;
  }
  ++loss_count_;
  if (losses_.size() < losses_max) losses_.push_back(std::move(described));
}

Error Transfer::broken_or_stopped() const {
  if (!way_->broken()) return cancelled();
  return from_net(*way_->broken(), Role::target, link_.display);
}

/// The parser only knows that the handler stopped it; what made it stop is here.
Error Transfer::why_ended(const Error& read) const {
  Error error = read;
  if (stream_.error()) error = *stream_.error();
  if (const auto converting = convert_.error()) error = *converting;
  if (way_->broken()) error = broken_or_stopped();
  if (error.code == "cancelled") error.message = "stopped as asked";
  error.message += "; the target holds part of it";
  if (way_->broken() || error.code == "cancelled") {
    error.message += fmt::format(": {}", options_.remedy);
  }
  return error;
}

bool Transfer::finish() {
  const bool finished = stream_.finish();
  end_sending();
  return finished;
}

void Transfer::abandon(std::string_view why) {
  stream_.abandon(why);
  end_sending();
}

/// Before the target is read back: what it evicts then is to be missed.
void Transfer::end_sending() {
  if (watch_) watch_->end();
  if (!options_.is_followed) import_.end();
}

TransferState Transfer::state() const {
  TransferState state{.start_ms = start_ms_, .counts = {}, .written = {}, .written_gap = {}};
  report(state.counts);
  if (!written_) return state;
  state.written = written_->windows().sums();
  state.written_gap = written_->gap();
  return state;
}

bool Transfer::set_doubtful(bool doubtful) {
  if (doubtful == doubtful_) return true;
  if (!rest()) return false;
  doubtful_ = doubtful;
  stream_.set_doubtful(doubtful);
  return true;
}

void Transfer::report(RestoreResult& result) const {
  result.mode = options_.mode;
  ledger_.report(result);
  result.losses = losses_;
  result.loss_count = loss_count_;
  if (watch_) watch_->report(result);
  if (!options_.is_followed) import_.report(result);
  if (cluster_ == nullptr) return;
  for (std::string& note : notes_on(cluster_->stats(), options_.on_conflict)) {
    result.notes.push_back(std::move(note));
  }
}

void Transfer::end_import(RestoreResult& result) {
  import_.end();
  import_.report(result);
}

void Transfer::prove(RestoreResult& result) {
  if (!why_unproven_.empty()) result.notes.push_back("not verified: " + why_unproven_);
  if (written_) {
    auto proof = target_.cluster
                     ? prove_cluster_restore(link_, *written_, start_ms_, io_, meter_, job_)
                     : prove_restore(address_, link_, *written_, start_ms_, io_, meter_, job_);
    result.verified = proof.verified;
    result.digest = std::move(proof.digest);
    result.interrupted = std::move(proof.stopped);
    if (!proof.note.empty()) result.notes.push_back(std::move(proof.note));
  }
  if (!result.interrupted && !result.verified.value_or(false)) note_missing(result);
}

/// A server says OK to a key that it evicts at once, or that has expired by its own clock; and one
/// that ends takes along what it said OK to.
void Transfer::note_missing(RestoreResult& result) {
  const auto keys = count_keys();
  if (!keys && is_lost(keys.error())) {
    result.interrupted = keys.error();
    result.interrupted->message +=
        "; it had taken everything before, and may hold less of it now: " +
        std::string(options_.remedy);
  }
  if (!keys || !was_empty_ || *keys >= result.total.written) return;
  result.notes.push_back(
      fmt::format("the target took {} keys but holds {} now: the others expired by its clock or "
                  "were evicted (see maxmemory and maxmemory-policy there)",
                  result.total.written, *keys));
}

/// A cluster, in which one node may be away, is not.
bool Transfer::is_lost(const Error& error) const {
  return cluster_ == nullptr &&
         (error.code == "closed_by_peer" || error.code == "timed_out" || error.code == "system");
}

Result<std::uint64_t> Transfer::count_keys() {
  if (target_.cluster) return count_cluster_keys(io_, link_, job_);
  const auto keys = io_.run(count_target_keys(lanes_->connection(), link_), job_.stop);
  if (keys) return *keys;
  return std::unexpected(from_net(keys.error(), Role::target, link_.display));
}

void note_module_aux(std::uint64_t records, RestoreResult& result) {
  if (records == 0) return;
  result.notes.push_back(
      fmt::format("{} record(s) of data that modules keep outside of keys were not carried "
                  "over: RESTORE cannot",
                  records));
}

Result<ReadyTarget> look_at(IoThread& io, const ServerLink& link, const JobContext& job) {
  if (link.cluster) return look_at_cluster(io, link, job);
  auto target = io.run(look_at_target(io.executor(), link), job.stop);
  if (target) return std::move(*target);
  return std::unexpected(from_net(target.error(), Role::target, link.display));
}

namespace {

Result<void> empty(IoThread& io, const ServerLink& link, const ReadyTarget& target,
                   const JobContext& job) {
  if (target.cluster) return flush_cluster(io, link, *target.cluster, job);
  const auto flushed = io.run(flush_target(*target.connection, link), job.stop);
  if (flushed) return {};
  return std::unexpected(from_net(flushed.error(), Role::target, link.display));
}

}  // namespace

Result<ReadyTarget> prepare_target(IoThread& io, const ServerLink& link, OnConflict on_conflict,
                                   bool flush, bool dry_run, const JobContext& job) {
  auto target = look_at(io, link, job);
  if (!target) return target;
  if (flush && dry_run) {
    target->keys = 0;
  } else if (flush) {
    const auto flushed = empty(io, link, *target, job);
    if (!flushed) {
      Error error = flushed.error();
      if (error.code == "cancelled") error.message = "stopped as asked";
      error.message += "; the target may have been emptied, nothing was restored";
      return std::unexpected(std::move(error));
    }
    target->keys = 0;
  } else if (target->keys > 0 && on_conflict == OnConflict::refuse) {
    return std::unexpected(Error{
        .stage = Stage::engine,
        .code = "target_not_empty",
        .message = fmt::format("target {} holds {} key(s): choose an empty one, or say what shall "
                               "happen with --on-conflict replace, --on-conflict skip or --flush",
                               link.display, target->keys)});
  }
  return std::move(*target);
}

}  // namespace sluice::engine
