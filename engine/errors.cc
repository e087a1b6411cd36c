#include "engine/errors.h"

#include <fmt/format.h>

namespace sluice::engine {
namespace {

std::string_view code_name(net::Errc code) noexcept {
  using enum net::Errc;
  switch (code) {
    case bad_uri: return "bad_uri";
    case resolve_failed: return "resolve_failed";
    case connect_failed: return "connect_failed";
    case timed_out: return "timed_out";
    case closed_by_peer: return "closed_by_peer";
    case tls_failed: return "tls_failed";
    case auth_required: return "auth_required";
    case auth_failed: return "auth_failed";
    case no_permission: return "no_permission";
    case command_unknown: return "command_unknown";
    case loading: return "loading";
    case no_master_link: return "no_master_link";
    case save_failed: return "save_failed";
    case protocol_error: return "protocol_error";
    case refused: return "refused";
    case history_lost: return "history_lost";
    case cut_short: return "cut_short";
    case cancelled: return "cancelled";
    case sink_aborted: return "sink_aborted";
    case reply_too_large: return "reply_too_large";
  }
  return "unknown";
}

std::string_view code_name(storage::Errc code) noexcept {
  using enum storage::Errc;
  switch (code) {
    case not_a_repository: return "not_a_repository";
    case not_empty: return "not_empty";
    case unsupported_format: return "unsupported_format";
    case unsupported_feature: return "unsupported_feature";
    case not_found: return "not_found";
    case ambiguous: return "ambiguous";
    case bad_name: return "bad_name";
    case corrupt: return "corrupt";
    case truncated: return "truncated";
    case checksum_mismatch: return "checksum_mismatch";
    case busy: return "busy";
    case limit_exceeded: return "limit_exceeded";
    case io_unavailable: return "io_unavailable";
    case codec_failure: return "codec_failure";
    case finished: return "finished";
    case exists: return "exists";
    case changed: return "changed";
    case fenced: return "fenced";
    case pinned: return "pinned";
    case implausible: return "implausible";
    case key_needed: return "key_needed";
    case wrong_key: return "wrong_key";
    case not_authentic: return "not_authentic";
    case last_key: return "last_key";
  }
  return "unknown";
}

/// What to do about it; empty where the message itself says all there is.
std::string_view storage_advice(std::string_view code) noexcept {
  if (code == "key_needed")
    return "; give it with --repo-passphrase-file, --repo-key-file or --repo-key-command, or in "
           "SLUICE_REPOSITORY_PASSPHRASE";
  if (code == "wrong_key") return "; sluice key list tells what opens a repository";
  if (code == "last_key") return "; add another one first: sluice key add";
  if (code == "not_authentic")
    return "; somebody who has no key may have written there: take another copy of the repository";
  return "";
}

std::string_view source_advice(net::Errc code) noexcept {
  using enum net::Errc;
  switch (code) {
    case auth_required:
      return "give the password in the URI, with --source-password-file or in SLUICE_SOURCE_AUTH";
    case auth_failed:
      return "check user and password (URI, --source-password-file, SLUICE_SOURCE_AUTH)";
    case no_permission:
      return "let the user replicate: ACL SETUSER <user> +psync +replconf +ping +info";
    case command_unknown:
      return "PSYNC is renamed or blocked there, as managed services do; back up from a server "
             "that lets replicas in, or export its snapshot and import the RDB file";
    case loading: return "it is still reading its own snapshot; run this again when it is up";
    case no_master_link:
      return "it is a replica that has lost its primary; back up from the primary, or run this "
             "again when the link is up";
    case save_failed:
      return "look into the source's log; BGSAVE there must succeed (memory for the fork, "
             "vm.overcommit_memory, disk space)";
    case timed_out: return "is it overloaded or stopped? --timeout gives it longer";
    case resolve_failed: return "check the host name";
    case connect_failed: return "is it running, and does it listen on this address and port?";
    case tls_failed: return "check --cacert, --sni and whether the port speaks TLS";
    case history_lost:
      return "it was restarted, or repl-backlog-size is too small there for the time without a "
             "link; "
             "begin anew";
    case cut_short:
    case closed_by_peer:
      return "it was restarted, or dropped us (its log says why: client-output-buffer-limit "
             "replica, repl-timeout); nothing was stored, run this again";
    case bad_uri:
    case protocol_error:
    case refused:
    case cancelled:
    case sink_aborted:
    case reply_too_large: break;
  }
  return "";
}

std::string_view target_advice(net::Errc code) noexcept {
  using enum net::Errc;
  switch (code) {
    case auth_required:
      return "give the password in the URI, with --target-password-file or in SLUICE_TARGET_AUTH";
    case auth_failed:
      return "check user and password (URI, --target-password-file, SLUICE_TARGET_AUTH)";
    case no_permission:
      return "let the user restore: ACL SETUSER <user> ~* +restore +select +info +config|get "
             "+function|load, and +flushall +function|flush for --flush";
    case command_unknown: return "the server does not know this command, or it is renamed there";
    case loading: return "it is still reading its own snapshot; run this again when it is up";
    case timed_out: return "is it overloaded or stopped? --timeout gives it longer";
    case resolve_failed: return "check the host name";
    case connect_failed: return "is it running, and does it listen on this address and port?";
    case tls_failed: return "check --cacert, --sni and whether the port speaks TLS";
    case cut_short:
    case closed_by_peer: return "was it restarted, or out of memory? its log says";
    case history_lost:
    case no_master_link:
    case save_failed:
    case bad_uri:
    case protocol_error:
    case refused:
    case cancelled:
    case sink_aborted:
    case reply_too_large: break;
  }
  return "";
}

/// What a TLS server or a plain one says when it is taken for the other is nothing at all, and TLS
/// 1.3 refuses a client without a certificate only after the handshake: by an alert, which is lost
/// when the server closes over what was sent meanwhile.
std::string_view tls_advice(net::Errc code, const net::Error& error) noexcept {
  if (code == net::Errc::timed_out && error.detail.starts_with("connecting to")) {
    return "does this port speak TLS (rediss://)? --timeout gives it longer";
  }
  if (code == net::Errc::tls_failed && error.detail.contains("certificate required")) {
    return "give a client certificate with --cert and --key";
  }
  if (code == net::Errc::closed_by_peer) {
    return "it may want a client certificate (--cert, --key), or was restarted, or dropped us: its "
           "log says why";
  }
  return "";
}

bool is_ours(const net::Error& error) noexcept {
  return error.code.category() == net::make_error_code(net::Errc::bad_uri).category();
}

}  // namespace

std::string_view code_name(rdb::Errc code) noexcept {
  using enum rdb::Errc;
  switch (code) {
    case bad_magic: return "bad_magic";
    case unsupported_version: return "unsupported_version";
    case bad_length: return "bad_length";
    case bad_string: return "bad_string";
    case bad_value: return "bad_value";
    case unknown_opcode: return "unknown_opcode";
    case unknown_type: return "unknown_type";
    case unsupported_dialect: return "unsupported_dialect";
    case unskippable_module: return "unskippable_module";
    case too_long: return "too_long";
    case truncated: return "truncated";
    case checksum_mismatch: return "checksum_mismatch";
    case stopped: return "stopped";
    case not_representable: return "not_representable";
    case bad_encoding: return "bad_encoding";
    case bad_order: return "bad_order";
    case bad_stream: return "bad_stream";
    case duplicate_element: return "duplicate_element";
    case empty_value: return "empty_value";
  }
  return "unknown";
}

std::string_view advice_on(const net::Error& error, Role role, std::string_view server) noexcept {
  if (!is_ours(error)) return "";
  const auto value = static_cast<net::Errc>(error.code.value());
  std::string_view advice;
  if (server.starts_with("rediss://")) advice = tls_advice(value, error);
  if (!advice.empty()) return advice;
  return role == Role::source ? source_advice(value) : target_advice(value);
}

Error from_net(const net::Error& error, Role role, std::string_view server) {
  const std::string_view who = role == Role::source ? "source" : "target";
  const std::string_view advice = advice_on(error, role, server);
  std::string_view code = "system";
  if (is_ours(error)) {
    const auto value = static_cast<net::Errc>(error.code.value());
    if (value == net::Errc::cancelled) return cancelled();
    code = code_name(value);
  }
  std::string message = fmt::format("{} {}: {}", who, server, error.code.message());
  if (!error.detail.empty()) message += " (" + error.detail + ")";
  if (!advice.empty()) message += fmt::format("; {}", advice);
  return {.stage = Stage::net, .code = std::string(code), .message = std::move(message)};
}

Error from_rdb(const rdb::Error& error, std::string_view what) {
  std::string_view code = "system";
  if (error.code.category() == rdb::make_error_code(rdb::Errc::bad_magic).category()) {
    code = code_name(static_cast<rdb::Errc>(error.code.value()));
  }
  return {.stage = Stage::rdb,
          .code = std::string(code),
          .message = fmt::format("{}: {}", what, rdb::to_string(error))};
}

Error from_storage(const storage::Error& error) {
  std::string_view code = "system";
  if (error.code.category() == storage::make_error_code(storage::Errc::corrupt).category()) {
    code = code_name(static_cast<storage::Errc>(error.code.value()));
  }
  return {
      .stage = Stage::storage,
      .code = std::string(code),
      .message = fmt::format("repository: {}{}", storage::to_string(error), storage_advice(code))};
}

Error cancelled() {
  return {.stage = Stage::engine,
          .code = "cancelled",
          .message = "stopped as asked; nothing half-done is left"};
}

}  // namespace sluice::engine
