#include "engine/feed_restore.h"

#include <fmt/format.h>

#include <memory>
#include <optional>
#include <utility>

#include "engine/canonical_rdb.h"
#include "engine/clock.h"
#include "engine/errors.h"
#include "engine/feed_image.h"
#include "engine/feed_link.h"
#include "engine/feed_state.h"
#include "engine/feed_target.h"
#include "engine/feed_undo.h"
#include "engine/info_text.h"
#include "engine/restore_proof.h"
#include "storage/target_note.h"

namespace sluice::engine {
namespace {

constexpr int attempts_max = 3;

class FeedRun {
 public:
  FeedRun(const storage::Repository& repository, const OpenBackup& backup,
          const RestoreOptions& options, const ServerLink& link, ProgressMeter& meter,
          const JobContext& job, storage::TargetNote note)
      : repository_(repository),
        backup_(backup),
        options_(options),
        link_(link),
        meter_(meter),
        job_(job),
        note_(std::move(note)),
        console_(io_, link_) {
    console_.set_stop(job.stop);
    result_.backup = backup.stored.key.id;
    result_.instance = backup.stored.key.instance;
    result_.target = link.display;
    result_.mode = RestoreMode::feed;
  }

  Result<RestoreResult> run() {
    meter_.set_phase("connecting");
    meter_.update(0, 0);
    if (auto settled = settle_earlier(); !settled) return std::unexpected(settled.error());
    if (auto prepared = prepare(); !prepared) return std::unexpected(prepared.error());
    if (is_finishing_) {
      finish_earlier();
    } else {
      FeedLink feed_link(io_, console_, target_, meter_, job_);
      if (auto listening = feed_link.listen(options_.listen); !listening)
        return std::unexpected(listening.error());
      if (auto noted = note_changes(feed_link.address()); !noted)
        return std::unexpected(noted.error());
      go(feed_link);
    }
    result_.raw_bytes = image_->facts().trailer()->bytes;
    result_.seconds = meter_.seconds();
    return std::move(result_);
  }

 private:
  [[nodiscard]] Error about_target(const net::Error& error) const {
    return from_net(error, Role::target, link_.display);
  }

  Result<void> settle_earlier();
  Result<void> prepare();
  Result<void> note_changes(const FeedAddress& address);
  Result<void> write_note(FeedState::Stage stage);
  Result<void> change_target();
  Result<void> feed_until_taken(FeedLink& feed_link);
  void go(FeedLink& feed_link);
  void finish_earlier();
  void prove();
  void detach(FeedLink& feed_link, std::optional<Error> failure);
  [[nodiscard]] bool look_whether_kept();
  void note_unsaved();
  void settle_note(const FeedUndone& undone);

  const storage::Repository& repository_;
  const OpenBackup& backup_;
  const RestoreOptions& options_;
  const ServerLink& link_;
  ProgressMeter& meter_;
  const JobContext& job_;
  storage::TargetNote note_;
  IoThread io_;
  TargetConsole console_;
  FeedTarget target_;
  FeedState state_;
  std::optional<FeedImage> image_;
  std::int64_t start_ms_ = 0;               // of the attempt
  std::unique_ptr<WrittenDigest> written_;  // when it is to be proven
  bool is_finishing_ = false;               // the target has it all from an earlier run
  RestoreResult result_;
};

/// A feed of this target that was cut short: undoes it, or finds that it only has to be ended.
Result<void> FeedRun::settle_earlier() {
  const auto text = note_.read();
  if (!text) meter_.notice("what an earlier restore has noted is lost: " + to_string(text.error()));
  const auto earlier = text && *text ? decode_feed_state(**text) : std::nullopt;
  if (!earlier) return {};
  meter_.notice("an earlier restore into this target was cut short: setting it right first");
  const auto undone = undo_feed(console_, *earlier, [this] { meter_.update(0, 0); });
  if (!undone) return std::unexpected(about_target(undone.error()));
  const auto replication = console_.info("replication");
  if (!replication) return std::unexpected(about_target(replication.error()));
  const bool is_whole = earlier->stage == FeedState::Stage::loaded &&
                        earlier->backup == result_.backup &&
                        info_field(*replication, "master_replid2") == earlier->replid;
  state_ = *earlier;
  is_finishing_ = is_whole && !options_.flush;
  if (!is_finishing_) settle_note(*undone);
  return {};
}

Result<void> FeedRun::prepare() {
  auto target = look_at_feed_target(console_);
  if (!target) return std::unexpected(about_target(target.error()));
  target_ = std::move(*target);
  const bool may_hold_keys = options_.flush || is_finishing_;
  if (auto error = refuse_feed(target_, backup_.manifest, may_hold_keys, link_.display))
    return std::unexpected(std::move(*error));
  const FeedForm form{.converted = version_to_feed(target_.own, header_of(backup_.manifest)),
                      .cutoff_ms = unix_now_ms()};
  image_.emplace(repository_, backup_, form);
  if (auto measured = image_->measure(meter_, job_); !measured) return measured;
  if (auto error = refuse_modules(target_, image_->facts().modules(), link_.display))
    return std::unexpected(std::move(*error));
  result_.notes = feed_warnings(target_, backup_.manifest);
  result_.functions = image_->facts().functions_fed();
  return {};
}

Result<void> FeedRun::write_note(FeedState::Stage stage) {
  state_.stage = stage;
  if (auto written = note_.write(encode(state_)); !written) {
    Error error = from_storage(written.error());
    error.message +=
        ": without a note of what is to be undone no target is fed; --mode restore "
        "needs none";
    return std::unexpected(std::move(error));
  }
  return {};
}

Result<void> FeedRun::note_changes(const FeedAddress& address) {
  state_ = FeedState{.target = link_.display,
                     .backup = result_.backup,
                     .instance = result_.instance,
                     .keys = image_->facts().ledger().keys_to_have(),
                     .primary_host = address.host,
                     .primary_port = address.port,
                     .replid = net::make_replid(),
                     .settings = {},
                     .stage = FeedState::Stage::feeding,
                     .started_at_ms = unix_now_ms()};
  if (diskless_load_to_set(target_))
    state_.settings["repl-diskless-load"] = target_.setting("repl-diskless-load");
  return write_note(FeedState::Stage::feeding);
}

Result<void> FeedRun::change_target() {
  if (const auto way = diskless_load_to_set(target_)) {
    const auto set = console_.call({"CONFIG", "SET", "repl-diskless-load", *way});
    if (!set) return std::unexpected(about_target(set.error()));
    if (set->is_error()) {
      state_.settings.clear();
      result_.notes.push_back(
          "the target loads by way of its disk: CONFIG SET repl-diskless-load: " +
          net::printable(set->text));
    }
  }
  if (options_.flush) {
    const auto flushed = console_.order({"FLUSHALL"});
    if (!flushed) return std::unexpected(about_target(flushed.error()));
    // Servers before 7.0 have no functions to remove, and say so.
    if (const auto none = console_.call({"FUNCTION", "FLUSH"}); !none)
      return std::unexpected(about_target(none.error()));
  }
  const auto told =
      console_.order({"REPLICAOF", state_.primary_host, std::to_string(state_.primary_port)});
  if (!told) return std::unexpected(about_target(told.error()));
  return {};
}

/// A target that lost the connection comes again by itself.
Result<void> FeedRun::feed_until_taken(FeedLink& feed_link) {
  for (int attempt = 1;; ++attempt) {
    start_ms_ = unix_now_ms();
    written_.reset();
    if (options_.verify != Proof::never) written_ = std::make_unique<WrittenDigest>(start_ms_);
    auto fed = feed_link.feed(state_, *image_, written_.get());
    if (fed || fed.error().code != "feed_cut_short" || attempt == attempts_max) return fed;
    meter_.notice(fed.error().message + "; waiting for it to come again");
  }
}

void FeedRun::go(FeedLink& feed_link) {
  Result<void> done = change_target();
  if (done) done = feed_until_taken(feed_link);
  if (done) done = write_note(FeedState::Stage::loaded);
  const bool is_taken = state_.stage == FeedState::Stage::loaded;
  image_->facts().ledger().report(result_, is_taken);
  if (done) prove();
  detach(feed_link, done ? std::nullopt : std::optional(done.error()));
}

/// The target has loaded all of it, and was detached by settle_earlier().
void FeedRun::finish_earlier() {
  result_.notes.emplace_back(
      "an earlier restore of this backup had brought everything and was cut short after that: the "
      "target was detached and its settings are as they were");
  image_->facts().ledger().report(result_, true);
  start_ms_ = state_.started_at_ms;
  if (options_.verify != Proof::never) {
    written_ = std::make_unique<WrittenDigest>(start_ms_);
    const RdbSink nowhere = [](std::span<const std::byte>) { return Result<void>(); };
    if (auto read = image_->send(nowhere, written_.get(), job_); !read) {
      result_.interrupted = read.error();
      return;
    }
    prove();
  }
  settle_note({.keys = result_.verified.value_or(true) ? 0 : target_.keys});
}

void FeedRun::prove() {
  if (!written_) return;
  auto proof = prove_restore(options_.target, link_, *written_, start_ms_, io_, meter_, job_);
  result_.verified = proof.verified;
  result_.digest = std::move(proof.digest);
  result_.interrupted = std::move(proof.stopped);
  if (!proof.note.empty()) result_.notes.push_back(std::move(proof.note));
}

/// Whatever happened: the target is told to be nobody's replica, and its settings are set back.
void FeedRun::detach(FeedLink& feed_link, std::optional<Error> failure) {
  // While a target is attached, NO ONE keeps its data only if it has read all that we sent; and one
  // that fails to load does not stop trying until we are gone.
  if (failure) feed_link.close();
  console_.set_stop({});  // a job that is stopped does this, too
  const auto undone = undo_feed(console_, state_, [this] {
    meter_.set_phase("waiting for the target to be done with loading");
    meter_.update(0, 0);
  });
  if (failure) {
    if (failure->code == "cancelled") failure->message = "stopped as asked";
    result_.interrupted = std::move(failure);
  }
  if (!undone) {
    Error left = result_.interrupted.value_or(about_target(undone.error()));
    left.message += fmt::format(
        "; the target could not be set right ({}) and may still wait for us: sluice doctor {} "
        "--repair does that, or this again",
        about_target(undone.error()).message, link_.display);
    result_.interrupted = std::move(left);
    return;
  }
  const bool is_kept = look_whether_kept();
  const bool is_whole = is_kept && result_.verified.value_or(true);
  if (is_whole) note_unsaved();
  if (result_.interrupted && !is_whole) {
    result_.interrupted->message += undone->keys == 0 ? "; the target is empty"
                                                      : "; the target may hold part of the backup: "
                                                        "run this again with --flush";
  }
  settle_note({.keys = is_whole ? 0 : undone->keys});
}

/// Whether the target, once detached, still has what it acknowledged. It has not when it was
/// restarted or told otherwise in between.
bool FeedRun::look_whether_kept() {
  if (state_.stage != FeedState::Stage::loaded) return false;
  const auto replication = console_.info("replication");
  if (replication && has_all(state_, *replication)) return true;
  result_.verified.reset();
  if (result_.interrupted) return false;
  result_.interrupted =
      Error{.stage = Stage::engine,
            .code = "target_changed",
            .message = fmt::format("target {} was restarted, or given other data, right after it "
                                   "had loaded everything",
                                   link_.display)};
  return false;
}

/// A server that has an append-only file begins a new one once it has loaded as a replica.
void FeedRun::note_unsaved() {
  const auto persistence = console_.info("persistence");
  if (!persistence || info_field(*persistence, "aof_enabled") != "1") return;
  if (info_field(*persistence, "aof_rewrite_in_progress") != "1" &&
      info_field(*persistence, "aof_rewrite_scheduled") != "1")
    return;
  result_.notes.emplace_back(
      "the target is still writing its append-only file: were it to end before (INFO persistence: "
      "aof_rewrite_in_progress), it would come back without what was restored");
}

/// Nothing is to be undone any more; what is left to say is that a target holds a part.
void FeedRun::settle_note(const FeedUndone& undone) {
  state_.settings.clear();
  if (undone.keys > 0) {
    if (auto written = write_note(FeedState::Stage::incomplete); !written)
      meter_.notice(written.error().message);
    return;
  }
  if (auto cleared = note_.clear(); !cleared) meter_.notice(from_storage(cleared.error()).message);
}

}  // namespace

Result<RestoreResult> feed_restore(const storage::Repository& repository, const OpenBackup& backup,
                                   const RestoreOptions& options, const ServerLink& link,
                                   ProgressMeter& meter, const JobContext& job) {
  auto note = storage::TargetNote::open(*repository.shared_layout(), storage::name::feeds,
                                        target_note_name(link));
  if (!note && note.error().code == storage::Errc::busy) {
    return std::unexpected(Error{.stage = Stage::engine,
                                 .code = "busy",
                                 .message = "another restore is feeding target " + link.display});
  }
  if (!note) return std::unexpected(from_storage(note.error()));
  FeedRun run(repository, backup, options, link, meter, job, *std::move(note));
  return run.run();
}

}  // namespace sluice::engine
