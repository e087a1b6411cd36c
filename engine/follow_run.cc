#include "engine/follow_run.h"

#include <fmt/format.h>

#include <cstdlib>
#include <utility>

#include "engine/errors.h"
#include "engine/import_mode.h"

namespace sluice::engine {
namespace {

constexpr std::chrono::seconds ask_interval(1);
constexpr std::uint64_t close_bytes = 4 << 20;  // so near, the rest is a matter of moments

}  // namespace

FollowRun::FollowRun(FollowSource& source, const ServerLink& source_link,
                     const ServerLink& target_link, const CloneOptions& options, bool imports,
                     IoThread& io, ProgressMeter& meter, const JobContext& job)
    : source_(source),
      source_link_(source_link),
      target_link_(target_link),
      options_(options),
      imports_(imports),
      io_(io),
      meter_(meter),
      job_(job),
      replay_(source.granted().offset, [this](net::CommandBatch batch) {
        const auto sent = io_.run(writer_->write(std::move(batch)), {});
        if (!sent && !broken_) broken_ = sent.error();
        return sent.has_value();
      }) {}

Result<void> FollowRun::run(FollowResult& result) {
  auto ended = connect();
  meter_.set_phase("following");
  meter_.set_total(std::nullopt);
  while (ended) {
    ended = step();
    if (!ended) break;
    const auto over = is_over();
    if (!over) ended = std::unexpected(over.error());
    if (over && *over) break;
  }
  if (ended) ended = settle();
  report(result);
  return ended;
}

Result<void> FollowRun::connect() {
  auto target = io_.run(log_in(io_.executor(), target_link_), job_.stop);
  if (!target) return std::unexpected(from_net(target.error(), Role::target, target_link_.display));
  target_connection_ = std::move(*target);
  if (imports_) {
    const auto told = io_.run(become_import_source(*target_connection_, target_link_), job_.stop);
    if (!told) return std::unexpected(from_net(told.error(), Role::target, target_link_.display));
  }
  net::TargetWriterOptions writer;
  writer.inflight_bytes_max = options_.inflight_bytes_max;
  writer.silence_timeout = target_link_.timeout;
  writer_ = std::make_unique<net::TargetWriter>(*target_connection_, replay_, writer);
  return {};
}

/// Applies what came, and when nothing does, waits for the answers.
Result<void> FollowRun::step() {
  const auto came = source_.read_stream([this](std::span<const std::byte> bytes) -> Result<void> {
    if (replay_.feed(bytes) && replay_.flush()) return {};
    return std::unexpected(broken());
  });
  if (!came) return std::unexpected(came.error());
  if (*came == FollowSource::Came::nothing_yet) {
    if (auto settled = settle(); !settled) return settled;
  }
  source_.set_processed(replay_.applied_offset());
  if (*came == FollowSource::Came::end) {
    return std::unexpected(source_.error().value_or(cancelled()));
  }
  if (Clock::now() - asked_at_ >= ask_interval) {
    if (auto looked = look_at_source(); !looked) return looked;
  }
  tell();
  return {};
}

Result<void> FollowRun::settle() {
  if (!replay_.flush()) return std::unexpected(broken());
  const auto answered = io_.run(writer_->finish(), {});
  if (answered) return {};
  broken_ = answered.error();
  return std::unexpected(broken());
}

/// How far the source is. That it does not answer is for the stream to find out.
Result<void> FollowRun::look_at_source() {
  asked_at_ = Clock::now();
  if (!source_connection_) {
    auto connection = io_.run(log_in(io_.executor(), source_link_), {});
    if (!connection) return {};
    source_connection_ = std::move(*connection);
    asking_ = std::make_unique<net::Client>(
        *source_connection_,
        net::ClientOptions{.silence_timeout = source_link_.timeout, .limits = {}});
  }
  const auto info = io_.run(net::fetch_server_info(*asking_), {});
  if (info) {
    source_offset_ = info->repl_offset;
  } else {
    asking_.reset();
    source_connection_.reset();
  }
  return {};
}

void FollowRun::tell() {
  meter_.update(replay_.applied_offset(), replay_.commands());
  std::string lost = source_.lost();
  if (lost == told_lost_) return;
  meter_.notice(lost.empty() ? "the source is there again, and so is all that was missed"
                             : "trying to get back to the source: " + lost);
  told_lost_ = std::move(lost);
}

bool FollowRun::wants_cut_over() const {
  return options_.cut_over != nullptr && options_.cut_over->load() && !refused_pause_;
}

Result<bool> FollowRun::is_over() {
  if (goal_) {
    const double paused_s = std::chrono::duration<double>(Clock::now() - paused_at_).count();
    if (replay_.applied_offset() >= *goal_ && replay_.at_rest()) {
      paused_s_ = paused_s;
      return true;
    }
    if (paused_s < options_.pause_s_max) return false;
    return std::unexpected(
        Error{.stage = Stage::engine,
              .code = "pause_too_short",
              .message = fmt::format(
                  "the writes of the source were paused for {} s, but the target is still behind; "
                  "they go on now, and the target is not up to date: follow again, and cut over "
                  "when the lag is small, or allow a longer --pause",
                  options_.pause_s_max)});
  }
  if (job_.stop.stop_requested()) {
    source_.stop_receiving();
    auto came = FollowSource::Came::bytes;
    while (came == FollowSource::Came::bytes) {
      const auto rest =
          source_.read_stream([this](std::span<const std::byte> bytes) -> Result<void> {
            if (replay_.feed(bytes) && replay_.flush()) return {};
            return std::unexpected(broken());
          });
      if (!rest) return std::unexpected(rest.error());
      came = *rest;
    }
    return true;
  }
  const bool is_close = source_offset_ <= replay_.applied_offset() + close_bytes;
  if (!wants_cut_over() || !is_close || !source_.lost().empty()) return false;
  if (auto paused = pause_source(); !paused) return std::unexpected(paused.error());
  return false;
}

/// From now on the source takes no writes; what it has taken is all up to goal_.
Result<void> FollowRun::pause_source() {
  if (auto looked = look_at_source(); !looked) return looked;
  if (!asking_) return {};  // tried again
  const auto length_ms = std::to_string(static_cast<std::int64_t>(options_.pause_s_max * 1000));
  paused_at_ = Clock::now();
  const auto paused = io_.run(asking_->call("CLIENT", "PAUSE", length_ms, "WRITE"), {});
  if (!paused) return std::unexpected(from_net(paused.error(), Role::source, source_link_.display));
  if (paused->is_error()) {
    refused_pause_ = true;
    meter_.notice("the source does not pause its writes (" + net::printable(paused->text) +
                  "): have its clients stop writing, and stop this when the lag is 0");
    return {};
  }
  if (auto looked = look_at_source(); !looked) return looked;
  goal_ = source_offset_;
  return {};
}

void FollowRun::report(FollowResult& result) const {
  result.offset = replay_.applied_offset();
  result.commands = replay_.commands();
  result.lag_bytes = source_offset_ > result.offset ? source_offset_ - result.offset : 0;
  result.reconnects = source_.reconnects();
  result.errors = replay_.errors();
  result.error_count = replay_.error_count();
  result.cut_over = goal_ && result.offset >= *goal_;
  result.paused_s = paused_s_;
}

Error FollowRun::broken() const {
  if (!broken_) return cancelled();
  Error error = from_net(*broken_, Role::target, target_link_.display);
  error.message +=
      "; what was on its way may have been carried out or not: begin anew with --flush";
  return error;
}

}  // namespace sluice::engine
