#include "net/error.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <utility>

namespace sluice::net {
namespace {

class Category final : public std::error_category {
  [[nodiscard]] const char* name() const noexcept override { return "sluice.net"; }
  [[nodiscard]] std::string message(int value) const override {
    switch (static_cast<Errc>(value)) {  // no default: -Wswitch finds a value without a message
      case Errc::bad_uri: return "the address of the server is not valid";
      case Errc::resolve_failed: return "the host name could not be resolved";
      case Errc::connect_failed: return "the server could not be reached";
      case Errc::timed_out: return "the server was silent for too long";
      case Errc::closed_by_peer: return "the server closed the connection";
      case Errc::tls_failed: return "the TLS connection could not be established";
      case Errc::auth_required: return "the server requires a password";
      case Errc::auth_failed: return "the server refused the user name or password";
      case Errc::no_permission: return "the user lacks the permission for a command";
      case Errc::command_unknown: return "the server does not know a command that is needed";
      case Errc::loading: return "the server is still loading its data";
      case Errc::no_master_link: return "the server is a replica without a link to its master";
      case Errc::save_failed: return "the server failed to make the snapshot";
      case Errc::protocol_error: return "the server sent something unexpected";
      case Errc::refused: return "the server refused a command";
      case Errc::history_lost: return "the server no longer has the changes that are missing here";
      case Errc::cut_short: return "the connection ended in the middle of the snapshot";
      case Errc::cancelled: return "cancelled";
      case Errc::sink_aborted: return "the receiver of the snapshot asked to stop";
      case Errc::reply_too_large: return "a reply of the server is larger than the limit";
    }
    return "unknown error";
  }
};

// Error codes of Redis and Valkey with a cause of their own; any other is Errc::refused.
constexpr auto prefixes = std::to_array<std::pair<std::string_view, Errc>>({
    {"NOAUTH", Errc::auth_required},
    {"WRONGPASS", Errc::auth_failed},
    {"NOPERM", Errc::no_permission},
    {"LOADING", Errc::loading},
    {"NOMASTERLINK", Errc::no_master_link},
    {"MASTERDOWN", Errc::no_master_link},
});

Errc errc_of(std::string_view text) {
  const std::string_view word = text.substr(0, text.find(' '));
  for (const auto& [prefix, code] : prefixes) {
    if (word == prefix) return code;
  }
  if (text.starts_with("ERR unknown command")) return Errc::command_unknown;
  if (text.starts_with("ERR operation not permitted")) return Errc::auth_required;  // before 2.8
  if (text.contains("BGSAVE failed")) return Errc::save_failed;
  return Errc::refused;
}

}  // namespace

std::error_code make_error_code(Errc code) noexcept {
  static const Category category;
  return {static_cast<int>(code), category};
}

Error refusal(std::string_view command, std::string_view text) {
  return {.code = errc_of(text), .detail = fmt::format("{}: {}", command, printable(text))};
}

std::string printable(std::string_view text) {
  constexpr std::size_t printed_max = 512;
  std::string out;
  for (const char c : text.substr(0, std::min(text.size(), printed_max))) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7f) {
      out += c;
    } else {
      out += fmt::format("\\x{:02x}", byte);
    }
  }
  if (text.size() > printed_max) out += "...";
  return out;
}

}  // namespace sluice::net
