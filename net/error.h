#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>

namespace sluice::net {

/// Why an operation failed. Each value names one cause and has a test.
enum class Errc {
  bad_uri = 1,      ///< The address is not one we understand.
  resolve_failed,   ///< The host name has no address.
  connect_failed,   ///< No address of the host took the connection.
  timed_out,        ///< The peer was silent for longer than allowed; detail says where.
  closed_by_peer,   ///< The peer closed or reset the connection.
  tls_failed,       ///< Certificate, key or TLS handshake.
  auth_required,    ///< -NOAUTH: no password was given and one is needed.
  auth_failed,      ///< -WRONGPASS, or AUTH refused otherwise.
  no_permission,    ///< -NOPERM: the ACL of this user lacks the command.
  command_unknown,  ///< The command is renamed, blocked by the provider or too new for the server.
  loading,          ///< -LOADING: the server reads its own snapshot. Worth a retry.
  no_master_link,   ///< -NOMASTERLINK, -MASTERDOWN: a replica without its master. Worth a retry.
  save_failed,      ///< The server could not make the snapshot.
  protocol_error,   ///< Bytes that do not fit the protocol at this point.
  refused,          ///< Any other error reply; detail is its text.
  history_lost,     ///< The source no longer has the part of its history that is missing here.
  cut_short,        ///< The connection ended inside the snapshot; detail has the byte counts.
  cancelled,        ///< The caller cancelled the operation.
  sink_aborted,     ///< The caller's sink asked to stop.
  reply_too_large,  ///< A reply is above a limit of ours.
};

[[nodiscard]] std::error_code make_error_code(Errc code) noexcept;

/// A refusal, its cause and the words that make it actionable.
struct Error {
  std::error_code code;  ///< net::Errc, or the system's own code for what a socket or file said.
  std::string detail;    ///< What it happened to, or what the peer said; never a secret.
};

template <class T>
using Result = std::expected<T, Error>;

/// What an error reply means. `text` is the reply without its leading '-'; it becomes the detail,
/// after "`command`: ". The first word decides, or the wording where servers have no code for it.
/// Source: Redis src/server.c (createSharedObjects), src/replication.c.
[[nodiscard]] Error refusal(std::string_view command, std::string_view text);

/// `text` made safe to print: control and non-ASCII bytes escaped, cut at 512 bytes.
[[nodiscard]] std::string printable(std::string_view text);

}  // namespace sluice::net

template <>
struct std::is_error_code_enum<sluice::net::Errc> : std::true_type {};
