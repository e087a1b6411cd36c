#include "service/event_stream.h"

#include <fmt/format.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/json/serialize.hpp>

#include "service/api_json.h"

namespace sluice::service {
namespace {

namespace asio = boost::asio;

constexpr std::chrono::milliseconds look_interval(250);
/// A comment is sent after so many looks without news, so that who has gone is noticed.
constexpr unsigned quiet_looks_max = 60;

std::string event(std::string_view name, const boost::json::object& data) {
  return fmt::format("event: {}\ndata: {}\n\n", name, boost::json::serialize(data));
}

}  // namespace

EventStream::EventStream(Core& core, const asio::any_io_executor& io)
    : core_(core), timer_(io), seq_(core.events.seq()) {}

asio::awaitable<BodySource::State> EventStream::next(std::string& piece) {
  if (!greeted_) {
    greeted_ = true;
    piece = event("hello", {});
    co_return State::more;
  }
  while (piece.empty()) {
    timer_.expires_after(look_interval);
    const auto [bad] = co_await timer_.async_wait(asio::as_tuple(asio::use_awaitable));
    if (bad) co_return State::broken;
    take_changes(piece);
    take_progress(piece);
    if (piece.empty() && ++quiet_ >= quiet_looks_max) piece = ": still here\n\n";
  }
  quiet_ = 0;
  co_return State::more;
}

void EventStream::take_changes(std::string& piece) {
  const auto changes = core_.events.since(seq_);
  seq_ = changes.seq;
  if (changes.missed) piece += event("hello", {});  // look at everything anew
  for (const std::int64_t id : changes.jobs) {
    auto job = core_.jobs.find(id);
    if (!job) continue;
    job->result.reset();
    if (job->state == job_state::running) versions_.emplace(id, 0);
    if (job->is_over()) versions_.erase(id);
    piece += event("job", job_json(core_, *job));
  }
  for (const std::string& name : changes.instances) piece += event("instance", {{"name", name}});
}

void EventStream::take_progress(std::string& piece) {
  for (auto& [id, version] : versions_) {
    const auto progress = core_.runner.progress(id);
    if (!progress || progress->version == version) continue;
    version = progress->version;
    auto job = core_.jobs.find(id);
    if (!job) continue;
    job->result.reset();
    piece += event("job", job_json(core_, *job));
  }
}

}  // namespace sluice::service
