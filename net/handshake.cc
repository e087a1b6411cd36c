#include "net/handshake.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "net/resp.h"

namespace sluice::net {
namespace {

constexpr std::size_t replid_size = 40;

bool is_hex(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

std::unexpected<Error> unexpected_reply(std::string_view command, std::string_view line) {
  return std::unexpected(
      Error{.code = Errc::protocol_error,
            .detail = fmt::format("{}: unexpected reply '{}'", command, printable(line))});
}

std::optional<FullResync> parse_full_resync(std::string_view line) {
  constexpr std::string_view prefix = "+FULLRESYNC ";
  if (!line.starts_with(prefix)) return std::nullopt;
  line.remove_prefix(prefix.size());
  if (line.size() < replid_size + 2 || line[replid_size] != ' ') return std::nullopt;

  FullResync granted{.replid = std::string(line.substr(0, replid_size)), .offset = 0};
  if (!std::ranges::all_of(granted.replid, is_hex)) return std::nullopt;
  const std::string_view digits = line.substr(replid_size + 1);
  const auto [end, ec] = std::from_chars(digits.begin(), digits.end(), granted.offset);
  if (ec != std::errc() || end != digits.end()) return std::nullopt;
  return granted;
}

std::string auth_command(const HandshakeOptions& options) {
  if (options.user.empty()) return encode_command({"AUTH", options.password});
  return encode_command({"AUTH", options.user, options.password});
}

std::string psync_command(const std::optional<FullResync>& resume) {
  if (!resume) return encode_command({"PSYNC", "?", "-1"});
  return encode_command({"PSYNC", resume->replid, std::to_string(resume->offset + 1)});
}

/// "+CONTINUE" or "+CONTINUE <replid>", the latter from 4.0 on: the name of the history may be
/// another after a failover.
std::optional<FullResync> parse_continue(std::string_view line, const FullResync& resume) {
  constexpr std::string_view prefix = "+CONTINUE";
  if (!line.starts_with(prefix)) return std::nullopt;
  line.remove_prefix(prefix.size());
  if (line.empty()) return resume;
  line.remove_prefix(1);
  if (line.size() != replid_size || !std::ranges::all_of(line, is_hex)) return std::nullopt;
  return FullResync{.replid = std::string(line), .offset = resume.offset};
}

}  // namespace

Error auth_refusal(std::string_view text) {
  const std::string_view kept = text.substr(0, text.find(", with args"));
  Error error = refusal("AUTH", kept);
  if (error.code == Errc::refused || error.code == Errc::command_unknown) {
    error.code = Errc::auth_failed;
  }
  return error;
}

Handshake::Handshake(const HandshakeOptions& options)
    : has_credentials_(!options.user.empty() || !options.password.empty()),
      resume_(options.resume),
      line_(line_bytes_max) {
  const auto add = [this](Kind kind, std::string name, std::string command) {
    steps_.push_back(Step{.kind = kind, .name = std::move(name), .command = std::move(command)});
  };
  const auto add_replconf = [&](std::string_view option, std::string_view value) {
    add(Kind::replconf, fmt::format("REPLCONF {}", option),
        encode_command({"REPLCONF", option, value}));
  };
  add(Kind::ping, "PING", encode_command({"PING"}));
  if (has_credentials_) add(Kind::auth, "AUTH", auth_command(options));
  add_replconf("listening-port", std::to_string(options.listening_port));
  add(Kind::replconf, "REPLCONF capa",
      encode_command({"REPLCONF", "capa", "eof", "capa", "psync2"}));
  // Each option that a server may not know goes alone: an error drops the pairs behind it.
  if (!options.announced_version.empty()) add_replconf("version", options.announced_version);
  if (options.rdb_only) add_replconf("rdb-only", "1");
  add(Kind::psync, "PSYNC", psync_command(resume_));
}

std::string_view Handshake::to_send() const noexcept {
  return done() || sent_ || failure_ ? std::string_view() : steps_[at_].command;
}

std::string_view Handshake::command() const noexcept {
  return done() ? std::string_view() : steps_[at_].name;
}

Result<std::size_t> Handshake::feed(std::span<const std::byte> input) {
  if (failure_) return std::unexpected(*failure_);
  if (done()) return 0;
  const auto taken = line_.feed(input);
  if (!taken) {
    failure_ = taken.error();
    return taken;
  }
  if (!line_.whole()) return *taken;
  // A bare newline says that the server still waits for its fork.
  auto result = line_.line().empty() ? Result<void>() : on_reply(line_.line());
  line_.clear();
  if (!result) {
    failure_ = std::move(result.error());
    return std::unexpected(*failure_);
  }
  return *taken;
}

Result<void> Handshake::on_reply(std::string_view line) {
  if (!sent_) return unexpected_reply("before " + steps_[at_].name, line);
  Result<void> result;
  switch (steps_[at_].kind) {
    case Kind::ping: result = on_ping(line); break;
    case Kind::auth: result = on_auth(line); break;
    case Kind::replconf: result = on_replconf(line); break;
    case Kind::psync: result = on_psync(line); break;
  }
  if (!result) return result;
  ++at_;
  sent_ = false;
  return {};
}

Result<void> Handshake::on_ping(std::string_view line) const {
  if (line.starts_with('+')) return {};
  if (!line.starts_with('-')) return unexpected_reply("PING", line);
  Error error = refusal("PING", line.substr(1));
  if (error.code == Errc::no_permission) return {};  // a user may replicate without +ping
  if (error.code == Errc::auth_required && has_credentials_) return {};  // AUTH comes next
  return std::unexpected(std::move(error));
}

Result<void> Handshake::on_auth(std::string_view line) const {
  if (line.starts_with("+OK")) return {};
  if (line.starts_with('-')) return std::unexpected(auth_refusal(line.substr(1)));
  return unexpected_reply("AUTH", line);
}

Result<void> Handshake::on_replconf(std::string_view line) const {
  if (line.starts_with('+')) return {};
  if (!line.starts_with('-')) return unexpected_reply(command(), line);
  Error error = refusal(command(), line.substr(1));
  if (error.code == Errc::refused || error.code == Errc::command_unknown) return {};
  return std::unexpected(std::move(error));
}

Result<void> Handshake::on_psync(std::string_view line) {
  if (auto granted = parse_full_resync(line)) {
    granted_ = *std::move(granted);
    return {};
  }
  if (resume_) {
    if (auto resumed = parse_continue(line, *resume_)) {
      granted_ = *std::move(resumed);
      continues_ = true;
      return {};
    }
  }
  if (line.starts_with('-')) return std::unexpected(refusal("PSYNC", line.substr(1)));
  return unexpected_reply("PSYNC", line);
}

}  // namespace sluice::net
