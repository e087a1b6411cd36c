#include "service/accounts.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "service/password.h"
#include "service/text.h"

namespace sluice::service {
namespace {

constexpr std::string_view setup_name = "setup_token";
constexpr std::size_t name_max = 64;
constexpr std::size_t password_max = 1024;
/// The session is written down as seen so often at most.
constexpr std::int64_t seen_interval_ms = 60'000;

Error error(std::string code, std::string message) {
  return {.stage = Stage::usage, .code = std::move(code), .message = std::move(message)};
}

Result<void> check_password(const std::string& password) {
  if (password.size() < Accounts::password_min || password.size() > password_max) {
    return std::unexpected(error(
        "weak_password",
        fmt::format("a password needs {} to {} bytes", Accounts::password_min, password_max)));
  }
  return {};
}

Result<void> check_name(const std::string& name) {
  const bool good =
      !name.empty() && name.size() <= name_max && std::ranges::all_of(name, [](unsigned char c) {
        return std::isalnum(c) || c == '.' || c == '_' || c == '-' || c == '@';
      });
  if (good) return {};
  return std::unexpected(
      error("bad_name", "a name has 1 to 64 letters, digits and any of . _ - @: choose another"));
}

std::int64_t count_admins(Database::Writing& writing) {
  auto count = writing.statement("SELECT count(*) FROM users WHERE role = 'admin'");
  return count.step() ? count.number(0) : 0;
}

Error last_admin() { return error("last_admin", "this is the last admin: make another one first"); }

Error no_such_user(const std::string& name) {
  return error("not_found", "there is no user " + name);
}

}  // namespace

std::string_view to_string(Role role) noexcept {
  switch (role) {
    case Role::viewer: return "viewer";
    case Role::operator_: return "operator";
    case Role::admin: return "admin";
    case Role::none: break;
  }
  return "none";
}

std::optional<Role> parse_role(std::string_view text) noexcept {
  for (const Role role : {Role::viewer, Role::operator_, Role::admin}) {
    if (text == to_string(role)) return role;
  }
  return std::nullopt;
}

bool Accounts::has_users() {
  Database::Reading reading(database_);
  return reading.statement("SELECT 1 FROM users LIMIT 1").step();
}

std::string Accounts::setup_token() {
  Database::Writing writing(database_);
  writing.statement("INSERT OR IGNORE INTO meta(name, value) VALUES(?, ?)")
      .bind(setup_name)
      .bind(random_hex(16))
      .run();
  std::string token;
  {
    auto kept = writing.statement("SELECT value FROM meta WHERE name = ?");
    kept.bind(setup_name);
    if (kept.step()) token = kept.text(0);
  }
  writing.commit();
  return token;
}

Result<void> Accounts::set_up(const std::string& token, const std::string& name,
                              const std::string& password) {
  if (has_users()) return std::unexpected(error("exists", "the first admin was made already"));
  if (!equal_secrets(token, setup_token())) {
    return std::unexpected(error(
        "bad_token", "this is not the one-time token that the service printed when it started"));
  }
  if (auto added = add_user(name, password, Role::admin); !added) return added;
  Database::Writing writing(database_);
  writing.statement("DELETE FROM meta WHERE name = ?").bind(setup_name).run();
  writing.commit();
  return {};
}

std::optional<std::string> Accounts::password_of(const std::string& name) {
  Database::Reading reading(database_);
  auto row = reading.statement("SELECT password FROM users WHERE name = ?");
  row.bind(name);
  if (!row.step()) return std::nullopt;
  return row.text(0);
}

std::optional<Role> Accounts::role_of(const std::string& name) {
  Database::Reading reading(database_);
  auto row = reading.statement("SELECT role FROM users WHERE name = ?");
  row.bind(name);
  if (!row.step()) return std::nullopt;
  return parse_role(row.text(0));
}

std::expected<Accounts::Login, Accounts::LoginRefusal> Accounts::log_in(
    const std::string& name, const std::string& password, const std::string& address) {
  for (const std::string& who : {"a:" + address, "n:" + name}) {
    if (const auto wait = limit_.try_again_in_s(who, now_ms()); wait > 0) {
      return std::unexpected(LoginRefusal{
          .error = error("too_many_tries",
                         fmt::format("too many failed sign-ins: try again in {} s", wait)),
          .try_again_in_s = wait});
    }
  }
  const auto hash = password_of(name);
  bool right = false;
  {
    // A name that does not exist takes as long as one that does.
    static const std::string nobody = hash_password(random_hex(16));
    const std::lock_guard guard(hashing_);
    right = password.size() <= password_max && is_password(password, hash.value_or(nobody)) && hash;
  }
  const LoginRefusal wrong{.error = error("bad_login", "the name or the password is wrong")};
  if (!right) return std::unexpected(wrong);
  limit_.succeeded("a:" + address);
  limit_.succeeded("n:" + name);
  if (const auto role = role_of(name)) return open_session(name, *role);
  return std::unexpected(wrong);  // gone meanwhile
}

Accounts::Login Accounts::open_session(const std::string& name, Role role) {
  Login login{.secret = random_hex(32), .caller = {.name = name, .role = role}};
  login.caller.csrf = random_hex(16);
  login.caller.session = sha256_hex(login.secret);
  const std::int64_t now = now_ms();
  Database::Writing writing(database_);
  writing.statement("DELETE FROM sessions WHERE seen_at < ? OR created_at < ?")
      .bind(now - session_idle_ms)
      .bind(now - session_life_ms)
      .run();
  writing.statement("INSERT INTO sessions VALUES(?, ?, ?, ?, ?)")
      .bind(login.caller.session)
      .bind(name)
      .bind(login.caller.csrf)
      .bind(now)
      .bind(now)
      .run();
  writing.statement("UPDATE users SET last_seen_at = ? WHERE name = ?").bind(now).bind(name).run();
  writing.commit();
  return login;
}

void Accounts::log_out(const std::string& session) {
  Database::Writing writing(database_);
  writing.statement("DELETE FROM sessions WHERE hash = ?").bind(session).run();
  writing.commit();
}

std::optional<Caller> Accounts::by_session(std::string_view secret) {
  Caller caller;
  caller.session = sha256_hex(secret);
  const std::int64_t now = now_ms();
  std::int64_t seen = 0;
  {
    Database::Reading reading(database_);
    auto row = reading.statement(
        "SELECT users.name, users.role, csrf, seen_at FROM sessions JOIN users ON users.name = "
        "sessions.user WHERE hash = ? AND seen_at >= ? AND sessions.created_at >= ?");
    row.bind(caller.session);
    row.bind(now - session_idle_ms).bind(now - session_life_ms);
    if (!row.step()) return std::nullopt;
    caller.name = row.text(0);
    caller.role = parse_role(row.text(1)).value_or(Role::none);
    caller.csrf = row.text(2);
    seen = row.number(3);
  }
  if (now - seen > seen_interval_ms) {
    Database::Writing writing(database_);
    writing.statement("UPDATE sessions SET seen_at = ? WHERE hash = ?")
        .bind(now)
        .bind(caller.session)
        .run();
    writing.commit();
  }
  return caller;
}

std::optional<Caller> Accounts::by_token(std::string_view secret) {
  const std::int64_t now = now_ms();
  Caller caller;
  std::int64_t id = 0;
  std::int64_t used = 0;
  {
    Database::Reading reading(database_);
    auto row = reading.statement(
        "SELECT id, label, role, coalesce(last_used_at, 0) FROM tokens WHERE hash = ? AND "
        "(expires_at IS NULL OR expires_at > ?)");
    row.bind(sha256_hex(secret)).bind(now);
    if (!row.step()) return std::nullopt;
    id = row.number(0);
    caller.name = "token:" + row.text(1);
    caller.role = parse_role(row.text(2)).value_or(Role::none);
    used = row.number(3);
  }
  if (now - used > seen_interval_ms) {
    Database::Writing writing(database_);
    writing.statement("UPDATE tokens SET last_used_at = ? WHERE id = ?").bind(now).bind(id).run();
    writing.commit();
  }
  return caller;
}

std::vector<User> Accounts::users() {
  Database::Reading reading(database_);
  auto row =
      reading.statement("SELECT name, role, created_at, last_seen_at FROM users ORDER BY name");
  std::vector<User> users;
  while (row.step()) {
    users.push_back({.name = row.text(0),
                     .role = parse_role(row.text(1)).value_or(Role::none),
                     .created_at_ms = row.number(2),
                     .last_seen_at_ms = row.maybe_number(3)});
  }
  return users;
}

Result<void> Accounts::add_user(const std::string& name, const std::string& password, Role role) {
  if (auto good = check_name(name); !good) return good;
  if (auto good = check_password(password); !good) return good;
  std::string hash;
  {
    const std::lock_guard guard(hashing_);
    hash = hash_password(password);
  }
  Database::Writing writing(database_);
  writing.statement("INSERT OR IGNORE INTO users(name, role, password, created_at) VALUES(?,?,?,?)")
      .bind(name)
      .bind(to_string(role))
      .bind(hash)
      .bind(now_ms())
      .run();
  if (writing.changes() == 0)
    return std::unexpected(error("exists", "there is a user " + name + " already"));
  writing.commit();
  return {};
}

Result<void> Accounts::change_user(const std::string& name, std::optional<Role> role,
                                   const std::optional<std::string>& password) {
  std::optional<std::string> hash;
  if (password) {
    if (auto good = check_password(*password); !good) return good;
    const std::lock_guard guard(hashing_);
    hash = hash_password(*password);
  }
  std::optional<std::string> role_name;
  if (role) role_name = std::string(to_string(*role));
  Database::Writing writing(database_);
  writing
      .statement(
          "UPDATE users SET role = coalesce(?, role), password = coalesce(?, password) "
          "WHERE name = ?")
      .bind(role_name)
      .bind(hash)
      .bind(name)
      .run();
  if (writing.changes() == 0) return std::unexpected(no_such_user(name));
  if (count_admins(writing) == 0) return std::unexpected(last_admin());
  writing.statement("DELETE FROM sessions WHERE user = ?").bind(name).run();
  writing.commit();
  return {};
}

Result<void> Accounts::remove_user(const std::string& name) {
  Database::Writing writing(database_);
  writing.statement("DELETE FROM users WHERE name = ?").bind(name).run();
  if (writing.changes() == 0) return std::unexpected(no_such_user(name));
  if (count_admins(writing) == 0) return std::unexpected(last_admin());
  writing.commit();
  return {};
}

Result<void> Accounts::change_password(const std::string& name, const std::string& old_one,
                                       const std::string& new_one) {
  const auto hash = password_of(name);
  bool right = false;
  if (hash) {
    const std::lock_guard guard(hashing_);
    right = is_password(old_one, *hash);
  }
  if (!right) return std::unexpected(error("bad_login", "the old password is wrong"));
  return change_user(name, std::nullopt, new_one);
}

std::vector<Token> Accounts::tokens() {
  Database::Reading reading(database_);
  auto row = reading.statement(
      "SELECT id, label, role, created_at, expires_at, last_used_at FROM tokens ORDER BY id");
  std::vector<Token> tokens;
  while (row.step()) {
    tokens.push_back({.id = row.number(0),
                      .label = row.text(1),
                      .role = parse_role(row.text(2)).value_or(Role::none),
                      .created_at_ms = row.number(3),
                      .expires_at_ms = row.maybe_number(4),
                      .last_used_at_ms = row.maybe_number(5)});
  }
  return tokens;
}

Accounts::NewToken Accounts::add_token(const std::string& label, Role role,
                                       std::optional<std::int64_t> expires_at_ms) {
  NewToken token{.id = 0, .secret = "sluice_" + random_hex(24)};
  Database::Writing writing(database_);
  writing
      .statement("INSERT INTO tokens(hash, label, role, created_at, expires_at) VALUES(?,?,?,?,?)")
      .bind(sha256_hex(token.secret))
      .bind(label)
      .bind(to_string(role))
      .bind(now_ms())
      .bind(expires_at_ms)
      .run();
  token.id = writing.last_row();
  writing.commit();
  return token;
}

bool Accounts::remove_token(std::int64_t id) {
  Database::Writing writing(database_);
  writing.statement("DELETE FROM tokens WHERE id = ?").bind(id).run();
  const bool removed = writing.changes() == 1;
  writing.commit();
  return removed;
}

}  // namespace sluice::service
