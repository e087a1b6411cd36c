#pragma once

#include <concepts>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "sluice/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace sluice::service {

/// Statements of one connection that are not in use, by their text: to prepare one takes longer
/// than to run it. Threads: as the connection.
class StatementCache {
 public:
  StatementCache() = default;
  StatementCache(const StatementCache&) = delete;
  StatementCache& operator=(const StatementCache&) = delete;
  ~StatementCache();

  /// Null when there is none.
  [[nodiscard]] sqlite3_stmt* take(const std::string& sql);
  void give_back(const std::string& sql, sqlite3_stmt* statement);

 private:
  std::multimap<std::string, sqlite3_stmt*> free_;
};

/// A prepared statement. Parameters count from 1, columns from 0. Errors of the database are thrown
/// as std::runtime_error: a service that cannot keep its state cannot go on with what it is doing.
class Statement {
 public:
  /// Taken from the cache, and given back to it, when there is one; the cache has to live longer.
  Statement(sqlite3* database, std::string_view sql, StatementCache* cache = nullptr);
  Statement(Statement&&) noexcept = default;
  Statement& operator=(Statement&&) noexcept = default;

  /// Binds the next parameter.
  Statement& bind(std::int64_t value);
  Statement& bind(std::string_view text);
  Statement& bind(const std::string& text) { return bind(std::string_view(text)); }
  Statement& bind(const char* text) { return bind(std::string_view(text)); }
  Statement& bind(const std::optional<std::int64_t>& value);
  Statement& bind(const std::optional<std::string>& text);
  Statement& bind(double value);
  /// Nothing but a bool: a text would become one before it became a std::string_view.
  template <std::same_as<bool> Flag>
  Statement& bind(Flag value) {
    return bind(std::int64_t{value});
  }

  /// Goes to the next row; false when there is none.
  bool step();
  void run() {
    while (step()) {
    }
  }

  [[nodiscard]] std::int64_t number(int column) const;
  [[nodiscard]] double real(int column) const;
  [[nodiscard]] std::string text(int column) const;
  [[nodiscard]] std::optional<std::int64_t> maybe_number(int column) const;
  [[nodiscard]] std::optional<std::string> maybe_text(int column) const;

 private:
  struct Release {
    StatementCache* cache = nullptr;
    std::string sql = {};
    void operator()(sqlite3_stmt* statement) const;
  };
  [[nodiscard]] bool is_null(int column) const;

  std::unique_ptr<sqlite3_stmt, Release> statement_;
  int bound_ = 0;
};

/// The service's state: one SQLite file with a write-ahead log. What was committed survives a kill
/// and a power cut.
///
/// Threads: any. One connection writes, under a lock that a Writing holds; another reads, beside it
///          and without waiting for its syncs.
class Database {
 public:
  /// Opens `file`, makes it if missing (for the owner alone), and brings its tables up to date.
  /// Errors: "state_failed"; "state_too_new" when a later version made it.
  [[nodiscard]] static Result<std::unique_ptr<Database>> open(const std::string& file);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  /// A transaction. It is rolled back unless commit() is called.
  class Writing {
   public:
    explicit Writing(Database& database);
    ~Writing();
    Writing(const Writing&) = delete;
    Writing& operator=(const Writing&) = delete;

    [[nodiscard]] Statement statement(std::string_view sql);
    [[nodiscard]] std::int64_t last_row() const;
    [[nodiscard]] std::int64_t changes() const;
    /// Durable once this returns.
    void commit();

   private:
    Database& database_;
    std::unique_lock<std::mutex> lock_;
    bool open_ = true;
  };

  /// A look at what was committed. Held shortly: readers take turns.
  class Reading {
   public:
    explicit Reading(Database& database) : database_(database), lock_(database.read_mutex_) {}
    [[nodiscard]] Statement statement(std::string_view sql);

   private:
    Database& database_;
    std::unique_lock<std::mutex> lock_;
  };

 private:
  struct Close {
    void operator()(sqlite3* database) const;
  };
  using Connection = std::unique_ptr<sqlite3, Close>;

  Database(Connection writer, Connection reader);

  Connection writer_;
  Connection reader_;
  StatementCache written_;
  StatementCache read_;
  std::mutex write_mutex_;
  std::mutex read_mutex_;
};

}  // namespace sluice::service
