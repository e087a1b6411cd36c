#include "service/database.h"

#include <fmt/format.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include <stdexcept>

#include "service/schema.h"

namespace sluice::service {
namespace {

constexpr int busy_timeout_ms = 10'000;

[[noreturn]] void fail(sqlite3* database) {
  throw std::runtime_error(fmt::format("the service's state: {}", sqlite3_errmsg(database)));
}

void check(sqlite3* database, int code) {
  if (code != SQLITE_OK) fail(database);
}

void execute(sqlite3* database, const char* sql) {
  check(database, sqlite3_exec(database, sql, nullptr, nullptr, nullptr));
}

std::int64_t schema_version(sqlite3* database) {
  Statement statement(database, "PRAGMA user_version");
  return statement.step() ? statement.number(0) : 0;
}

void bring_up_to_date(sqlite3* database) {
  for (auto version = schema_version(database); version < schema_current; ++version) {
    execute(database, "BEGIN IMMEDIATE");
    execute(database, schema_steps[static_cast<std::size_t>(version)]);
    execute(database, fmt::format("PRAGMA user_version = {}", version + 1).c_str());
    execute(database, "COMMIT");
  }
}

Error state_failed(const std::string& file, const std::string& what) {
  return {.stage = Stage::engine,
          .code = "state_failed",
          .message = fmt::format("cannot use the service's state in {}: {}; if the file is "
                                 "damaged, move it away: policies set in the console, accounts and "
                                 "history are in it, backups are not",
                                 file, what)};
}

}  // namespace

StatementCache::~StatementCache() {
  for (const auto& [sql, statement] : free_) sqlite3_finalize(statement);
}

sqlite3_stmt* StatementCache::take(const std::string& sql) {
  const auto found = free_.find(sql);
  if (found == free_.end()) return nullptr;
  sqlite3_stmt* const statement = found->second;
  free_.erase(found);
  return statement;
}

void StatementCache::give_back(const std::string& sql, sqlite3_stmt* statement) {
  sqlite3_reset(statement);
  sqlite3_clear_bindings(statement);
  free_.emplace(sql, statement);
}

Statement::Statement(sqlite3* database, std::string_view sql, StatementCache* cache)
    : statement_(nullptr, {.cache = cache, .sql = std::string(sql)}) {
  sqlite3_stmt* statement = cache == nullptr ? nullptr : cache->take(statement_.get_deleter().sql);
  if (statement == nullptr) {
    check(database, sqlite3_prepare_v2(database, sql.data(), static_cast<int>(sql.size()),
                                       &statement, nullptr));
  }
  statement_.reset(statement);
}

void Statement::Release::operator()(sqlite3_stmt* statement) const {
  if (cache == nullptr) {
    sqlite3_finalize(statement);
  } else {
    cache->give_back(sql, statement);
  }
}

Statement& Statement::bind(std::int64_t value) {
  check(sqlite3_db_handle(statement_.get()), sqlite3_bind_int64(statement_.get(), ++bound_, value));
  return *this;
}

Statement& Statement::bind(double value) {
  check(sqlite3_db_handle(statement_.get()),
        sqlite3_bind_double(statement_.get(), ++bound_, value));
  return *this;
}

Statement& Statement::bind(std::string_view text) {
  check(sqlite3_db_handle(statement_.get()),
        sqlite3_bind_text64(statement_.get(), ++bound_, text.data(), text.size(), SQLITE_TRANSIENT,
                            SQLITE_UTF8));
  return *this;
}

Statement& Statement::bind(const std::optional<std::int64_t>& value) {
  if (value) return bind(*value);
  ++bound_;  // unbound is NULL
  return *this;
}

Statement& Statement::bind(const std::optional<std::string>& text) {
  if (text) return bind(std::string_view(*text));
  ++bound_;
  return *this;
}

bool Statement::step() {
  const int code = sqlite3_step(statement_.get());
  if (code == SQLITE_ROW) return true;
  if (code != SQLITE_DONE) fail(sqlite3_db_handle(statement_.get()));
  return false;
}

bool Statement::is_null(int column) const {
  return sqlite3_column_type(statement_.get(), column) == SQLITE_NULL;
}

std::int64_t Statement::number(int column) const {
  return sqlite3_column_int64(statement_.get(), column);
}

double Statement::real(int column) const { return sqlite3_column_double(statement_.get(), column); }

std::string Statement::text(int column) const {
  const auto* bytes = sqlite3_column_text(statement_.get(), column);
  const int size = sqlite3_column_bytes(statement_.get(), column);
  if (bytes == nullptr) return {};
  return {reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size)};
}

std::optional<std::int64_t> Statement::maybe_number(int column) const {
  if (is_null(column)) return std::nullopt;
  return number(column);
}

std::optional<std::string> Statement::maybe_text(int column) const {
  if (is_null(column)) return std::nullopt;
  return text(column);
}

void Database::Close::operator()(sqlite3* database) const { sqlite3_close_v2(database); }

Database::Database(Connection writer, Connection reader)
    : writer_(std::move(writer)), reader_(std::move(reader)) {}
Database::~Database() = default;

Result<std::unique_ptr<Database>> Database::open(const std::string& file) {
  const auto connect = [&file](int flags) {
    sqlite3* opened = nullptr;
    const int code = sqlite3_open_v2(file.c_str(), &opened, flags | SQLITE_OPEN_NOMUTEX, nullptr);
    Connection connection(opened);
    if (code != SQLITE_OK) {
      throw std::runtime_error(opened != nullptr ? sqlite3_errmsg(opened) : "out of memory");
    }
    sqlite3_busy_timeout(opened, busy_timeout_ms);
    return connection;
  };
  try {
    const mode_t before = ::umask(0077);
    Connection writer;
    try {
      writer = connect(SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
      execute(writer.get(),
              "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; "
              "PRAGMA foreign_keys = ON");
    } catch (...) {
      ::umask(before);
      throw;
    }
    ::umask(before);
    if (schema_version(writer.get()) > schema_current) {
      return std::unexpected(
          Error{.stage = Stage::engine,
                .code = "state_too_new",
                .message = fmt::format("{} was written by a later version of sluice: start that "
                                       "version, or name another state directory",
                                       file)});
    }
    bring_up_to_date(writer.get());
    auto reader = connect(SQLITE_OPEN_READWRITE);
    execute(reader.get(), "PRAGMA query_only = ON");
    return std::unique_ptr<Database>(new Database(std::move(writer), std::move(reader)));
  } catch (const std::runtime_error& problem) {
    return std::unexpected(state_failed(file, problem.what()));
  }
}

Database::Writing::Writing(Database& database) : database_(database), lock_(database.write_mutex_) {
  execute(database_.writer_.get(), "BEGIN IMMEDIATE");
}

Database::Writing::~Writing() {
  if (open_) sqlite3_exec(database_.writer_.get(), "ROLLBACK", nullptr, nullptr, nullptr);
}

Statement Database::Writing::statement(std::string_view sql) {
  return {database_.writer_.get(), sql, &database_.written_};
}

std::int64_t Database::Writing::last_row() const {
  return sqlite3_last_insert_rowid(database_.writer_.get());
}

std::int64_t Database::Writing::changes() const { return sqlite3_changes(database_.writer_.get()); }

void Database::Writing::commit() {
  execute(database_.writer_.get(), "COMMIT");
  open_ = false;
}

Statement Database::Reading::statement(std::string_view sql) {
  return {database_.reader_.get(), sql, &database_.read_};
}

}  // namespace sluice::service
