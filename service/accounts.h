#pragma once

#include <cstdint>
#include <expected>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "service/database.h"
#include "service/login_limit.h"
#include "sluice/result.h"

namespace sluice::service {

/// What somebody may do; each holds those before it.
enum class Role : std::uint8_t { none, viewer, operator_, admin };
[[nodiscard]] std::string_view to_string(Role role) noexcept;
[[nodiscard]] std::optional<Role> parse_role(std::string_view text) noexcept;

/// Who asks.
struct Caller {
  std::string name = {};  ///< Of the user, or "token:LABEL".
  Role role = Role::none;
  std::string csrf = {};     ///< Of a session; empty for a token.
  std::string session = {};  ///< Hash of the session; empty for a token.
};

struct User {
  std::string name = {};
  Role role = Role::viewer;
  std::int64_t created_at_ms = 0;
  std::optional<std::int64_t> last_seen_at_ms = {};
};

struct Token {
  std::int64_t id = 0;
  std::string label = {};
  Role role = Role::viewer;
  std::int64_t created_at_ms = 0;
  std::optional<std::int64_t> expires_at_ms = {};
  std::optional<std::int64_t> last_used_at_ms = {};
};

/// Users, sessions and API tokens. Of passwords the scrypt hash is kept (N 32768, r 8, p 1: 32 MiB
/// and some 60 ms each), of sessions and tokens the SHA-256.
/// Threads: any; one password is checked at a time.
class Accounts {
 public:
  static constexpr std::int64_t session_idle_ms = 12LL * 3600 * 1000;
  static constexpr std::int64_t session_life_ms = 7LL * 24 * 3600 * 1000;
  static constexpr std::size_t password_min = 10;

  explicit Accounts(Database& database) : database_(database) {}

  [[nodiscard]] bool has_users();
  /// What makes the first admin; made at the first start, gone with its use.
  [[nodiscard]] std::string setup_token();
  /// Errors: "bad_token", "exists", "weak_password", "bad_name".
  [[nodiscard]] Result<void> set_up(const std::string& token, const std::string& name,
                                    const std::string& password);

  /// A new session and its secret. Errors: "bad_login", whatever was wrong; "too_many_tries" from
  /// an address, or for a name, that failed too often: says when to try again.
  struct Login {
    std::string secret = {};  ///< For the cookie.
    Caller caller;
  };
  struct LoginRefusal {
    Error error;
    std::int64_t try_again_in_s = 0;
  };
  [[nodiscard]] std::expected<Login, LoginRefusal> log_in(const std::string& name,
                                                          const std::string& password,
                                                          const std::string& address);
  void log_out(const std::string& session);
  [[nodiscard]] std::optional<Caller> by_session(std::string_view secret);
  [[nodiscard]] std::optional<Caller> by_token(std::string_view secret);

  [[nodiscard]] std::vector<User> users();
  [[nodiscard]] Result<void> add_user(const std::string& name, const std::string& password,
                                      Role role);
  /// Ends the user's sessions. Errors: "not_found", "last_admin", "weak_password".
  [[nodiscard]] Result<void> change_user(const std::string& name, std::optional<Role> role,
                                         const std::optional<std::string>& password);
  [[nodiscard]] Result<void> remove_user(const std::string& name);
  [[nodiscard]] Result<void> change_password(const std::string& name, const std::string& old_one,
                                             const std::string& new_one);

  [[nodiscard]] std::vector<Token> tokens();
  struct NewToken {
    std::int64_t id = 0;
    std::string secret = {};
  };
  [[nodiscard]] NewToken add_token(const std::string& label, Role role,
                                   std::optional<std::int64_t> expires_at_ms);
  [[nodiscard]] bool remove_token(std::int64_t id);

 private:
  [[nodiscard]] std::optional<std::string> password_of(const std::string& name);
  [[nodiscard]] std::optional<Role> role_of(const std::string& name);
  [[nodiscard]] Login open_session(const std::string& name, Role role);

  Database& database_;
  std::mutex hashing_;
  LoginLimit limit_;
};

}  // namespace sluice::service
