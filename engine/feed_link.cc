#include "engine/feed_link.h"

#include <fmt/format.h>

#include <chrono>
#include <thread>
#include <utility>

#include "engine/errors.h"
#include "engine/feed_undo.h"
#include "engine/info_text.h"

namespace sluice::engine {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr std::uint64_t getack_bytes = 37;

Error refused(std::string message) {
  return {.stage = Stage::net, .code = "feed_refused", .message = std::move(message)};
}

Error bad_address(const std::string& text) {
  return {.stage = Stage::usage,
          .code = "bad_option",
          .message = "--listen takes HOST or HOST:PORT, not '" + text + "'"};
}

}  // namespace

Result<FeedAddress> parse_feed_address(const std::string& text) {
  FeedAddress address{.host = text};
  std::string port;
  const std::size_t colon = text.rfind(':');
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end == std::string::npos) return std::unexpected(bad_address(text));
    address.host = text.substr(1, end - 1);
    if (end + 1 < text.size()) port = text.substr(end + 1);
  } else if (colon != std::string::npos && text.find(':') == colon) {
    address.host = text.substr(0, colon);
    port = text.substr(colon);
  }
  if (address.host.empty() || address.host.contains('/')) return std::unexpected(bad_address(text));
  if (port.empty()) return address;
  const std::string digits = port.substr(1);
  const std::uint64_t number = info_number(digits);
  if (port.front() != ':' || number > 65535 || std::to_string(number) != digits)
    return std::unexpected(bad_address(text));
  address.port = static_cast<std::uint16_t>(number);
  return address;
}

Result<void> FeedLink::listen(const std::string& address) {
  address_.host = target_.ends.local;
  if (!address.empty()) {
    auto parsed = parse_feed_address(address);
    if (!parsed) return std::unexpected(parsed.error());
    address_ = std::move(*parsed);
  }
  net::ReplicationServerOptions options;
  options.host = address_.host;
  options.port = address_.port;
  options.session.silence_timeout = console_.link().timeout;
  options.expects = [this](const net::ReplicaPeer& peer) { return is_feed_target(target_, peer); };
  auto server = net::ReplicationServer::listen(io_.executor(), options);
  if (!server && server.error().code == std::errc::address_not_available) {
    // The address of a gateway in front of this machine.
    options.host = address_.host.contains(':') ? "::" : "0.0.0.0";
    server = net::ReplicationServer::listen(io_.executor(), options);
  }
  if (!server) {
    return std::unexpected(
        Error{.stage = Stage::net, .code = "cannot_listen", .message = server.error().detail});
  }
  server_ = std::move(*server);
  address_.port = server_->port();
  return {};
}

void FeedLink::close() {
  followed_.reset();
  session_.reset();
  server_.reset();
}

/// INFO replication of the target, which must still be our replica.
Result<std::string> FeedLink::ask_replication(const FeedState& state) {
  auto text = console_.info("replication");
  if (!text) return std::unexpected(from_net(text.error(), Role::target, console_.link().display));
  if (!is_attached(state, *text)) {
    return std::unexpected(
        refused("the target was told REPLICAOF something else, or was restarted, "
                "while it was fed"));
  }
  return std::move(*text);
}

Result<void> FeedLink::wait_for_target(const FeedState& state) {
  const auto deadline = Clock::now() + console_.link().timeout;
  while (!session_) {
    std::stop_source stop;
    const std::stop_callback on_stop(job_.stop, [&stop] { stop.request_stop(); });
    std::string stranger;
    auto accepting =
        io_.start(server_->accept([&stranger](const std::string& from, const net::Error& error) {
          stranger = from + ": " + error.detail;
        }),
                  stop.get_token());
    Result<std::string> alive;
    while (alive && !accepting.is_over_within(500ms)) {
      meter_.update(0, 0);
      alive = ask_replication(state);
      if (alive && Clock::now() >= deadline) {
        alive = std::unexpected(refused(fmt::format(
            "the target did not come to {}:{}, where it was told to load from: it must be able to "
            "connect there; see its log, and --listen",
            address_.host, address_.port)));
      }
    }
    stop.request_stop();
    auto accepted = accepting.wait();
    if (job_.stop.stop_requested()) return std::unexpected(cancelled());
    if (!alive) return std::unexpected(alive.error());
    if (!accepted)
      return std::unexpected(from_net(accepted.error(), Role::target, console_.link().display));
    session_ = std::move(*accepted);
    if (!session_) meter_.notice("a connection was not served: " + stranger);
  }
  return {};
}

Result<void> FeedLink::feed(const FeedState& state, const FeedImage& image,
                            WrittenDigest* written) {
  followed_.reset();
  session_.reset();
  meter_.set_phase("waiting for the target");
  if (auto came = wait_for_target(state); !came) return came;
  meter_.set_phase("feeding");
  meter_.set_total(image.bytes());
  const auto progress = [&](std::uint64_t bytes) { meter_.update(bytes, 0); };
  if (auto sent = send_snapshot(io_, *session_, state.replid, image, written, progress, job_);
      !sent)
    return sent;
  followed_.emplace(io_, *session_);
  if (auto loaded = wait_for_load(state, image); !loaded) return loaded;
  return prove_offset(state);
}

Result<void> FeedLink::wait_for_load(const FeedState& state, const FeedImage& image) {
  meter_.set_phase("loading");
  while (true) {
    const auto acknowledged = followed_->has_snapshot(250ms, job_.stop);
    if (!acknowledged) return std::unexpected(cut_short(*session_, acknowledged.error()));
    if (*acknowledged) return {};
    if (auto attached = ask_replication(state); !attached) return std::unexpected(attached.error());
    const auto text = console_.info("persistence");
    if (!text)
      return std::unexpected(from_net(text.error(), Role::target, console_.link().display));
    const std::uint64_t loaded = info_number(info_field(*text, "loading_loaded_bytes"));
    meter_.update(loaded > 0 ? loaded : image.bytes(), 0);
  }
}

/// The acknowledgement came on the way; that the target has applied it, it says itself.
Result<void> FeedLink::prove_offset(const FeedState& state) {
  const auto deadline = Clock::now() + 10s;
  while (true) {
    const auto text = ask_replication(state);
    if (!text) return std::unexpected(text.error());
    const std::uint64_t applied = info_number(info_field(*text, "slave_repl_offset"));
    if (info_field(*text, "master_link_status") == "up" && applied >= feed_offset + getack_bytes)
      return {};
    if (job_.stop.stop_requested()) return std::unexpected(cancelled());
    if (Clock::now() >= deadline) {
      return std::unexpected(refused(fmt::format(
          "the target has acknowledged the backup, but says that it stands at offset {}",
          applied)));
    }
    std::this_thread::sleep_for(10ms);
  }
}

}  // namespace sluice::engine
